"""Disagreement of results under small changes."""

import re

import numpy as np
import pytest
from command_line import demo_samples
from helpers import write_small_model

from diarize.config import load_config
from diarize.tuning import Stability, measure_stability
from diarize.tuning.bench import Bench
from diarize.tuning.stability import format_table


class Samples:
    """A recording in memory."""

    def __init__(self, samples):
        self.name, self.samples = "talk", samples

    def blocks(self):
        return [self.samples]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(str(write_small_model(tmp_path_factory.mktemp("small"))))


@pytest.fixture(scope="module")
def found(bench):
    configs = {"default": load_config(), "one": load_config(None, {"clustering.n_speakers": 1})}
    return measure_stability(Samples(demo_samples(24.0)), configs, bench)


def test_each_change_has_its_disagreement(found):
    assert list(found.disagreement) == ["noise", "windows", "one", "part 1", "part 2"]
    assert all(0 <= each <= 2 for each in found.disagreement.values())
    assert found.mean == pytest.approx(np.mean(list(found.disagreement.values())))
    assert 15 < found.seconds < 26
    assert found.n_speakers[-1] == 1


def test_everything_one_speaker_disagrees_by_what_the_others_say(found):
    assert found.disagreement["one"] == 0 or found.n_speakers[0] > 1


def test_the_same_seed_gives_the_same_figures(bench, found):
    assert (
        measure_stability(Samples(demo_samples(24.0)), None, bench).disagreement["noise"]
        == (found.disagreement["noise"])
    )


def test_results_of_equal_settings_agree(bench):
    configs = {"one": load_config(None, {"clustering.n_speakers": 1})}
    again = configs | {"again": configs["one"]}
    found = measure_stability(Samples(demo_samples(16.0)), again, bench)
    assert found.disagreement["again"] == 0
    assert "part 1" not in found.disagreement  # 8 s are too short


def test_silence_agrees_with_silence(bench):
    found = measure_stability(Samples(np.zeros(16000 * 3, np.float32)), None, bench)
    assert (found.mean, found.seconds, set(found.n_speakers)) == (0, 0, {0})


def test_the_table_has_the_least_stable_first():
    rows = [
        Stability("good", {"noise": 0.0, "part 1": 0.02}, [2, 2], 61.2),
        Stability("bad", {"noise": 0.5}, [2, 3], 3.0),
    ]
    text = format_table(rows)
    assert re.findall(r"^\| (\w+) +\|", text, re.MULTILINE) == ["recording", "bad", "good"]
    assert "| bad       | 50.0 |  50.0 |      - |      2-3 |           3 |" in text
    assert "| good      |  1.0 |   0.0 |    2.0 |        2 |          61 |" in text
