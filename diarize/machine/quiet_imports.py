"""Imports of packages that write files or send data of their own, so that they do neither.

Each reads the environment once, as it is imported. The environment is changed for the import alone, under a
lock, and is then what it was. A package that the program has imported before stays as that import left it.
"""

from __future__ import annotations

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
    ``.ses`` into the folder for temporary files, and after some 17 s asks for the address of a host. Only
    ``ORT_DISABLE_TELEMETRY`` stops all of it, and only where it is set before the import.
    """
    with _environment(ORT_DISABLE_TELEMETRY="1"):
        return import_module("onnxruntime")


def import_matplotlib() -> Any:
    """Import matplotlib without its folders in the user's home.

    As its fonts are looked up first, it writes a list of them below ``~/.cache/matplotlib``, makes
    ``~/.config/matplotlib`` and runs ``fc-list``, which writes a cache as well. Here its folder is a
    temporary one, removed at once, and no program is found to run; its own fonts and those of the system are
    found all the same.
    """
    if "matplotlib.font_manager" not in sys.modules:
        with (
            tempfile.TemporaryDirectory() as folder,
            _environment(MPLCONFIGDIR=folder, PATH=os.devnull),
        ):
            import_module("matplotlib.font_manager")
    return import_module("matplotlib")


def import_torch_compiler() -> Any:
    """Import torch._dynamo without its folder.

    Every optimizer of torch imports it. It makes ``torchinductor_USER`` in the folder for temporary files,
    and leaves its name in the environment. Here that folder is a temporary one, removed at once.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        _environment(TORCHINDUCTOR_CACHE_DIR=folder),
    ):
        return import_module("torch._dynamo")


def import_pyannote(name: str) -> Any:
    """Import a module of pyannote, as "core", without matplotlib, unless the program uses that already.

    pyannote.core draws in notebooks, and for that imports all of matplotlib where it is installed.
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


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Variables of the environment set inside the block, and as before behind it."""
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
