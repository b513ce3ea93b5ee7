"""The likeliest path through short windows, against all paths, and on planted voices."""

from itertools import product

import numpy as np
import pytest

from diarize.config import ClusteringConfig, Config, ResegmentationConfig
from diarize.embedding.record import Voices
from diarize.pipeline.resegmentation import label_pieces
from diarize.pipeline.viterbi import likeliest_path, posteriors
from diarize.segments import Segment
from diarize.speakers.plda import Backend
from diarize.speech.windows import nearest_windows, sliding_windows

MODEL = Backend(np.eye(8), np.full(8, 9.0))


@pytest.mark.parametrize("seed", range(5))
def test_no_path_is_likelier(seed):
    random = np.random.default_rng(seed)
    scores, cost = random.normal(size=(6, 3)), random.uniform(0, 1)

    def total(path: tuple[int, ...]) -> float:
        return scores[range(6), path].sum() - cost * np.count_nonzero(np.diff(path))

    best = max(product(range(3), repeat=6), key=total)
    assert likeliest_path(scores, cost).tolist() == list(best)


def test_a_change_costs_what_it_says():
    scores = np.array([[1.0, 0], [0, 1], [1, 0]])
    assert likeliest_path(scores, 0.4).tolist() == [0, 1, 0]
    assert likeliest_path(scores, 0.6).tolist() == [0, 0, 0]
    assert likeliest_path(scores[:1], 0.6).tolist() == [0]


def test_the_nearest_window_is_the_one_with_the_nearest_middle():
    windows = [Segment(0, 2), Segment(1, 1.5), Segment(4, 6)]
    pieces = [Segment(0, 0.5), Segment(1.1, 1.2), Segment(3, 3.2), Segment(5, 9)]
    distances = [[abs(piece.middle - window.middle) for window in windows] for piece in pieces]
    found = nearest_windows([piece.middle for piece in pieces], windows)
    assert found.tolist() == np.argmin(distances, axis=1).tolist()
    assert nearest_windows([1.0, 2.0, 3.0, 4.0], windows[:1]).tolist() == [0, 0, 0, 0]


def talk(window: Segment) -> np.ndarray:
    """A window's vector in a talk of two voices that take turns of 4.3 s: the mean over the voices in it."""
    voices = np.random.default_rng(3).normal(0, 3, (2, 8))
    times = np.linspace(window.start, window.end, 50)
    return voices[(times // 4.3).astype(int) % 2].mean(axis=0)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_turns_begin_where_they_do(noise):
    random = np.random.default_rng(0)
    speech = [Segment(0, 12.9)]

    def embed(windows: list[Segment]) -> np.ndarray:
        return np.array([talk(each) for each in windows]) + noise * random.normal(size=(len(windows), 8))

    windows, pieces = sliding_windows(speech), sliding_windows(speech, 0.75, 0.25)
    labels = np.array([int(window.middle // 4.3) % 2 for window in windows])
    config = Config(clustering=ClusteringConfig(seconds_a_sample=1.0))
    found = label_pieces(Voices(windows, embed(windows), pieces, embed(pieces)), labels, MODEL, config)
    wrong = [
        piece for piece, label in zip(pieces, found, strict=True) if int(piece.middle // 4.3) % 2 != label
    ]
    # Half a hop from the border either side is open.
    assert all(min(abs(piece.middle - border) for border in (4.3, 8.6)) < 0.13 for piece in wrong)


def test_nobody_is_lost():
    windows = [Segment(0, 2), Segment(2, 4), Segment(4, 6)]
    pieces = [Segment(start, start + 0.75) for start in np.arange(0, 5.3, 0.25)]
    vectors = np.zeros((3, 8))
    vectors[1, 0] = 0.01
    dear = Config(resegmentation=ResegmentationConfig(change_cost=1000))
    voices = Voices(windows, vectors, pieces, np.zeros((len(pieces), 8)))
    found = label_pieces(voices, np.array([0, 1, 0]), MODEL, dear)
    assert {*found} == {0, 1}
    assert all(2 <= piece.middle <= 4 for piece, label in zip(pieces, found, strict=True) if label == 1)


def test_one_speaker_has_all():
    windows, pieces = [Segment(0, 2)], [Segment(0, 1), Segment(1, 2)]
    voices = Voices(windows, np.ones((1, 8)), pieces, np.ones((2, 8)))
    found = label_pieces(voices, np.zeros(1, int), MODEL, Config())
    assert found.tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_posteriors_are_sums_over_all_paths(seed):
    random = np.random.default_rng(seed)
    scores, cost = random.normal(size=(5, 3)), random.uniform(0, 2)
    expected = np.zeros((5, 3))
    for path in product(range(3), repeat=5):
        weight = np.exp(scores[range(5), path].sum() - cost * np.count_nonzero(np.diff(path)))
        expected[range(5), path] += weight
    np.testing.assert_allclose(posteriors(scores, cost), expected / expected.sum(axis=1, keepdims=True))
