"""Turns that do not fit their recording."""

import pytest

from diarize.corpus.annotations import check_annotations
from diarize.corpus.facts import Facts
from diarize.corpus.layout import Corpus, Recording, Utterance
from diarize.segments import Segment, Turn


def found(*spans, strays=()):
    """The findings of a recording of 10 s with spans "speaker start end"."""
    turns = []
    for span in spans:
        speaker, start, end = span.split()
        turns.append(Turn("a", Segment(float(start), float(end)), speaker))
    corpus = Corpus([Recording("a.wav", turns=tuple(turns))], "annotated", strays)
    return [(each.kind, each.evidence) for each in check_annotations(corpus, [Facts(10.0, 16000)])]


def test_turns_within_the_recording_are_fine():
    assert found("x 0 4", "y 3 5", "x 5 10.04", "z 0 10") == []
    assert found() == [], "nobody speaks"


@pytest.mark.parametrize(
    ("end", "kind"), [(10.1, "overhang"), (10.5, "overhang"), (10.6, "beyond-end"), (99, "beyond-end")]
)
def test_a_turn_beyond_the_end(end, kind):
    evidence = f"x speaks until {end:.2f} s, the recording ends at 10.00 s"
    assert found(f"x 9 {end}", "y 0 10") == [(kind, evidence)]


@pytest.mark.parametrize("spans", [["x 1 3", "x 2 4"], ["x 1 9", "x 2 3"], ["x 1 3", "x 1 2"]])
def test_turns_of_one_speaker_that_overlap(spans):
    assert found(*spans, "y 0 10") == [
        ("own-overlap", f"turns of x overlap for 1.00 s, first at {1 if spans[1] == 'x 1 2' else 2}.00 s")
    ]


def test_files_without_a_pair():
    assert found("x 0 1", strays=("rttm: b",)) == [("no-recording", "the corpus has no such recording")]
    corpus = Corpus([Recording("a.wav"), Recording("b.wav", turns=())], "annotated")
    findings = list(check_annotations(corpus, [Facts(1.0, 16000)] * 2))
    assert [(each.kind, each.place) for each in findings] == [("no-annotation", "a.wav")]


def test_segments_of_a_data_folder():
    utterances = (
        Utterance("x", Segment(0, 4)),
        Utterance("x", Segment(3, 12)),
        Utterance("y", Segment(0, 1)),
    )
    corpus = Corpus(
        [Recording("a.wav", utterances=utterances), Recording("b.wav", utterances=(Utterance("x"),))]
    )
    findings = check_annotations(corpus, [Facts(10.0, 16000)] * 2)
    assert [each.kind for each in findings] == ["beyond-end", "own-overlap"]


def test_a_recording_that_cannot_be_read_has_no_end():
    corpus = Corpus([Recording("a.wav", turns=(Turn("a", Segment(0, 1), "x"),))], "annotated")
    assert list(check_annotations(corpus, [Facts(error="0 samples")])) == []
