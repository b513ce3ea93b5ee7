"""The calibration of known voices on planted clips, and the sides of trials."""

import numpy as np
import pytest

from diarize.embedding.joined import JoinedModel, join_models
from diarize.speakers.enrolment import Verifier
from diarize.speakers.plda import Backend
from diarize.training.verifier import (
    CHANNELS,
    SHARES,
    EmbeddedClip,
    channel_copies,
    draw_sides,
    fit_verifier,
    make_trials,
    score_trials,
)

DIMS = 8
BACKEND = Backend(np.eye(DIMS), np.linspace(8, 1, DIMS))
CENTRE = np.zeros(DIMS)


def planted(n_speakers: int = 40, n_clips: int = 6, seed: int = 0):
    """Clips of four windows of 1 s; the first dimension of a clip's windows is its number."""
    random = np.random.default_rng(seed)
    clips, speakers = {}, {}
    for speaker in range(n_speakers):
        person = random.normal(0, np.sqrt(BACKEND.spread))
        for number in range(n_clips):
            name = f"{speaker:02d}-{number}"
            speakers[name] = f"s{speaker:02d}"
            session = person + np.sqrt(0.2) * random.normal(size=DIMS)
            for channel in CHANNELS:
                clips[name, channel] = EmbeddedClip(session + random.normal(size=(4, DIMS)), np.ones(4))
    return clips, speakers, dict.fromkeys(speakers, "en")


def test_no_clip_is_on_both_sides_and_seconds_are_as_asked():
    clips, speakers, groups = planted(5)
    for number, name in enumerate(speakers):
        for channel in CHANNELS:
            clips[name, channel].vectors[:] = 0
            clips[name, channel].vectors[:, 0] = 2.0 ** (number % 6)
    draws = draw_sides(clips, speakers, groups, (8.0, 8.0), 3, seed=0)
    assert len(draws) == 15
    for draw in draws:
        sides = [draw.enrolled["wideband"], draw.tested["far"]]
        assert [side.seconds for side in sides] == [8.0, 8.0]
        # Two clips a side: the sum of both means is that of four different powers of two.
        bits = f"{round(sum(2 * side.vector[0] for side in sides)):b}"
        assert bits.count("1") == 4
    assert draw_sides(clips, speakers, groups, (20.0, 8.0), 3, seed=0) == []


def test_scores_are_calibrated_and_the_tail_holds_on_other_speakers():
    conditions = {}
    for seed in (0, 1):
        clips, speakers, groups = planted(100, seed=seed)
        draws = draw_sides(clips, speakers, groups, (4.0, 2.0), 1, seed=0)
        conditions[seed] = [make_trials(draws, "wideband", "wideband")]
    verifier = fit_verifier(CENTRE, BACKEND, conditions[0])
    assert verifier.law[2] == pytest.approx(1.0, abs=0.5), "the model is true, so little is left to calibrate"
    assert verifier.tail[:, 0] == pytest.approx(SHARES)
    assert (np.diff(verifier.tail[:, 1]) >= 0).all()
    (trials,) = conditions[1]
    accepted = score_trials(verifier, trials) > verifier.threshold(0.03, 1)
    assert 0.01 < accepted[trials.different].mean() < 0.07
    assert accepted[trials.same].mean() > 0.8


def test_a_clip_has_a_copy_in_each_channel():
    random = np.random.default_rng(0)
    samples = random.normal(0, 0.1, 16000).astype(np.float32)
    noise, room = np.ones(800, np.float32), np.eye(1, 400, dtype=np.float32)[0]
    copies = dict(channel_copies(samples, [noise], [room], random))
    assert tuple(copies) == CHANNELS
    assert {len(copy) for copy in copies.values()} == {16000}
    spectrum = np.abs(np.fft.rfft(copies["telephone"]))
    assert spectrum[5000:].mean() < 0.1 * spectrum[500:3000].mean()


def test_a_joined_model_takes_the_verifier_of_one_of_its_models():
    random = np.random.default_rng(0)
    own = Verifier(
        np.ones(DIMS), BACKEND, np.array([2.0, 0.1, 1.0, 0.0]), np.array([[0.1, 0.0], [0.01, 1.0]])
    )
    other = Backend(np.eye(3), np.ones(3))
    joined = join_models([JoinedModel("a", "1", other), JoinedModel("b", "2", BACKEND, own)])
    vectors, rest = random.normal(size=(4, DIMS)), random.normal(size=(4, 3))
    both = np.concatenate([rest, vectors], axis=1) / np.sqrt(2)
    seconds = np.full(4, 5.0)
    np.testing.assert_allclose(
        joined.verifier.sides_of(both, seconds).sums, own.sides_of(vectors, seconds).sums
    )
    assert join_models([JoinedModel("a", "1", other), JoinedModel("b", "2", BACKEND)]).verifier is None
