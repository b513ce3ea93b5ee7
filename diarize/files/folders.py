"""Folders: made for results, or searched for files."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from diarize.errors import DiarizeError

logger = logging.getLogger(__name__)


def make_folder(folder: Path) -> None:
    """Make a folder for results, if it does not exist, and check that it can be written to.

    Raises
    ------
    DiarizeError
        If it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiarizeError(f"{folder}: the folder for results cannot be made ({error.strerror})") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DiarizeError(f"{folder}: the folder cannot be written to; choose another one")


def find_files(folder: str | os.PathLike[str], *, below: bool = True) -> list[Path]:
    """The files in a folder and, with `below`, in its subfolders, sorted by path.

    Files and folders whose names begin with a dot are left out; unreadable ones are as well, and are logged.
    Links are followed. Each folder is read once: by its own path if that lies inside `folder`, otherwise by
    the first link to it. So circular links end.

    ::

        corpus/a.wav  corpus/new -> /disk/new  corpus/same -> new  corpus/lost -> nowhere  corpus/.trash/
        found: corpus/a.wav and what is in corpus/new; logged: corpus/lost

    Raises
    ------
    DiarizeError
        If the folder itself cannot be read.
    """
    top = Path(folder)
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    waiting = deque([top])
    links: list[Path] = []
    while waiting or links:
        if not waiting:  # links last, so that a folder inside is read by its own path
            links.sort()
            waiting.append(links.pop(0))
        path = waiting.popleft()
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if path == top:
                raise DiarizeError(f"{path}: the folder cannot be read ({error.strerror})") from error
            logger.warning("%s: left out; the folder cannot be read (%s)", path, error.strerror)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError as error:  # circular links, or no permission to search the folder
                logger.warning("%s: left out; it cannot be read (%s)", path / entry.name, error.strerror)
                continue
            if is_file:
                found.append(path / entry.name)
            elif is_folder and below:
                (links if entry.is_symlink() else waiting).append(path / entry.name)
            elif not is_folder:
                kind = "the link is dead" if entry.is_symlink() else "it is neither a file nor a folder"
                logger.warning("%s: left out; %s", path / entry.name, kind)
    return sorted(found)


def check_file_name(id: str, of: str = "recording") -> None:
    """Check that a file inside a folder can be named after a recording, or what else `of` says.

    A suffix always follows the id, so "..", "con" and "a." are ids like others.

    Raises
    ------
    DiarizeError
        If the file would be outside the folder, or the name has a NUL.
    """
    if "/" in id or os.sep in id or "\0" in id:
        raise DiarizeError(f"{of} {id!r}: the id names a file; use an id without /")


def refuse_outside(paths: Iterable[Path], folder: Path) -> None:
    """Check that files to be written are inside a folder, also where links lead.

    Raises
    ------
    DiarizeError
        If a link leads out of the folder, or in a circle.
    """
    try:
        inside = folder.resolve()
        for path in paths:
            if not path.resolve().is_relative_to(inside):
                raise DiarizeError(f"{path}: a link leads out of {folder}; remove it")
    except (OSError, RuntimeError) as error:  # a name too long, or a circle
        raise DiarizeError(f"{folder}: results cannot be written there ({error})") from error
