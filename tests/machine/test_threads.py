"""A call changes no state of the process that outlives it; overlapping calls give the bytes of others."""

import decimal
import gc
import locale
import logging
import os
import random
import signal
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Barrier, Event

import matplotlib
import numpy as np
import pytest
import torch
from helpers import small_model
from planted import curve_without_seconds, pack_speakers, tiny_network
from safetensors.torch import load_file
from threadpoolctl import ThreadpoolController, threadpool_limits

from diarize import Diarizer, Embedder
from diarize.audio import load_audio, stream_audio
from diarize.audio.progress import ignore
from diarize.config import Config
from diarize.errors import AudioError
from diarize.machine.threads import one_blas_thread, one_thread, own_threads, set_own_threads
from diarize.networks.saliency import saliency
from diarize.report.figures import plot_similarity
from diarize.report.style import to_svg
from diarize.training.embedding_training import train_embedding
from diarize.training.objectives import read_loss
from diarize.training.optimizers import TrainingConfig

N_CALLS = 4


def in_new_thread(function):
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(function).result()


def blas_numbers() -> list[int]:
    return [lib.num_threads for lib in ThreadpoolController().lib_controllers if lib.user_api == "blas"]


def openmp_numbers() -> list[int]:
    return [lib.num_threads for lib in ThreadpoolController().lib_controllers if lib.user_api == "openmp"]


@pytest.fixture(autouse=True)
def _several_threads():
    """Three threads for torch and BLAS, whatever the environment says."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    with threadpool_limits(3, user_api="blas"):
        assert blas_numbers()
        assert set(blas_numbers()) == {3}
        yield
    torch.set_num_threads(before)


def numbers_everywhere() -> dict[str, object]:
    return {
        "torch here": torch.get_num_threads(),
        "torch in a new thread": in_new_thread(torch.get_num_threads),
        "BLAS here": blas_numbers(),
        "BLAS in a new thread": in_new_thread(blas_numbers),
        "OpenMP here": openmp_numbers(),
        "OpenMP in a new thread": in_new_thread(openmp_numbers),
        "OpenMP where torch is used": in_new_thread(lambda: (torch.get_num_threads(), openmp_numbers())),
    }


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def samples(demo_recording):
    return load_audio(demo_recording)[: 12 * 16000]


def result_of(diarizer, samples, hook=ignore):
    found = diarizer(samples, rate=16000, hook=hook)
    return found.to_json(), found.embeddings.vectors.tobytes()


# Calls


@pytest.mark.parametrize("detector", ["silero", "energy"])
def test_four_overlapping_calls_give_the_bytes_of_four_in_a_row(model, samples, detector):
    """Two overlapping calls left torch and BLAS at one thread for good."""
    config = Config.model_validate({"speech": {"detector": detector}})
    diarizer = Diarizer(model, config=config, threads=2)
    parts = [samples[: (6 + 2 * number) * 16000] for number in range(N_CALLS)]
    in_a_row = [result_of(diarizer, part) for part in parts]
    before = numbers_everywhere()
    assert before["torch here"] == before["torch in a new thread"] == 3

    together = Barrier(N_CALLS)
    waited: set[tuple[int, str]] = set()

    def call(number):
        def wait(stage, record):
            if stage not in ("hear", "embed") or (number, stage) in waited:
                return
            waited.add((number, stage))
            together.wait()

        found = result_of(diarizer, parts[number], wait)
        return found, torch.get_num_threads(), openmp_numbers()

    with ThreadPoolExecutor(N_CALLS) as executor:
        done = list(executor.map(call, range(N_CALLS)))
    assert {stage for _, stage in waited} == {"hear", "embed"}
    assert [each[0] for each in done] == in_a_row
    assert [each[1:] for each in done] == [before["OpenMP where torch is used"]] * N_CALLS
    assert numbers_everywhere() == before


@pytest.mark.parametrize("where", ["here", "in a worker"])
def test_a_call_leaves_all_numbers_of_threads_as_they_were(model, samples, where):
    before = numbers_everywhere()
    diarizer = Diarizer(model, threads=2)

    def call():
        started_with = own_threads()
        diarizer(samples, rate=16000)
        Embedder(model)(samples, rate=16000, whole=True)
        return started_with, own_threads()

    assert (call() if where == "here" else in_new_thread(call)) == (3, 3)
    assert numbers_everywhere() == before


def test_a_thread_that_meets_torch_during_a_call_has_the_number_of_the_process(model, samples):
    """It took over the one thread of the call, and kept it."""
    found = []
    Diarizer(model, threads=2)(
        samples, rate=16000, hook=lambda *_: found.append(in_new_thread(torch.get_num_threads))
    )
    assert len(found) > 2
    assert set(found) == {3}


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("stage", ["hear", "embed"])
def test_a_call_that_fails_leaves_the_numbers_as_they_were(model, samples, stage, error):
    before = numbers_everywhere()

    def fail(at, record):
        if at == stage:
            raise error

    with pytest.raises(error):
        Diarizer(model, threads=2)(samples, rate=16000, hook=fail)
    assert numbers_everywhere() == before


def test_a_recording_that_cannot_be_read_leaves_the_numbers_as_they_were(model, samples):
    before = numbers_everywhere()
    samples = samples.copy()
    samples[-1] = np.nan
    with pytest.raises(AudioError):
        Diarizer(model, threads=2)(samples, rate=16000)
    assert numbers_everywhere() == before


# The two contexts


@contextmanager
def both():
    with one_thread(), one_blas_thread():
        yield


@pytest.mark.parametrize("first_to_leave", [0, 1])
def test_a_number_comes_back_in_whatever_order_calls_end(first_to_leave):
    before = numbers_everywhere()
    entered = [Event(), Event()]
    leave = [Event(), Event()]
    left = [Event(), Event()]

    def call(number):
        if number == 1:
            entered[0].wait()  # this thread meets torch for the first time during the other call
        with both():
            inside = torch.get_num_threads(), set(blas_numbers()), set(openmp_numbers())
            entered[number].set()
            leave[number].wait()
        left[number].set()
        return inside, torch.get_num_threads(), openmp_numbers()

    with ThreadPoolExecutor(2) as executor:
        calls = [executor.submit(call, number) for number in (0, 1)]
        entered[1].wait()
        assert numbers_everywhere() == before | {
            "BLAS here": [1] * len(blas_numbers()),
            "BLAS in a new thread": [1] * len(blas_numbers()),
        }
        leave[first_to_leave].set()
        left[first_to_leave].wait()
        assert set(blas_numbers()) == {1}, "the other call still needs one thread"
        leave[1 - first_to_leave].set()
        results = [each.result() for each in calls]
    assert [each[0] for each in results] == [(1, {1}, {1})] * 2
    assert [each[1:] for each in results] == [before["OpenMP where torch is used"]] * 2
    assert numbers_everywhere() == before


@pytest.mark.parametrize("context", [one_thread, one_blas_thread, both])
def test_contexts_within_contexts_and_errors_in_them(context):
    before = numbers_everywhere()

    def fail_inside():
        with context(), context():
            with context():
                pass
            inside.update(numbers_everywhere())
            raise ZeroDivisionError

    inside: dict[str, object] = {}
    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert inside["torch here"] == 1
    assert set(inside["BLAS here"]) == ({3} if context is one_thread else {1})
    assert numbers_everywhere() == before


def test_each_thread_keeps_a_number_of_its_own():
    def own():
        torch.get_num_threads()  # from now on this thread has a number of its own
        torch.set_num_threads(2)
        torch_wide(3)
        with one_thread():
            assert torch.get_num_threads() == 1
        return torch.get_num_threads()

    def torch_wide(number):
        in_new_thread(lambda: torch.set_num_threads(number))

    assert in_new_thread(own) == 2
    assert in_new_thread(torch.get_num_threads) == 3


def test_setting_a_threads_number_gives_the_previous_one():
    def change():
        return set_own_threads(2), set_own_threads(2), set_own_threads(1), own_threads()

    assert in_new_thread(change) == (3, 2, 2, 1)
    assert torch.get_num_threads() == 3


def test_blas_is_limited_where_another_thread_was_the_first_to_set_it():
    """threadpoolctl 3.8 ignores every thread but the first."""
    with threadpool_limits(2, user_api="blas"):

        def inside():
            with one_blas_thread():
                return set(blas_numbers())

        assert in_new_thread(inside) == {1}
        assert set(blas_numbers()) == {2}


def test_a_library_that_is_loaded_during_a_call_is_limited_by_the_next(monkeypatch):
    """The libraries are looked for again where modules are new."""
    looked = []

    class Controller(ThreadpoolController):
        def __init__(self):
            looked.append(len(sys.modules))
            super().__init__()

    monkeypatch.setattr("diarize.machine.threads.ThreadpoolController", Controller)
    monkeypatch.setattr("diarize.machine.threads._limits._controller", None)
    with one_blas_thread(), one_blas_thread():
        pass
    assert len(looked) == 1
    monkeypatch.setitem(sys.modules, "a_new_module", sys)
    with one_blas_thread():
        pass
    assert len(looked) == 2


# What else is of the whole process


def process_state() -> dict[str, object]:
    """What a library may change for everybody, and must not."""
    mask = os.umask(0)
    os.umask(mask)
    loggers = [logging.getLogger(), logging.getLogger("diarize")]
    return {
        "warnings": list(warnings.filters),
        "logging": [(each.level, list(each.handlers), each.disabled) for each in loggers],
        "numpy errors": np.geterr(),
        "numpy printing": np.get_printoptions(),
        "numpy random": [np.asarray(part).tolist() for part in np.random.get_state()],  # noqa: NPY002
        "random": random.getstate(),
        "torch random": torch.get_rng_state().tolist(),
        "torch": (torch.is_grad_enabled(), torch.get_default_dtype(), torch.backends.cudnn.enabled),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "figures": dict(matplotlib.rcParams),
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109
        "umask": mask,
        "decimal": repr(decimal.getcontext()),
        "locale": locale.setlocale(locale.LC_ALL),
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "path": list(sys.path),
        "limits": (sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits()),
        "garbage": gc.isenabled(),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "hooks": (sys.excepthook, sys.unraisablehook),
        **numbers_everywhere(),
    }


def use_everything(model, network, samples, folder):
    found = Diarizer(model, threads=2)(samples, rate=16000, n_speakers=2)
    found.to_rttm(folder / "a.rttm")
    found.to_json(folder / "a.json")
    found.embeddings.save(folder / "a.parquet")
    vectors = found.embeddings.vectors
    to_svg(plot_similarity(vectors, ["a"] * len(vectors)), "a", "a")
    saliency(network, np.zeros((60, 24), np.float32))


def test_calls_leave_the_process_as_they_found_it(model, samples, tmp_path):
    network = tiny_network().eval()
    use_everything(model, network, samples, tmp_path)  # what is imported at first may change the process
    before = process_state()
    use_everything(model, network, samples, tmp_path)
    after = process_state()
    assert {name: after[name] for name in after if after[name] != before[name]} == {}


def test_a_training_leaves_the_random_numbers_of_others_alone(tmp_path):
    tiny_network("blstm")
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = torch.rand(3)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    packed = pack_speakers(tmp_path / "packed")
    network = tiny_network("blstm")
    torch.set_rng_state(state)
    config = TrainingConfig(
        n_steps=3, batches="sentences", batch_size=24, seconds=(0.2, 0.2), mixed_precision=False
    )
    train_embedding(
        network, packed, config, tmp_path / "exp", loss=read_loss({"kind": "cross-entropy"}, "test")
    )
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


def test_two_trainings_side_by_side_are_two_in_a_row(tmp_path):
    """Dropout draws from torch's generator, which is of the process."""
    packed = pack_speakers(tmp_path / "packed")
    together = Barrier(2)
    networks = [[tiny_network("blstm"), tiny_network("blstm")] for _ in range(2)]

    def run(number, folder, at_once):
        config = TrainingConfig(
            n_steps=8, batches="sentences", batch_size=24, seconds=(0.2, 0.2), seed=number + 1, save_every=1,
            warm_up=0, mixed_precision=False,
        )  # fmt: skip

        def meet(step, network):
            if at_once:
                together.wait()
            return {}

        network = networks[at_once][number]
        loss = read_loss({"kind": "cross-entropy"}, "test")
        train_embedding(network, packed, config, tmp_path / folder, loss=loss, on_checkpoint=meet)
        weights = load_file(tmp_path / folder / "checkpoint.safetensors")
        return curve_without_seconds(tmp_path / folder), {
            name: each.tolist() for name, each in weights.items()
        }

    alone = [run(number, f"alone{number}", at_once=False) for number in range(2)]
    with ThreadPoolExecutor(2) as executor:
        both = list(executor.map(lambda number: run(number, f"both{number}", at_once=True), range(2)))
    assert both == alone


def test_figures_drawn_side_by_side_leave_the_settings_of_matplotlib():
    before = dict(matplotlib.rcParams)
    vectors = np.random.default_rng(0).normal(size=(12, 4))

    def draw(number):
        return to_svg(plot_similarity(vectors, ["a", "b"] * 6), "a", "title")

    alone = draw(0)
    with ThreadPoolExecutor(N_CALLS) as executor:
        assert list(executor.map(draw, range(4 * N_CALLS))) == [alone] * 4 * N_CALLS
    assert dict(matplotlib.rcParams) == before


def test_a_stream_that_is_left_in_the_middle_changes_nothing_for_who_reads_it():
    """The conversion to float32 ignored overflows, and so did the reader while a block was open."""
    before = np.geterr()
    blocks = stream_audio(np.zeros(200_000), rate=16000, block=1.0)
    next(blocks)
    assert np.geterr() == before
    blocks.close()
    assert np.geterr() == before


def test_streams_side_by_side_in_one_thread(samples):
    with ExitStack() as stack:
        first = stream_audio(samples, rate=16000, block=1.0)
        second = stream_audio(samples, rate=16000, block=1.0)
        stack.callback(first.close)
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, other)
