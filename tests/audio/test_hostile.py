"""Every input of hostile_audio.py is read, or is an error of one line; the script labels them as well."""

import threading

import hostile_audio as hostile
import numpy as np
import pytest
import soundfile
from command_line import call, complaint, demo_samples
from helpers import write_small_model

from diarize.audio import load_audio, stream_audio
from diarize.errors import AudioError

CASES = [case for case in hostile.all_cases() if "hours" not in case.name]
SPEECH = demo_samples(4.0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(f"{case.group}: {case.name}"))
@pytest.mark.filterwarnings("error")
def test_a_hostile_recording_is_read_or_told(case, tmp_path):
    path = case.make(tmp_path)
    actor = threading.Thread(target=hostile.quietly, args=(case.act, path))
    actor.start()
    told = []
    try:
        assert sum(map(len, stream_audio(path))) > 0
    except AudioError as error:
        told.append(str(error))
    finally:
        actor.join()
    assert not any("\n" in message or str(path) not in message for message in told)


def test_there_are_inputs_of_every_container():
    assert len(CASES) > 400
    for group in ("truncated", "bits flipped"):
        names = {case.name.split()[0].strip(",") for case in CASES if case.group == group}
        assert names == set(hostile.CONTAINERS)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("small"))


def with_sample(value, channels=1):
    samples = np.repeat(SPEECH[:, None], channels, axis=1).astype(np.float64)
    samples[16000, channels - 1] = value
    return samples


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("value", [1e30, -3e38, 1.1e10])
def test_a_sample_that_is_absurdly_large_is_told(value, subtype, model, tmp_path):
    """A flipped bit in a float's exponent made embeddings of nan, and a traceback."""
    path = tmp_path / "a.wav"
    soundfile.write(path, with_sample(value), 16000, subtype=subtype)
    line = complaint(call("run", path, "--model", model))
    assert line == f"{path}: the sample at 1.000 s is {value:g}; export it again"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [3e38, 1e30, np.inf, np.nan])
def test_so_is_one_in_one_of_several_channels(value):
    """NumPy warned of an overflow, which no user can make anything of."""
    with pytest.raises(AudioError, match=r"^array: the sample at 1.000 s is .*; export it again$"):
        load_audio(with_sample(value, 2), rate=16000)
    with pytest.raises(AudioError, match=r"^array: the sample at 1.000 s is .*; export it again$"):
        load_audio(with_sample(value, 8), rate=16000)


def test_integers_stored_as_floats_are_no_absurd_samples():
    assert len(load_audio(with_sample(0.5) * 2.0**31, rate=16000)) == len(SPEECH)
