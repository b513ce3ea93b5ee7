"""The novelty of a recording: about 1 for speakers of the model, more where all of them are moved one way."""

import logging

import numpy as np
import pytest

from diarize.config import ClusteringConfig, Config
from diarize.embedding.record import Voices
from diarize.pipeline.diarizer import _warn_of_novelty
from diarize.pipeline.labels import label
from diarize.segments import Segment
from diarize.speakers.enrolment import Verifier
from diarize.speakers.novelty import CHANNEL, novelty
from diarize.speakers.plda import Backend
from diarize.speech.detect import Heard

DIMS, N = 64, 40
SPREAD = np.linspace(4.0, 0.5, DIMS)
CENTRE = np.random.default_rng(1).normal(size=DIMS)
BACKEND = Backend(np.eye(DIMS), SPREAD)
VERIFIER = Verifier(CENTRE, BACKEND, np.array([1.0, 0.1, 1.0, 0.0]), np.array([[0.1, 0.0], [0.01, 3.0]]))


def recording(n_speakers: int, moved: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Windows (n_windows, dims) of speakers about the centre, and their labels; all are moved one way."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_speakers), N)
    voices = random.normal(0, np.sqrt(SPREAD), (n_speakers, DIMS))
    channel = random.normal(0, np.sqrt(CHANNEL), DIMS) + moved
    return CENTRE + channel + voices[labels] + random.normal(size=(len(labels), DIMS)), labels


def novelties(n_speakers: int, moved: float = 0.0) -> np.ndarray:
    made = [recording(n_speakers, moved, seed) for seed in range(20)]
    return np.array([novelty(X, labels, 60.0, BACKEND, VERIFIER) for X, labels in made])


@pytest.mark.parametrize("n_speakers", [1, 2, 8])
def test_speakers_of_the_model_have_a_novelty_of_about_one(n_speakers):
    assert np.median(novelties(n_speakers)) == pytest.approx(1.1, abs=0.25)


@pytest.mark.parametrize("n_speakers", [1, 2, 8])
def test_a_sound_that_moves_all_of_them_shows(n_speakers):
    assert novelties(n_speakers, moved=1.5).min() > novelties(n_speakers).max()


def test_neither_the_order_nor_the_numbers_of_labels_count():
    X, labels = recording(3)
    order = np.random.default_rng(0).permutation(len(X))
    expected = novelty(X, labels, 60.0, BACKEND, VERIFIER)
    assert novelty(X[order], 2 - labels[order], 60.0, BACKEND, VERIFIER) == pytest.approx(expected)


def test_little_speech_has_none():
    X, labels = recording(1)
    assert novelty(X, labels, 3.9, BACKEND, VERIFIER) is None
    assert novelty(X[:0], labels[:0], 60.0, BACKEND, VERIFIER) is None


def labelled(moved: float, **settings: object) -> dict:
    X, _ = recording(2, moved)
    windows = [Segment(0.75 * i, 0.75 * i + 1.5) for i in range(len(X))]
    heard = Heard([Segment(0, windows[-1].end)], [], [], windows[-1].end)
    config = Config(clustering=ClusteringConfig(**settings))
    return label(Voices(windows, X.astype(np.float32)), heard, BACKEND, config, "call", VERIFIER).evidence


def test_the_evidence_has_it_and_a_warning_follows(caplog):
    usual, odd = labelled(0.0, novelty_limit=2.0), labelled(2.0, novelty_limit=2.0)
    assert usual["novelty"]["score"] < usual["novelty"]["limit"] == 2.0 < odd["novelty"]["score"]
    caplog.set_level(logging.WARNING)
    _warn_of_novelty("call", usual)
    assert not caplog.messages
    _warn_of_novelty("call", odd)
    assert caplog.messages[0].startswith("call: sounds unlike the training speech (novelty ")


def test_none_disables_it():
    assert "novelty" not in labelled(2.0, novelty_limit=None)
