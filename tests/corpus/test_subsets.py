"""What sets share."""

import pytest

from diarize.corpus.layout import Corpus, Recording, Utterance
from diarize.corpus.subsets import check_subsets


def corpus(*members):
    """Recordings of "speaker set"."""
    pairs = [[*member.split(), ""] for member in members]
    return Corpus([Recording("a.wav", subset=pair[1], utterances=(Utterance(pair[0]),)) for pair in pairs])


def found(members, **lists):
    return sorted((each.kind, each.place) for each in check_subsets(corpus(*members), lists))


def test_sets_that_share_nobody_are_fine():
    assert found(["a train", "a train", "b dev", "c test"]) == []
    assert found(["a", "b"]) == []
    assert found(["a x", "b y"], x=["a"], y=["b"]) == []


@pytest.mark.parametrize("members", [["a train", "a dev", "b dev"], ["a train", "b test", "a test"]])
def test_a_speaker_in_two_folders(members):
    assert found(members) == [("speaker-sets", "a")]


def test_a_speaker_in_two_lists():
    assert found(["a y", "b x"], x=["a", "b"], y=["a"]) == [("speaker-sets", "a")]


def test_lists_that_do_not_fit():
    assert found(["a x", "b", "c"], x=["a", "z"]) == [("no-set", "b"), ("unknown-speaker", "z")]
    assert found(["a", "b"], x=["A"]) == [("no-set", "a"), ("unknown-speaker", "A")]


def test_one_speaker_is_no_corpus():
    assert found(["a", "a"]) == [("one-speaker", "a")]
    assert list(check_subsets(Corpus([Recording("a.wav", turns=())], "annotated"), {})) == []
