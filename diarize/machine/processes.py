"""Work on many items in several processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import parent_process
from threading import Thread
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from diarize.machine.threads import set_threads_of_process

T = TypeVar("T")
R = TypeVar("R")

_work: Callable[[Any], Any]
"""What this process does with an item; set as the process starts."""


def map_in_processes(
    start: Callable[[], Callable[[T], R]], items: Iterable[T], n_processes: int, *, chunksize: int = 1
) -> Iterator[R]:
    """What a function gives of each item, in their order, on several processes of one thread each.

    Parameters
    ----------
    start : callable
        Called once in each process; it gives the function, with what the function keeps, such as a network.
        It is sent to the processes, so it is a function of a module or a `functools.partial` of one.
    items : iterable
    n_processes : int
    chunksize : int
        How many items are sent to a process at a time.
    """
    with ProcessPoolExecutor(n_processes, initializer=_start, initargs=(start,)) as executor:
        yield from executor.map(_call, items, chunksize=chunksize)


def same(function: Callable[[T], R]) -> Callable[[T], R]:
    """The function, for ``start = partial(same, function)`` where it keeps nothing."""
    return function


def _start(start: Callable[[], Callable[[Any], Any]]) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Thread(target=_end_with_parent, daemon=True).start()
    threadpool_limits(1)
    set_threads_of_process(1)
    _work = start()


def _end_with_parent() -> None:
    """End this process when its parent is killed; otherwise it would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(item: Any) -> Any:
    return _work(item)
