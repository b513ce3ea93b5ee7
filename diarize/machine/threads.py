"""One thread for torch, OpenMP and BLAS during a call; afterwards the previous numbers of threads.

Several threads add sums in another order; with one thread, the bytes are the same everywhere.

torch and OpenMP keep a number of threads for each calling thread, BLAS one for the process::

    call 1    |---- one thread ----|
    call 2           |---- one thread ----|
    BLAS    2 |1                          |2      restored when the last call ends
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch
from threadpoolctl import ThreadpoolController

_torch_lock = Lock()


def set_own_threads(number: int = 1) -> int:
    """Set the number of threads that torch uses for the calling thread; returns the previous number.

    torch also keeps a number for the process, which each thread takes when it first uses torch.
    `torch.set_num_threads` changes that number as well, so it is restored from another thread.
    """
    with _torch_lock:  # otherwise a thread that first uses torch now could take another call's number
        previous = torch.get_num_threads()
        if previous != number:
            with ThreadPoolExecutor(1) as fresh:  # a new thread has the number of the process
                of_process = fresh.submit(torch.get_num_threads).result()
                try:
                    torch.set_num_threads(number)
                finally:
                    fresh.submit(torch.set_num_threads, of_process).result()
    return previous


def set_threads_of_process(number: int) -> None:
    """Set the number of threads of torch, and of MKL in it, for all of a new process.

    A forked process does not have the threads that MKL had in its parent, and waits for them for ever if it
    may use several.
    """
    torch.set_num_threads(number)


def own_threads() -> int:
    """The number of threads that torch uses for the calling thread."""
    with _torch_lock:
        return torch.get_num_threads()


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch to one thread for the calling thread inside the block."""
    previous = set_own_threads(1)
    try:
        yield
    finally:
        set_own_threads(previous)


class _Limits:
    """The limit of BLAS and OpenMP to one thread, as long as at least one call needs it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_calls = 0
        self._shared: dict[str, tuple[Any, int]] = {}  # library and its previous number, by path
        self._controller: ThreadpoolController | None = None
        self._n_modules = 0

    def enter(self) -> list[tuple[Any, int]]:
        """Set one thread; returns the libraries that keep a number for each thread, with the previous one."""
        with self._lock:
            # A search for libraries locks the system's loader, so it is made only after new imports.
            if self._controller is None or self._n_modules != len(sys.modules):
                self._n_modules, self._controller = len(sys.modules), ThreadpoolController()
            own: list[tuple[Any, int]] = []
            # OpenMP first, because an OpenBLAS that is built on it reports its number.
            found = [
                each for each in self._controller.lib_controllers if each.num_threads
            ]  # 0 or None: built without threads
            for library in sorted(found, key=lambda each: each.user_api != "openmp"):
                if library.user_api == "openmp" or library.internal_api == "mkl":
                    own.append((library, library.num_threads))
                else:
                    self._shared.setdefault(library.filepath, (library, library.num_threads))
                _set_threads(library, 1)
            self._n_calls += 1
            return own

    def leave(self, own: list[tuple[Any, int]]) -> None:
        """Restore the numbers; those of the process only if no other call still needs one thread."""
        with self._lock:
            self._n_calls -= 1
            if self._n_calls == 0:
                for library, number in self._shared.values():
                    _set_threads(library, number)
                self._shared = {}
            for library, number in own:
                _set_threads(library, number)


_limits = _Limits()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS, and OpenMP for the calling thread, to one thread inside the block."""
    own = _limits.enter()
    try:
        yield
    finally:
        _limits.leave(own)


def _set_threads(library: Any, number: int) -> None:
    """Set the number of threads of a library found by threadpoolctl."""
    # From 3.8 on, the public method does nothing if another thread was the first to set OpenBLAS.
    getattr(library, "_real_set_num_threads", library.set_num_threads)(number)
