"""Simulated conversations and made-up sounds: planted phrases come back where they were put."""

from itertools import pairwise

import numpy as np
import pytest

from diarize.audio import SAMPLE_RATE
from diarize.segments import Segment, Turn
from diarize.training.conversations import (
    Phrase,
    Placed,
    cut_phrases,
    interject,
    mix,
    say_again,
    take_turns,
    turns_of,
)
from diarize.training.sounds import SOUNDS


def phrase(seconds: float = 2.0, value: float = 0.1) -> Phrase:
    samples = np.full(round(seconds * SAMPLE_RATE), value, np.float32)
    return Phrase(samples, (Segment(0, seconds),))


def test_phrases_hold_as_much_speech_as_fits_and_begin_with_it():
    samples = np.ones(10 * SAMPLE_RATE, np.float32)
    speech = [Segment(1, 2), Segment(2.5, 3), Segment(4, 9), Segment(9.5, 9.75)]
    phrases = cut_phrases(samples, speech, longest=2.5)
    assert [one.speech for one in phrases] == [
        (Segment(0, 1), Segment(1.5, 2)),
        (Segment(0, 5),),
        (Segment(0, 0.25),),
    ]
    assert [len(one.samples) for one in phrases] == [2 * SAMPLE_RATE, 5 * SAMPLE_RATE, SAMPLE_RATE // 4]
    for one in phrases:
        assert one.samples[0] == one.samples[-1] == 0, "faded"
        assert one.samples[SAMPLE_RATE // 8] == 1
    assert samples.min() == 1, "the clip is left as it was"


@pytest.mark.parametrize("overlap", [0.0, 0.3])
def test_nobody_talks_over_himself_and_overlap_nears_its_share(overlap):
    random = np.random.default_rng(0)
    speakers = {name: [phrase(random.uniform(0.5, 3)) for _ in range(40)] for name in "abc"}
    placed = take_turns(speakers, 200, overlap, random)
    for name in speakers:
        own = [one for one in placed if one.speaker == name]
        assert all(later.start >= earlier.end for earlier, later in pairwise(own))
    turns = turns_of(placed, "a")
    held = np.zeros(round(210 / 0.01), int)
    for turn in turns:
        held[round(turn.segment.start / 0.01) : round(turn.segment.end / 0.01)] += 1
    share = (held > 1).sum() / (held > 0).sum()
    assert share == pytest.approx(overlap, abs=0.05)


def share_of_changes(placed: list[Placed]) -> float:
    return sum(one.speaker != other.speaker for one, other in pairwise(placed)) / (len(placed) - 1)


def test_speakers_continue_and_pause_as_asked():
    speakers = {name: [phrase(1.0)] * 300 for name in "abc"}
    for goes_on, pause in ((0.0, 0.2), (0.6, 1.0)):
        placed = take_turns(speakers, 250, 0, np.random.default_rng(0), goes_on=goes_on, pause=pause)
        assert share_of_changes(placed) == pytest.approx(1 - goes_on / 3, abs=0.08)
        pauses = [other.start - one.end for one, other in pairwise(placed)]
        assert np.median(pauses) == pytest.approx(pause, rel=0.15)


def test_one_speaker_may_dominate():
    random = np.random.default_rng(0)
    speakers = {name: [phrase(random.uniform(0.5, 3)) for _ in range(200)] for name in "abc"}
    placed = take_turns(speakers, 300, 0, random, dominant=0.8)
    said = {name: sum(one.end - one.start for one in placed if one.speaker == name) for name in speakers}
    assert said["a"] / sum(said.values()) == pytest.approx(0.8, abs=0.03)
    assert min(said["b"], said["c"]) > 10


def test_a_phrase_said_again_differs_a_little_and_its_speech_goes_along():
    random = np.random.default_rng(0)
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)
    samples = np.concatenate([np.zeros(SAMPLE_RATE), tone]).astype(np.float32)
    again = [say_again(Phrase(samples, (Segment(1, 3),)), random) for _ in range(8)]
    lengths = [len(one.samples) / len(samples) for one in again]
    assert len(set(lengths)) == 8
    assert 0.97 <= min(lengths) < 1 < max(lengths) <= 1.031
    for one in again:
        (segment,) = one.speech
        power = one.samples**2
        inside = power[round(segment.start * SAMPLE_RATE) : round(segment.end * SAMPLE_RATE)]
        assert inside.sum() > 0.999 * power.sum()
        assert one.samples.dtype == np.float32


def test_interjections_are_short_words_of_others_inside_a_phrase():
    random = np.random.default_rng(1)
    placed = [Placed(3.0 * i, "ab"[i % 2], phrase()) for i in range(40)]
    assert interject(placed, 0.0, 0.5, random) == placed
    added = interject(placed, 1.0, 0.5, random)[len(placed) :]
    assert len(added) == 40
    for one in added:
        (host,) = (other for other in placed if other.start <= one.start and one.end <= other.end + 1e-3)
        assert host.speaker != one.speaker
        assert one.end - one.start == pytest.approx(0.5)
    alone = [Placed(0.0, "a", phrase())]
    assert interject(alone, 1.0, 0.5, random) == alone


def test_voices_have_their_levels_and_places():
    placed = [
        Placed(0.5, "a", phrase(1.0)),
        Placed(2.0, "b", phrase(1.0, 0.7)),
        Placed(3.5, "b", phrase(1.0)),
    ]
    mixture = mix(placed, {"a": -20, "b": -40}, np.full(4 * SAMPLE_RATE, 0.001, np.float32))
    assert len(mixture) == 4 * SAMPLE_RATE, "what runs over the end is cut"
    for start, end, level in ((0, 0.5, 0), (0.5, 1.5, 0.1), (1.5, 2, 0), (2, 3, 0.01), (3.5, 4, 0.01)):
        part = mixture[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        np.testing.assert_allclose(part, level + 0.001, atol=1e-6)
    assert turns_of(placed, "x")[0] == Turn("x", Segment(0.5, 1.5), "a")


@pytest.mark.parametrize("make", SOUNDS)
def test_sounds_are_finite_short_and_of_full_peak(make):
    for seed in range(30):
        sound = make(np.random.default_rng(seed))
        assert sound.dtype == np.float32
        assert np.abs(sound).max() == pytest.approx(1)
        assert 0.04 < len(sound) / SAMPLE_RATE < 4.1
        assert np.array_equal(sound, make(np.random.default_rng(seed)))
