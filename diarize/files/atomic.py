"""Writes a whole file or none: into a temporary file beside the final name, which is then renamed.

The content is on the disk before the name is: after a power failure there is the old file or the new one,
never a new name without its content.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from diarize.errors import OutputError

_KEPT = 40
"""Characters of a name that are in that of the temporary file."""

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}(\.[^.]+)?")


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove the temporary files that a killed process has left beside these paths.

    Nobody may be writing the paths. Names of more than 40 characters are left alone.
    """
    names: dict[Path, set[tuple[str, str]]] = {}
    for path in paths:
        if len(path.stem) < _KEPT:
            names.setdefault(path.parent, set()).add((path.stem, path.suffix))
    for folder, own in names.items():
        for file in folder.iterdir() if folder.is_dir() else ():
            found = _TEMPORARY.fullmatch(file.name)
            if found and (found[1], found[2] or "") in own:
                file.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: str | Path, alone: bool = False) -> Iterator[Path]:
    """A temporary path in the same folder, with the same suffix, that becomes ``path`` on success.

    Missing folders are made. On failure, the temporary file is removed and an older file at ``path`` stays.
    With `alone`, nobody else may be writing the path: what a killed process has left of it is removed first.

    Raises
    ------
    OutputError
        If the file cannot be written: no permission, a full disk, a folder or a device at ``path``.
    """
    try:
        final = Path(path).resolve()  # writes to the target of a symbolic link and keeps the link
        strange = final.exists() and not final.is_file()
    except OSError as error:  # a name that is too long
        raise _unwritable(path, error) from error
    except ValueError as error:  # a NUL in the name, which no file can have
        raise OutputError(f"{str(path)!r}: cannot be written ({error})") from error
    if strange:  # renaming to /dev/null would replace the device
        raise OutputError(f"{path}: cannot be written (not a regular file)")
    temporary = final.with_name(f".{final.stem[:_KEPT]}.{secrets.token_hex(4)}{final.suffix}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    if alone:
        remove_leftovers([final])
    try:
        yield temporary
        _synchronize(temporary)
        temporary.replace(final)
    except OSError as error:
        if error.filename not in (None, str(temporary)):
            raise  # the error concerns another file
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(content: bytes, path: str | Path) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files that belong together: all are on the disk before the first gets its name.

    Raises
    ------
    OutputError
        If one cannot be written; then none is there that was not there before.
    """
    new = [path for path in contents if not os.path.lexists(path)]
    try:
        with ExitStack() as stack:
            for path, content in contents.items():
                temporary = stack.enter_context(atomic_path(path))
                temporary.write_bytes(content)
                _synchronize(temporary)
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise


def _synchronize(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: str | Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written ({error.strerror or error})")
