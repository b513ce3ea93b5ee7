"""How sure the speaker of a turn is, and turns that are left out because they are not."""

import numpy as np
import pytest

from diarize.clustering.reasons import explain
from diarize.config import ClusteringConfig, Config, SpeechConfig, TurnConfig
from diarize.embedding.record import Voices
from diarize.embedding.table import make_table
from diarize.pipeline.recognition import name_speakers
from diarize.pipeline.records import Certainty, Labelled
from diarize.pipeline.resegmentation import resegment
from diarize.pipeline.result import Diarization
from diarize.pipeline.turns import turns
from diarize.segments import Segment, Turn
from diarize.speakers.enrolment import Verifier
from diarize.speakers.plda import Backend
from diarize.speech.detect import Heard
from diarize.speech.local import FRAME_LENGTH
from diarize.speech.windows import sliding_windows

MODEL = Backend(np.eye(8), np.full(8, 9.0))
SPEECH = [Segment(0, 12.9)]
BORDER = 4.3


def voices_of_three() -> tuple[Voices, Labelled]:
    """Three voices, 4.3 s each, the third of which is close to the first."""
    voices = np.random.default_rng(3).normal(0, 3, (3, 8))
    voices[2] = voices[0] + 0.2 * (voices[2] - voices[0])

    def embed(windows: list[Segment]) -> np.ndarray:
        at = [np.linspace(window.start, window.end, 50, endpoint=False) for window in windows]
        return np.array([voices[(each // BORDER).astype(int)].mean(axis=0) for each in at])

    windows, pieces = sliding_windows(SPEECH), sliding_windows(SPEECH, 0.75, 0.25)
    labels = np.array([int(window.middle // BORDER) for window in windows])
    return Voices(windows, embed(windows), pieces, embed(pieces)), Labelled(windows, labels)


def heard_with(*overlap: Segment) -> Heard:
    return Heard(SPEECH, [*overlap], [*overlap], SPEECH[-1].end)


def found_with(*overlap: Segment, **settings: float):
    config = Config(
        clustering=ClusteringConfig(seconds_a_sample=1.0),
        speech=SpeechConfig(overlap=0.6),
        turns=TurnConfig(**settings),
    )
    voices, labelled = voices_of_three()
    finer = resegment(labelled, voices, heard_with(*overlap), MODEL, config)
    return finer, turns(finer, heard_with(*overlap), config.turns, "talk")


def test_a_frame_is_sure_within_a_turn_and_open_at_its_border():
    finer, _ = found_with()
    posteriors = finer.posteriors
    assert posteriors.shape == (round(12.9 / FRAME_LENGTH), 3)
    np.testing.assert_allclose(posteriors.sum(axis=1), 1, rtol=1e-5)
    sure = posteriors.max(axis=1)
    middle, border = (round(time / FRAME_LENGTH) for time in (BORDER / 2, BORDER))
    assert posteriors[middle].argmax() == 0
    assert sure[middle] > 0.85 > sure[border - 10 : border + 10].min()


def test_in_overlap_the_other_speaker_has_the_rest():
    """Others share the probability of overlap; elsewhere the probabilities are those of the chain."""
    finer, found = found_with(Segment(2.0, 2.5))
    plain, _ = found_with()
    inside = round(2.2 / FRAME_LENGTH)
    np.testing.assert_array_equal(finer.posteriors[:100], plain.posteriors[:100])
    assert finer.posteriors[inside, 0] == plain.posteriors[inside, 0]
    assert finer.posteriors[inside, 1:].sum() == pytest.approx(0.6, rel=1e-4)
    ratio = plain.posteriors[inside, 2] / plain.posteriors[inside, 1]
    assert finer.posteriors[inside, 2] / finer.posteriors[inside, 1] == pytest.approx(ratio, rel=1e-3)
    (second,) = [i for i, turn in enumerate(found.turns) if turn.segment == Segment(2.0, 2.5)]
    assert found.certainty[second] == Certainty(0.0, "SPEAKER_00"), (
        "the nearest in time, but another sounds alike"
    )


def test_the_next_speaker_is_the_one_who_sounds_alike():
    _, found = found_with()
    assert [turn.speaker for turn in found.turns] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02"]
    assert found.certainty[0].alternative == "SPEAKER_02"
    assert found.certainty[2].alternative == "SPEAKER_00"
    assert found.certainty[1].confidence > max(found.certainty[0].confidence, found.certainty[2].confidence)


def test_doubtful_turns_are_left_out_and_kept_aside():
    _, everything = found_with()
    least = max(everything.certainty[0].confidence, everything.certainty[2].confidence) + 0.005
    _, found = found_with(min_confidence=least)
    assert found.turns == everything.turns[1:2]
    assert found.certainty == everything.certainty[1:2]
    assert [*found.doubtful] == [(everything.turns[i], everything.certainty[i]) for i in (0, 2)], (
        "the others, with the numbers that they had"
    )
    assert found.names == everything.names


def test_one_speaker_has_no_next_one_and_no_doubt():
    voices, labelled = voices_of_three()
    one = labelled._replace(labels=np.zeros(len(labelled.labels), int))
    config = Config()
    finer = resegment(one, voices, heard_with(), MODEL, config)
    assert turns(finer, heard_with(), config.turns, "talk").certainty == [Certainty(1.0, None)]


def test_without_a_back_end_nothing_is_known_and_nothing_left_out():
    voices, labelled = voices_of_three()
    config = Config(turns=TurnConfig(min_confidence=1.0))
    found = turns(resegment(labelled, voices, heard_with(), None, config), heard_with(), config.turns, "talk")
    assert (len(found.turns), found.certainty, found.doubtful) == (3, None, ())


def test_names_of_known_people_are_those_of_doubts_as_well():
    segments = [Segment(0, 1), Segment(2, 3), Segment(4, 5)]
    speakers = ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"]
    said = [Turn("talk", segment, who) for segment, who in zip(segments, speakers, strict=True)]
    vectors = np.array([[9, 0], [0, 9], [9, 0]], np.float32)
    table = make_table("talk", segments, vectors, speakers)
    sure = [Certainty(0.9, "SPEAKER_01"), Certainty(0.4, "SPEAKER_00"), Certainty(0.3, "SPEAKER_01")]
    given = Diarization(
        "talk", 5.0, said[:2], table, explain(np.array([0, 1, 0]), "asked"), Config(), "m", {}, sure[:2],
        [(said[2], sure[2])],
    )  # fmt: skip
    ann = given.voices.rows(given.voices.name == "SPEAKER_01").renamed({"SPEAKER_01": "Ann"})
    law, tail = np.array([1.0, 0.1, 1.0, 0.0]), np.array([[0.5, 0.0], [1e-4, 1.0]])
    named = name_speakers(given, ann, Verifier(np.zeros(2), Backend(np.eye(2), np.full(2, 9.0)), law, tail))
    assert [turn.speaker for turn in named.turns] == ["SPEAKER_00", "Ann"]
    assert named.certainty == [Certainty(0.9, "Ann"), Certainty(0.4, "SPEAKER_00")]
    assert named.doubtful == [(said[2], Certainty(0.3, "Ann"))]
    assert named.confidence == [0.9, 0.4]
