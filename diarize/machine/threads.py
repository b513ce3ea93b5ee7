"""One thread for what torch, OpenMP and BLAS compute, and the previous numbers of threads afterwards.

Sums over several threads are added in another order: with one the bytes are the same everywhere.

torch and OpenMP keep a number for each thread, BLAS one for the process::

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
    """Set on how many threads torch computes what the calling thread asks for; gives the previous number.

    torch has one more number, of the process: a thread takes it over when it first uses torch.
    `torch.set_num_threads` changes that one as well, so another thread puts it back.
    """
    with _torch_lock:  # or this thread, when it first uses torch, could take over another call's number
        previous = torch.get_num_threads()
        if previous != number:
            with ThreadPoolExecutor(1) as fresh:  # a new thread has the process's number
                of_process = fresh.submit(torch.get_num_threads).result()
                try:
                    torch.set_num_threads(number)
                finally:
                    fresh.submit(torch.set_num_threads, of_process).result()
    return previous


def own_threads() -> int:
    """On how many threads torch computes what the calling thread asks for."""
    with _torch_lock:
        return torch.get_num_threads()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread what the calling thread asks for."""
    previous = set_own_threads(1)
    try:
        yield
    finally:
        set_own_threads(previous)


class _Limits:
    """One thread for BLAS and OpenMP, as long as a call needs it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_calls = 0
        self._shared: dict[str, tuple[Any, int]] = {}  # library and its number, by path
        self._controller: ThreadpoolController | None = None
        self._n_modules = 0

    def enter(self) -> list[tuple[Any, int]]:
        """Set one thread; gives the libraries that keep a number for each thread, and that of this one."""
        with self._lock:
            # A search for libraries locks the system's loader, so one is made only where modules are new.
            if self._controller is None or self._n_modules != len(sys.modules):
                self._n_modules, self._controller = len(sys.modules), ThreadpoolController()
            own: list[tuple[Any, int]] = []
            # OpenMP first: an OpenBLAS that is built on it shows its number.
            found = [
                each for each in self._controller.lib_controllers if each.num_threads
            ]  # not built for one
            for library in sorted(found, key=lambda each: each.user_api != "openmp"):
                if library.user_api == "openmp" or library.internal_api == "mkl":
                    own.append((library, library.num_threads))
                else:
                    self._shared.setdefault(library.filepath, (library, library.num_threads))
                _set_threads(library, 1)
            self._n_calls += 1
            return own

    def leave(self, own: list[tuple[Any, int]]) -> None:
        """Restore the numbers, those of the process unless another call still needs one thread."""
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
    """Let BLAS compute on one thread, and OpenMP what the calling thread asks for."""
    own = _limits.enter()
    try:
        yield
    finally:
        _limits.leave(own)


def _set_threads(library: Any, number: int) -> None:
    """Set the number of threads of a library of threadpoolctl."""
    # From 3.8 on the public method does nothing where another thread was the first to set OpenBLAS.
    getattr(library, "_real_set_num_threads", library.set_num_threads)(number)
