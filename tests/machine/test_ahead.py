"""Work ahead of a consumer: in order, bounded, and its thread ends with the block."""

import threading

import pytest

from diarize.errors import AudioError, ModelError
from diarize.machine.ahead import ITEMS_AHEAD, work_ahead


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n_items", [0, 1, 40])
def test_results_come_in_order_and_a_bounded_number_waits(threads, n_items):
    taken, calls = [], []

    def items():
        for item in range(n_items):
            taken.append(threading.current_thread())
            yield item

    def work(item):
        calls.append((item, threading.current_thread()))
        return item**2

    with work_ahead(work, items(), threads) as pairs:
        for number, pair in enumerate(pairs):
            assert pair == (number, number**2)
            assert len(taken) - number <= ITEMS_AHEAD + 1
    assert [item for item, _ in calls] == list(range(n_items))
    here = threading.current_thread()
    assert all(thread is here for thread in taken)
    assert len({thread for _, thread in calls}) == (n_items > 0)
    assert all((thread is here) == (threads == 1) for _, thread in calls)


@pytest.mark.parametrize("threads", [1, 2])
def test_errors_arrive_in_the_consumer_and_the_thread_ends(threads):
    before = set(threading.enumerate())

    def broken():
        yield 1
        raise AudioError("a.wav: 0 samples")

    def refuse(item):
        raise ModelError("no network")

    def consume(work, items, error=None):
        with work_ahead(work, items, threads) as pairs:
            for _ in pairs:
                if error is not None:
                    raise error

    for work, items, error, expected in [
        (str, broken(), None, AudioError),
        (refuse, range(99), None, ModelError),
        (str, iter(int, 1), KeyboardInterrupt(), KeyboardInterrupt),  # items without end
    ]:
        with pytest.raises(expected):
            consume(work, items, error)
        assert set(threading.enumerate()) == before


def test_a_consumer_that_stops_early_ends_the_thread():
    before, done = set(threading.enumerate()), []
    with work_ahead(done.append, iter(int, 1), 2) as pairs:
        next(pairs)
    assert 1 <= len(done) <= ITEMS_AHEAD + 1
    assert set(threading.enumerate()) == before
