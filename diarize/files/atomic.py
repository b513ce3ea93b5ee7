"""Writes a whole file or none: into a temporary file beside the final name, which is then renamed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diarize.errors import DiarizeError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder, with the same suffix, that becomes ``path`` on success.

    Missing folders are made. On failure, the temporary file is removed and an older file at ``path`` stays.

    Raises
    ------
    DiarizeError
        If the file cannot be written: no permission, a full disk, a folder or a device at ``path``.
    """
    try:
        final = Path(path).resolve()  # writes to the target of a symbolic link and keeps the link
        strange = final.exists() and not final.is_file()
    except OSError as error:  # a name that is too long
        raise _unwritable(path, error) from error
    except ValueError as error:  # a NUL in the name, which no file can have
        raise DiarizeError(f"{str(path)!r}: cannot be written ({error})") from error
    if strange:  # renaming to /dev/null would replace the device
        raise DiarizeError(f"{path}: cannot be written (not a regular file)")
    temporary = final.with_name(f".{final.stem[:40]}.{secrets.token_hex(4)}{final.suffix}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield temporary
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
    DiarizeError
        If it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _unwritable(path: str | Path, error: OSError) -> DiarizeError:
    return DiarizeError(f"{path}: cannot be written ({error.strerror or error})")
