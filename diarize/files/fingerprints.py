"""Fingerprints of files: whether a file is still the one that it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path

from diarize.files.locations import Location, locate, status
from diarize.files.remote import RemoteFile


@dataclass(frozen=True)
class Fingerprint:
    """Size in bytes, time of the last change in nanoseconds, and SHA-256 of the content of a file.

    The time of a file at a URL is a number that its store's mark of the version gives.
    """

    size: int
    mtime_ns: int
    sha256: str


def fingerprint(path: str | Path) -> Fingerprint:
    """The fingerprint of a file, which is read whole.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with Path(path).open("rb") as file:
        status = Path(path).stat()  # before the content, so that a change in between is seen as one
        return Fingerprint(status.st_size, status.st_mtime_ns, file_digest(file, "sha256").hexdigest())


def is_same(path: str | Location, known: Fingerprint) -> bool:
    """Whether a file is that of a fingerprint. It is read only if its time differs and its size does not."""
    file = locate(path) if isinstance(path, str) else path
    try:
        size, time = status(file)
        if size != known.size:
            return False
        return 0 != time == known.mtime_ns or _digest(file) == known.sha256
    except (OSError, ValueError):  # it is not there
        return False


def _digest(file: Location) -> str:
    if not isinstance(file, RemoteFile):
        return fingerprint(file).sha256
    with file.downloaded() as copy:
        return file_digest(copy, "sha256").hexdigest()


def to_json(fingerprints: Mapping[str, Fingerprint]) -> str:
    """Fingerprints by name as JSON."""
    return json.dumps({name: asdict(each) for name, each in fingerprints.items()})


def from_json(text: str | None) -> dict[str, Fingerprint]:
    """Fingerprints by name from the JSON of `to_json`; none for None."""
    return {name: Fingerprint(**values) for name, values in json.loads(text or "{}").items()}
