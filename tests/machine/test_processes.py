"""Work in several processes: results in order, one function a process, and its threads."""

import os
import subprocess
from functools import partial

import pytest
import torch
from threadpoolctl import threadpool_info

from diarize.machine.processes import map_in_processes, same
from tests.preloaded import python


class Counter:
    """Counts how often it was called, in its process."""

    def __init__(self, step: int) -> None:
        self.step, self.n_calls = step, 0

    def __call__(self, item: int) -> tuple[int, int, int]:
        self.n_calls += 1
        return item * self.step, self.n_calls, os.getpid()


def threads(_: int) -> tuple[int, set[int]]:
    return torch.get_num_threads(), {library["num_threads"] for library in threadpool_info()}


def fail(item: int) -> int:
    raise ValueError(f"no {item}")


@pytest.mark.parametrize("n_processes", [1, 2])
@pytest.mark.parametrize("chunksize", [1, 3])
def test_results_are_in_order_and_each_process_has_a_function_of_its_own(n_processes, chunksize):
    found = list(map_in_processes(partial(Counter, 3), range(20), n_processes, chunksize=chunksize))
    assert [result for result, _, _ in found] == [3 * item for item in range(20)]
    calls: dict[int, list[int]] = {}
    for _, n_calls, process in found:
        calls.setdefault(process, []).append(n_calls)
    assert os.getpid() not in calls
    assert len(calls) <= n_processes
    for own in calls.values():
        assert own == list(range(1, len(own) + 1)), "one function for all its items"


def test_a_process_computes_on_one_thread_and_this_one_on_as_many_as_before():
    before = torch.get_num_threads()
    (found,) = map_in_processes(partial(same, threads), [0], 1)
    assert found == (1, {1})
    assert torch.get_num_threads() == before


def test_an_error_comes_through():
    with pytest.raises(ValueError, match="no 0"):
        list(map_in_processes(partial(same, fail), range(3), 1))


AFTER_THREADS = """
import torch
from functools import partial
from diarize.machine.processes import map_in_processes, same

def spectrum(_):
    window = torch.hann_window(512)
    return float(torch.stft(torch.ones(480_000), 512, 160, window=window, return_complex=True).abs().sum())

torch.set_num_threads(2)
expected = spectrum(0)
assert list(map_in_processes(partial(same, spectrum), range(3), 2)) == [expected] * 3
print("ended")
"""


def test_a_caller_that_has_used_several_threads_does_not_hang_its_processes(tmp_path):
    (tmp_path / "script.py").write_text(AFTER_THREADS)
    ended = subprocess.run(
        [python(), tmp_path / "script.py"], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.stdout == "ended\n", ended.stderr
