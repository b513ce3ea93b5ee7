"""Files on disk or at URLs, alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from diarize.files.atomic import write_bytes, write_files
from diarize.files.remote import RemoteFile, is_url

Location = Path | RemoteFile


def locate(name: str | os.PathLike[str]) -> Location:
    """The path or the URL of a name."""
    return RemoteFile(name) if isinstance(name, str) and is_url(name) else Path(name)


def exists(file: Location) -> bool:
    """Whether a file, or a link of that name, is there."""
    return file.exists() if isinstance(file, RemoteFile) else os.path.lexists(file)


def status(file: Location) -> tuple[int, int]:
    """Size in bytes, and the time of the last change in nanoseconds or, of a URL, `RemoteFile.status`.

    Raises
    ------
    OSError
        If it is not there.
    """
    if isinstance(file, RemoteFile):
        return file.status()
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def write(content: bytes, file: Location) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    DiarizeError
        If it cannot be written.
    """
    if isinstance(file, RemoteFile):
        file.write_bytes(content)
    else:
        write_bytes(content, file)


def write_all(contents: Mapping[Location, bytes]) -> None:
    """Write files that belong together: on disk all or none, at URLs one after the other.

    Raises
    ------
    DiarizeError
        If one cannot be written.
    """
    write_files({file: content for file, content in contents.items() if isinstance(file, Path)})
    for file, content in contents.items():
        if isinstance(file, RemoteFile):
            file.write_bytes(content)
