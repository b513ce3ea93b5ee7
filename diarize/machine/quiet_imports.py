"""Imports of packages that otherwise write files or send data.

Each package reads the environment once, when it is imported. The environment is changed only during the
import, under a lock, and then restored. A package that the program has already imported is not affected.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_lock = threading.RLock()


def import_onnxruntime() -> Any:
    """Import onnxruntime without its telemetry.

    From 1.29 on it writes a device id and a database of events below ``~/.cache/Microsoft`` and a file
    ``.ses`` into the folder for temporary files, and after about 17 s looks up the address of a host. Only
    ``ORT_DISABLE_TELEMETRY`` stops all of this, and only if it is set before the import.
    """
    with _environment(ORT_DISABLE_TELEMETRY="1"):
        return import_module("onnxruntime")


def import_matplotlib() -> Any:
    """Import matplotlib without its folders in the user's home.

    On first use of fonts, it writes a list of them below ``~/.cache/matplotlib``, makes
    ``~/.config/matplotlib`` and runs ``fc-list``, which writes a cache as well. Here its folder is a
    temporary one, which is removed at once, and an empty PATH keeps it from running a program. It still finds
    its own fonts and those of the system. Where that takes over five seconds, it would say so on stderr.
    """
    if "matplotlib.font_manager" not in sys.modules:
        with (
            tempfile.TemporaryDirectory() as folder,
            _environment(MPLCONFIGDIR=folder, PATH=os.devnull),
        ):
            log = logging.getLogger("matplotlib.font_manager")
            log.addFilter(_no_remark)
            try:
                import_module("matplotlib.font_manager")
            finally:
                log.removeFilter(_no_remark)
    return import_module("matplotlib")


def import_torch_compiler() -> Any:
    """Import torch._dynamo without its folder.

    Every torch optimizer imports it. It makes ``torchinductor_USER`` in the folder for temporary files, and
    leaves the name in the environment. Here that folder is a temporary one, which is removed at once.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        _environment(TORCHINDUCTOR_CACHE_DIR=folder),
    ):
        return import_module("torch._dynamo")


def import_pyannote(name: str) -> Any:
    """Import a module of pyannote, such as "core", without matplotlib, unless that is already imported.

    pyannote.core draws in notebooks, so it imports matplotlib if it is installed.
    """
    with _lock:
        hidden = "matplotlib" not in sys.modules
        if hidden:
            sys.modules["matplotlib"] = None  # type: ignore[assignment]  # an import of it fails
        try:
            return import_module(f"pyannote.{name}")
        finally:
            if hidden:
                del sys.modules["matplotlib"]


def _no_remark(record: logging.LogRecord) -> bool:
    """Drop what a package remarks while it is imported."""
    return record.levelno > logging.WARNING


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set environment variables inside the block, and restore them afterwards."""
    with _lock:
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
