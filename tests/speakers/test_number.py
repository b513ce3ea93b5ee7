"""The verifier as a second opinion on the number: a voice that wanders is one speaker, two voices are two."""

import numpy as np
import pytest

from diarize.config import ClusteringConfig, Config
from diarize.pipeline.labels import cluster_windows
from diarize.speakers.enrolment import Verifier
from diarize.speakers.number import cost_of_likeness
from diarize.speakers.plda import Backend

DIMS, N = 16, 30
BACKEND = Backend(np.eye(DIMS), np.full(DIMS, 4.0))
WANDERS = 0.5  # variance of a voice's mean, from one part of a recording to another
VERIFIER = Verifier(
    np.zeros(DIMS), BACKEND, np.array([0.75, WANDERS, 1.0, 0.0]), np.array([[0.1, 0.0], [0.01, 3.0]])
)


def parts(*distances: float, channel: float = 0.0) -> np.ndarray:
    """Windows (30 a part, 16): each part about a mean of its own, so far from one voice in one microphone."""
    random = np.random.default_rng(0)
    voice = channel + random.normal(0, 2.0, DIMS)
    means = [voice + random.normal(0, distance, DIMS) for distance in distances]
    return np.repeat(means, N, axis=0) + random.normal(size=(len(means) * N, DIMS))


def n_found(X: np.ndarray, verifier: Verifier | None, **settings: object) -> int:
    config = Config(clustering=ClusteringConfig(seconds_a_sample=0.75, **settings))
    return int(cluster_windows(X, config, "call", BACKEND, verifier)[1]["n_speakers"])


@pytest.mark.parametrize("channel", [0.0, 20.0])
def test_a_voice_that_wanders_is_one_and_two_voices_are_two(channel):
    wandering, three = parts(0.7, 0.7, 3.0, channel=channel), parts(3.0, 3.0, 3.0, channel=channel)
    assert n_found(wandering, None) == 3, "the evidence alone splits it"
    assert n_found(wandering, VERIFIER, one_person_weight=50.0) == 2
    assert n_found(three, None) == n_found(three, VERIFIER, one_person_weight=50.0) == 3


def test_who_asks_for_a_number_has_it():
    wandering = parts(0.7, 0.7, 3.0)
    assert n_found(wandering, VERIFIER, one_person_weight=1e4, n_speakers=3) == 3
    assert n_found(wandering, VERIFIER, one_person_weight=1e4, min_speakers=3) >= 3
    assert n_found(wandering, VERIFIER, one_person_weight=0.0) == 3


def test_two_alone_are_never_alike():
    assert n_found(parts(0.7, 0.7), VERIFIER, one_person_weight=1e4) == n_found(parts(0.7, 0.7), None) == 2


def test_the_cost_is_that_of_the_two_who_are_most_alike():
    labels, X = np.repeat([0, 1, 2], N), parts(0.0, 0.0, 4.0)
    cost = cost_of_likeness(X, VERIFIER, 5.0, 0.75, labels)
    assert cost > 5 * (4 - np.log(3))
    assert cost_of_likeness(X + 9, VERIFIER, 5.0, 0.75, labels) == pytest.approx(cost), "the microphone"
    assert cost_of_likeness(X, VERIFIER, 10.0, 0.75, labels) == pytest.approx(2 * cost)
    order = np.array([2, 0, 1])[labels]
    assert cost_of_likeness(X, VERIFIER, 5.0, 0.75, order) == pytest.approx(cost)
    assert cost_of_likeness(parts(4.0, 4.0, 4.0), VERIFIER, 5.0, 0.75, labels) == 0
