"""Who says each word: by its own time, and by its sentence."""

import random

import pytest

from diarize.scoring.words import word_diarization_error
from diarize.segments import Segment, Turn
from diarize.words import Word, assign_speakers


def turns(*spans):
    return [Turn("x", Segment(start, end), speaker) for speaker, start, end in spans]


def words(text, start=0.0, step=0.5, segment=0):
    return [
        Word(word, start + k * step, start + (k + 1) * step, segment=segment)
        for k, word in enumerate(text.split())
    ]


def speakers(found):
    return "".join(word.speaker or "-" for word in found)


def test_a_word_goes_to_who_has_most_of_it():
    spoken = words("one two three four")
    by = turns(("A", 0, 1.2), ("B", 1.2, 2))
    found = assign_speakers(spoken, by, mend=False)
    assert speakers(found) == "AABB"
    assert [word.text for word in found] == ["one", "two", "three", "four"]


def test_turns_of_one_speaker_add_up():
    by = turns(("A", 0, 0.3), ("B", 0.3, 0.7), ("A", 0.7, 1))
    assert speakers(assign_speakers(words("one", step=1.0), by)) == "A"


def test_in_overlap_the_sentence_decides_then_the_word_before():
    by = turns(("A", 0, 2), ("B", 1, 4))
    assert speakers(assign_speakers(words("a b. c d e f g h"), by)) == "AABBBBBB"
    inside = turns(("A", 0, 4), ("B", 1, 2))
    assert speakers(assign_speakers(words("a b c d e f g h"), inside)) == "AAAAAAAA"
    both = turns(("A", 0, 1), ("B", 0, 3))
    assert speakers(assign_speakers(words("a. b."), both)) == "AA", "the first of equals, then the one before"


def test_silence_goes_to_the_nearest_and_far_silence_to_nobody():
    by = turns(("A", 0, 1), ("B", 4, 5))
    at = [Word("w", start, start + 0.2) for start in (1.5, 2.0, 3.0, 6.9, 7.1)]
    assert speakers(assign_speakers(at, by, mend=False)) == "AABB-"
    assert speakers(assign_speakers(at, by, max_gap=0.0, mend=False)) == "-----"
    assert speakers(assign_speakers(at, by, max_gap=9.0, mend=False)) == "AABBB"
    assert speakers(assign_speakers(at, [])) == "-----"


def test_a_long_turn_before_a_short_one_is_the_nearest():
    by = turns(("A", 0, 10), ("B", 1, 2))
    assert speakers(assign_speakers([Word("w", 10.5, 11)], by)) == "A"


def test_a_word_without_duration_has_a_place():
    assert speakers(assign_speakers([Word("w", 1.0, 1.0)], turns(("A", 0, 2)))) == "A"


def test_the_edges_of_a_sentence_are_mended():
    spoken = words("Do you think so? Yes I do.", step=0.3)
    early = turns(("A", 0, 0.9), ("B", 0.9, 2.1))
    assert speakers(assign_speakers(spoken, early, mend=False)) == "AAABBBB"
    assert speakers(assign_speakers(spoken, early)) == "AAAABBB"
    unmarked = words("do you think so", step=0.3) + words("yes i do", 1.2, 0.3, segment=1)
    assert speakers(assign_speakers(unmarked, early)) == "AAAABBB", "its segments are its sentences"


def test_a_sentence_is_not_torn_for_a_breath_but_two_speakers_stay_two():
    spoken = words("We will go to the old house now.", step=0.3)
    breath = turns(("A", 0, 1.2), ("B", 1.2, 1.5), ("A", 1.5, 3))
    assert speakers(assign_speakers(spoken, breath, mend=False)) == "AAAABAAA"
    assert speakers(assign_speakers(spoken, breath)) == "AAAAAAAA"
    half = turns(("A", 0, 1.2), ("B", 1.2, 3))
    assert speakers(assign_speakers(spoken, half)) == "AAAABBBB"
    answered = words("We go now. Yes. And then we rest.", step=0.3)
    by = turns(("A", 0, 0.9), ("B", 0.9, 1.2), ("A", 1.2, 3))
    assert speakers(assign_speakers(answered, by)) == "AAABAAAA"


def test_mending_helps_where_times_are_a_little_off():
    """Sentences of two speakers in turn, whose words a recogniser places up to 0.25 s off."""
    chance = random.Random(0)
    spoken, truth, by, at = [], [], [], 0.0
    for k in range(200):
        n, speaker = chance.randint(3, 12), "AB"[k % 2]
        for j in range(n):
            off = chance.uniform(-0.25, 0.25)
            text = "w." if j == n - 1 else "w"
            spoken.append(Word(text, at + 0.3 * j + off, at + 0.3 * (j + 1) + off))
        truth += speaker * n
        by += turns((speaker, at, at + 0.3 * n))
        at += 0.3 * n + 0.1
    errors = [
        word_diarization_error(truth, [word.speaker for word in assign_speakers(spoken, by, mend=mend)])
        for mend in (False, True)
    ]
    assert 0.01 < errors[0] < 0.1
    assert errors[1] < 0.2 * errors[0]


def test_ten_hours_of_words_have_speakers():
    """So many would take minutes if every word looked at every turn."""
    by = turns(*((f"S{k % 5}", 2 * k, 2 * k + 2.5) for k in range(18_000)))
    found = assign_speakers(words("w " * 100_000, step=0.36), by)
    assert {word.speaker for word in found} == {f"S{k}" for k in range(5)}


def test_a_turn_as_long_as_the_recording_costs_no_more():
    by = turns(("A", 0, 40_000), *((f"S{k % 5}", 4 * k + 0.5, 4 * k + 1) for k in range(9_000)))
    found = assign_speakers(words("w " * 20_000, step=0.5), by)
    assert {word.speaker for word in found} == {"A"}, "the sentence has no end"
    (late,) = assign_speakers([Word("w", 40_000.5, 40_001)], by)
    assert late.speaker == "A"


def test_the_error_of_words_maps_speakers_one_to_one():
    assert word_diarization_error("AABB", "xxyy") == 0
    assert word_diarization_error("AABB", "xxxx") == 0.5
    assert word_diarization_error("AABB", ["x", None, "y", "y"]) == 0.25
    assert word_diarization_error("AABB", [None] * 4) == 1
    with pytest.raises(ValueError, match="the same words are needed in both, at least one: got 2 and 1"):
        word_diarization_error("AB", "A")
