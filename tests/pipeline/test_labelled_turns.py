"""Turns from labelled segments: the last stage of the pipeline, with records of the caller's own."""

import numpy as np

from diarize.config import TurnConfig
from diarize.pipeline.records import Certainty, Labelled
from diarize.pipeline.turns import certainty_of, turns
from diarize.segments import Segment, Turn
from diarize.speech.detect import Heard
from diarize.speech.local import FRAME_LENGTH


def heard(*speech: Segment, overlap: tuple[Segment, ...] = (), local: object = None) -> Heard:
    return Heard([*speech], [*overlap], [*overlap], speech[-1].end, local=local)


def told(found) -> list[tuple[str, float, float]]:
    return [(turn.speaker, turn.segment.start, turn.segment.end) for turn in found.turns]


def test_certainty_is_the_mean_over_the_frames_of_a_turn():
    posteriors = {name: np.zeros(200, np.float32) for name in "ABC"}
    posteriors["A"][100:104] = 1, 0.5, 0.5, 1
    posteriors["B"][100:104] = 0, 0.1, 0.1, 0
    posteriors["C"][100:104] = 0, 0.4, 0.4, 0
    posteriors["B"][104] = 1  # behind the turn
    posteriors["B"][99] = 1  # before it
    first, behind = 100 * FRAME_LENGTH, 104 * FRAME_LENGTH
    sure = certainty_of(Turn("x", Segment(first, behind), "A"), posteriors)
    assert sure == Certainty(0.75, "C")
    last = Turn("x", Segment(103 * FRAME_LENGTH, 103.3 * FRAME_LENGTH), "A")
    assert certainty_of(last, posteriors).confidence == 1.0, "a short turn has one frame"
    assert certainty_of(last, {"A": posteriors["A"] / 8}) == Certainty(0.12, None), "two decimals"


def test_local_speakers_may_overlap_within_speech():
    spans = [Segment(0, 2), Segment(1, 4), Segment(2, 3)]
    found = turns(
        Labelled(spans, np.array([4, 2, 4])),
        heard(Segment(0.5, 3.5), overlap=(Segment(0.5, 1),), local=object()),
        TurnConfig(smoothing=3),
        "x",
    )
    assert found.turns == [Turn("x", Segment(0.5, 3), "SPEAKER_00"), Turn("x", Segment(1, 3.5), "SPEAKER_01")]
    assert found.names == {4: "SPEAKER_00", 2: "SPEAKER_01"}
    assert (found.certainty, found.doubtful) == (None, ())


def test_windows_vote_before_they_become_turns():
    spans = [Segment(i, i + 2) for i in range(4)]
    speech = heard(Segment(0, 5), overlap=(Segment(0.5, 2.5),))
    labelled = Labelled(spans, np.array([5, 6, 5, 5]))
    assert told(turns(labelled, speech, TurnConfig(smoothing=3))) == [("SPEAKER_00", 0, 5)]
    alternating = turns(labelled, speech, TurnConfig(smoothing=1), "x")
    # Middles 1, 2, 3, 4: borders 1.5 and 2.5. In the overlap, the other one of the two speaks as well.
    assert told(alternating) == [("SPEAKER_00", 0, 5), ("SPEAKER_01", 0.5, 2.5)]
    assert {turn.recording for turn in alternating.turns} == {"x"}


def test_short_turns_go_and_short_pauses_close():
    spans = [Segment(0, 4), Segment(4, 4.5), Segment(4.5, 7), Segment(7.5, 9)]
    labelled = Labelled(spans, np.array([0, 1, 0, 0]))
    speech = heard(Segment(0, 7), Segment(7.5, 9))
    # Middles 2, 4.25, 5.75: borders 3.125 and 5.
    both = [("SPEAKER_00", 0, 3.125), ("SPEAKER_01", 3.125, 5)]
    assert told(turns(labelled, speech, TurnConfig(min_gap=0.5))) == [*both, ("SPEAKER_00", 5, 9)]
    apart = turns(labelled, speech, TurnConfig(min_gap=0.4))
    assert told(apart) == [*both, ("SPEAKER_00", 5, 7), ("SPEAKER_00", 7.5, 9)]
    assert apart.names == {0: "SPEAKER_00", 1: "SPEAKER_01"}
    short = turns(labelled, speech, TurnConfig(min_gap=0.5, min_turn=1.9))
    assert told(short) == [("SPEAKER_00", 0, 9)]
    assert short.names == {0: "SPEAKER_00"}
    assert turns(Labelled([], np.array([], int)), speech, TurnConfig()) == ([], {}, None, ())


def test_a_turn_is_kept_from_the_least_confidence_on():
    n_frames = round(6 / FRAME_LENGTH)
    posteriors = np.zeros((n_frames, 9), np.float32)
    posteriors[: n_frames // 2, [3, 8]] = 0.75, 0.25
    posteriors[n_frames // 2 :, [3, 8]] = 0.5, 0.5
    labelled = Labelled([Segment(0, 3), Segment(3, 6)], np.array([8, 3]), posteriors=posteriors)
    speech = heard(Segment(0, 6))
    first, second = Turn("x", Segment(0, 3), "SPEAKER_00"), Turn("x", Segment(3, 6), "SPEAKER_01")
    sure = [Certainty(0.25, "SPEAKER_01"), Certainty(0.5, "SPEAKER_00")]
    names = {8: "SPEAKER_00", 3: "SPEAKER_01"}
    found = turns(labelled, speech, TurnConfig(min_confidence=0.25), "x")
    assert found == ([first, second], names, sure, [])
    found = turns(labelled, speech, TurnConfig(min_confidence=0.3), "x")
    assert found == ([second], names, sure[1:], [(first, sure[0])])
    found = turns(labelled, speech, TurnConfig(min_confidence=0.6), "x")
    assert found == ([], names, [], [(first, sure[0]), (second, sure[1])])
