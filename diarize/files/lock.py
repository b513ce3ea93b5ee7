"""Locks between processes: files that the system unlocks when their process ends, however it ends."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diarize.errors import DiarizeError

logger = logging.getLogger(__name__)

_TRIES, _PAUSE = 3, 0.1  # a process that only looks holds a lock for a moment
_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW  # a link could lead to another file, which would be emptied
_UNSUPPORTED = "%s: this file system has no locks; make sure that no other run writes into the folder"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file inside the block. The file names the process and is removed afterwards.

    Raises
    ------
    DiarizeError
        If another process holds it, or the file cannot be written.
    """
    try:
        descriptor = _lock(path)
    except BlockingIOError as error:
        owner = path.read_text(encoding="utf-8") if path.exists() else "another process"
        raise DiarizeError(f"{path.parent}: {owner} writes into this folder; wait until it ends") from error
    except OSError as error:
        raise DiarizeError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of a file."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:  # no such file
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False


def _lock(path: Path) -> int:
    """The descriptor of the locked file."""
    for left in reversed(range(_TRIES)):
        descriptor = os.open(path.absolute(), _FLAGS | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
        except BlockingIOError:
            if not left:
                os.close(descriptor)
                raise
        except OSError:
            logger.warning(_UNSUPPORTED, path.parent)
            return descriptor
        os.close(descriptor)  # its owner removed it, or holds it
        time.sleep(_PAUSE)
    raise BlockingIOError
