"""cpWER and tcpWER: cases by hand, all maps of speakers, and meeteval where it is installed."""

import itertools
import math
import random

import pytest

from diarize.scoring.words import WordErrors, concatenated_word_errors
from diarize.words import Word


def said(text: str) -> list[Word]:
    """Words of a second each from "A:one A:two B:three"; -:word is of nobody."""
    pairs = (each.split(":") for each in text.split())
    return [Word(word, k, k + 1, None if who == "-" else who) for k, (who, word) in enumerate(pairs)]


def random_session(draw: random.Random) -> tuple[list[Word], list[Word]]:
    """A reference and a transcript of it: other names; words changed, missing, too many, of others."""
    names, vocabulary = "abcd"[: draw.randint(1, 4)], [f"w{k}" for k in range(draw.choice([3, 20]))]
    others = "vwxyz"[: draw.randint(1, 5)]
    reference, hypothesis, at = [], [], 0.0
    for _ in range(draw.randint(1, 30)):
        at += draw.uniform(0.05, 1.5)
        length = draw.uniform(0.05, 0.6)
        who, text = draw.choice(names), draw.choice(vocabulary)
        reference.append(Word(text, at, at + length, who))
        other = others[names.index(who) % len(others)] if draw.random() < 0.7 else draw.choice(others)
        start = max(0.0, at + draw.gauss(0, draw.choice([0.02, 1.0])))
        if draw.random() < 0.85:
            text = text if draw.random() < 0.8 else draw.choice(vocabulary)
            hypothesis.append(Word(text, start, start + length, other))
        if draw.random() < 0.1:
            hypothesis.append(Word(draw.choice(vocabulary), start + 0.01, start + 0.3, draw.choice(others)))
    return reference, hypothesis


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("A:one A:two B:three", "x:one x:two y:three", (3, 0, 0, 0)),
        ("A:one A:two B:three", "x:one x:six y:three", (3, 1, 0, 0)),
        ("A:one A:two B:three", "x:one x:two x:three", (3, 0, 1, 1)),
        ("A:one A:two B:three", "x:one y:two y:three", (3, 0, 1, 1)),
        ("A:one A:two B:three", "x:one x:two y:three z:four z:five", (3, 0, 0, 2)),
        ("A:one B:two C:three", "x:two", (3, 0, 2, 0)),
        ("A:one A:two", "-:one x:two", (2, 0, 1, 0)),
        ("A:one A:two", "", (2, 0, 2, 0)),
        ("", "x:one", (0, 0, 0, 1)),
        ("", "", (0, 0, 0, 0)),
        # Two replaced, or one deleted, one right and one inserted: as many errors, so a right word counts.
        ("A:one A:two", "x:two x:one", (2, 0, 1, 1)),
    ],
)
def test_errors_counted_by_hand(reference, hypothesis, expected):
    assert concatenated_word_errors(said(reference), said(hypothesis)) == WordErrors(*expected)


def test_the_rate_and_the_sum_of_recordings():
    one = concatenated_word_errors(said("A:one A:two B:three"), said("x:one x:six x:seven"))
    assert one == WordErrors(3, 1, 1, 1)
    assert one.rate == 1
    assert (one + WordErrors(7, 1, 0, 1)).rate == 0.5
    assert math.isnan(WordErrors(0, 0, 0, 1).rate)


def test_words_are_joined_by_time_not_by_place():
    reference = said("A:one A:two B:three")
    assert concatenated_word_errors(reference, reference[::-1]).rate == 0


def test_a_reference_word_of_nobody_is_refused():
    with pytest.raises(ValueError, match="each word of the reference needs a speaker"):
        concatenated_word_errors(said("A:one -:two"), [])


def test_with_a_collar_words_far_apart_do_not_match():
    reference, late = [Word("one", 1, 2, "A")], [Word("one", 4, 5, "x")]
    assert concatenated_word_errors(reference, late) == WordErrors(1, 0, 0, 0)
    assert concatenated_word_errors(reference, late, collar=2.5) == WordErrors(1, 0, 0, 0)
    assert concatenated_word_errors(reference, late, collar=2.0) == WordErrors(1, 0, 1, 1)
    other = [Word("six", 4, 5, "x")]
    assert concatenated_word_errors(reference, other, collar=2.5) == WordErrors(1, 1, 0, 0)
    assert concatenated_word_errors(reference, other, collar=2.0) == WordErrors(1, 0, 1, 1)


def edits(reference: list[Word], hypothesis: list[Word], collar: float | None) -> int:
    """The Levenshtein distance by its definition."""
    row = list(range(len(hypothesis) + 1))
    for i, ref in enumerate(reference, 1):
        above, row = row, [i]
        for j, hyp in enumerate(hypothesis, 1):
            near = collar is None or (ref.start < hyp.end + collar and hyp.start - collar < ref.end)
            match = above[j - 1] + (ref.text != hyp.text) if near else i + j
            row.append(min(match, above[j] + 1, row[j - 1] + 1))
    return row[-1]


@pytest.mark.parametrize("collar", [None, 0.3])
def test_the_map_of_speakers_is_the_best_of_all(collar):
    for seed in range(15):
        reference, hypothesis = random_session(random.Random(seed))
        by_time = sorted(hypothesis, key=lambda word: word.start)
        sides = [
            [
                [word for word in words if word.speaker == who]
                for who in dict.fromkeys(w.speaker for w in words)
            ]
            for words in (reference, by_time)
        ]
        n = max(map(len, sides))
        rows, columns = ([*side, *([[]] * (n - len(side)))] for side in sides)
        table = [[edits(ref, hyp, collar) for hyp in columns] for ref in rows]
        least = min(
            sum(table[i][j] for i, j in enumerate(order)) for order in itertools.permutations(range(n))
        )
        found = concatenated_word_errors(reference, hypothesis, collar=collar)
        assert found.substituted + found.deleted + found.inserted == least
        assert found.n_words - found.deleted + found.inserted == len(hypothesis)
        assert min(found.substituted, found.deleted, found.inserted) >= 0


@pytest.mark.oracle
@pytest.mark.parametrize("collar", [None, 0.0, 0.3, 5.0])
def test_as_many_errors_as_meeteval(collar):
    """`pip install meeteval` needs a C++ compiler, so that it is no dependency of the tests."""
    wer = pytest.importorskip("meeteval").wer.wer
    io = pytest.importorskip("meeteval.io")
    for seed in range(500):
        words = random_session(random.Random(seed))
        ref, hyp = (
            io.SegLST(
                [
                    {
                        "session_id": "s",
                        "speaker": w.speaker,
                        "words": w.text,
                        "start_time": w.start,
                        "end_time": w.end,
                    }
                    for w in side
                ]
            )
            for side in words
        )
        if collar is None:
            theirs = wer.cp_word_error_rate(ref, hyp)
        else:
            theirs = wer.time_constrained_minimum_permutation_word_error_rate(
                ref, hyp, collar=collar,
                reference_pseudo_word_level_timing="none", hypothesis_pseudo_word_level_timing="none",
            )  # fmt: skip
        ours = concatenated_word_errors(*words, collar=collar)
        assert (ours.rate, ours.n_words) == (theirs.error_rate, theirs.length), seed
        assert ours.substituted <= theirs.substitutions, (
            "of ways with as many errors, that with most right words"
        )
