"""Whole files or none: write beside the final name, then rename."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diarize.errors import DiarizeError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder, with the same suffix, that becomes ``path`` on success.

    Missing folders are made. On any failure the temporary file goes and an older file at ``path`` stays.

    Raises
    ------
    DiarizeError
        When the file cannot be written: no permission, disk full, a folder or a device at ``path``.
    """
    try:
        final = Path(path).resolve()  # writes through a symbolic link rather than over it
        strange = final.exists() and not final.is_file()
    except OSError as error:  # a name that is too long
        raise _unwritable(path, error) from error
    except ValueError as error:  # a NUL in the name, which no file can have
        raise DiarizeError(f"{str(path)!r}: cannot be written ({error})") from error
    if strange:  # renaming over /dev/null would replace the device itself
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
            raise  # another file's trouble, met while this one was being written
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _unwritable(path: str | Path, error: OSError) -> DiarizeError:
    return DiarizeError(f"{path}: cannot be written ({error.strerror or error})")
