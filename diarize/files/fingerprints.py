"""Fingerprints of files: whether a file is still the one that it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path


@dataclass(frozen=True)
class Fingerprint:
    """Size in bytes, time of the last change in nanoseconds, and SHA-256 of the content of a file."""

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


def is_same(path: str | Path, known: Fingerprint) -> bool:
    """Whether a file is that of a fingerprint. It is read only if its time differs and its size does not."""
    try:
        status = Path(path).stat()
        if status.st_size != known.size:
            return False
        return status.st_mtime_ns == known.mtime_ns or fingerprint(path).sha256 == known.sha256
    except (OSError, ValueError):  # it is not there
        return False


def to_json(fingerprints: Mapping[str, Fingerprint]) -> str:
    """Fingerprints by name as JSON."""
    return json.dumps({name: asdict(each) for name, each in fingerprints.items()})


def from_json(text: str | None) -> dict[str, Fingerprint]:
    """Fingerprints by name from the JSON of `to_json`; none for None."""
    return {name: Fingerprint(**values) for name, values in json.loads(text or "{}").items()}
