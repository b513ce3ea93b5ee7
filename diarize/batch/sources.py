"""Fingerprints of recordings: of their files or, for commands of a data folder, of the command."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from diarize.files.fingerprints import Fingerprint, fingerprint, is_same
from diarize.formats.kaldi import is_command


def fingerprint_source(source: str) -> Fingerprint | None:
    """The fingerprint of a recording, which is read whole; None if it cannot be read."""
    if is_command(source):
        return Fingerprint(0, 0, sha256(source.encode("utf-8", "surrogatepass")).hexdigest())
    try:
        return fingerprint(source)
    except (OSError, ValueError):  # labelling it gives the error
        return None


def is_same_source(source: str, known: Fingerprint) -> bool:
    """Whether a recording is that of a fingerprint."""
    return fingerprint_source(source) == known if is_command(source) else is_same(source, known)


def source_size(source: str) -> int:
    """The size of a recording in bytes; 0 for a command or a file that is not there."""
    try:
        return 0 if is_command(source) else Path(source).stat().st_size
    except (OSError, ValueError):
        return 0
