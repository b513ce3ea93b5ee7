"""Work on the items of a stream in a thread that is ahead of their consumer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from diarize.machine.threads import set_own_threads

T = TypeVar("T")
R = TypeVar("R")

ITEMS_AHEAD = 6
"""Most items that wait for the consumer or for `work`."""


@contextmanager
def work_ahead(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[Iterator[tuple[T, R]]]:
    """Each item with the result of `work`, in order; with two threads or more, `work` has its own thread.

    ::

        items, consumer     take 1, take 2, ...    use 1      take   use 2      take
        work                       === 1 ===|=== 2 ===|=== 3 ===|=== 4 ===|

    `work` is called in order, for one item at a time, so it may keep a state. In its thread, torch uses one
    thread. The items are taken in the thread of the consumer, so their errors are raised there and what they
    report comes from there. An error of `work` is raised in place of its result. The thread ends with the
    block.
    """
    if threads < 2:
        yield ((item, work(item)) for item in items)
        return
    executor = ThreadPoolExecutor(1, initializer=set_own_threads)
    try:
        yield _submitted(executor, work, items)
    finally:
        executor.shutdown(cancel_futures=True)


def _submitted(
    executor: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T]
) -> Iterator[tuple[T, R]]:
    pending: deque[tuple[T, Future[R]]] = deque()
    for item in items:
        pending.append((item, executor.submit(work, item)))
        if len(pending) > ITEMS_AHEAD:
            first, result = pending.popleft()
            yield first, result.result()
    while pending:
        first, result = pending.popleft()
        yield first, result.result()
