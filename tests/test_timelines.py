"""Two versions of the turns of a stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarize.segments import Segment, Turn, merge_turns
from diarize.timelines import differences, replace_parts, speaker_of, without


def turn(start: float, end: float, speaker: str = "A") -> Turn:
    return Turn("r", Segment(start, end), speaker)


def versions() -> st.SearchStrategy[list[Turn]]:
    """Turns at whole seconds."""
    one = st.builds(
        lambda start, length, speaker: turn(start, start + length, speaker),
        st.integers(0, 20),
        st.integers(1, 6),
        st.sampled_from("ABC"),
    )
    return st.lists(one, max_size=8).map(merge_turns)


def speaking(turns: list[Turn], second: int) -> set[str]:
    """Who speaks between a second and the next: the oracle."""
    return {each.speaker for each in turns if each.segment.start <= second < each.segment.end}


def seconds_of(segments: list[Segment]) -> set[int]:
    return {second for each in segments for second in range(round(each.start), round(each.end))}


def test_differences_lie_where_somebody_else_speaks():
    first = [turn(0, 2), turn(2, 4, "B")]
    second = [turn(0, 3), turn(3, 4, "B")]
    assert differences(first, second, Segment(0, 4)) == [Segment(2, 3)]
    assert differences(first, second, Segment(0, 2.5)) == [Segment(2, 2.5)]
    assert differences(first, second, Segment(0, 4), shortest=2) == []
    assert differences(first, first, Segment(0, 4)) == []


@given(versions(), versions())
def test_differences_are_those_of_every_second(first, second):
    expected = {each for each in range(5, 25) if speaking(first, each) != speaking(second, each)}
    assert seconds_of(differences(first, second, Segment(5, 25))) == expected


@given(versions(), versions(), st.sets(st.integers(0, 25), max_size=6))
def test_parts_are_those_of_the_other_version(first, second, chosen):
    parts = [Segment(each, each + 1) for each in sorted(chosen)]
    found = replace_parts(first, parts, second)
    assert found == merge_turns(found)
    for each in range(28):
        assert speaking(found, each) == speaking(second if each in chosen else first, each)


@given(versions(), versions())
def test_where_a_version_replaces_its_differences_nothing_differs(first, second):
    everything = Segment(0, 30)
    changed = differences(first, second, everything)
    assert differences(replace_parts(first, changed, second), second, everything) == []


@pytest.mark.parametrize(
    ("segments", "others", "expected"),
    [
        ([(0, 4)], [(1, 2)], [(0, 1), (2, 4)]),
        ([(0, 1), (2, 3)], [(0, 1)], [(2, 3)]),
        ([(0, 1)], [], [(0, 1)]),
        ([(1, 2)], [(0, 3)], []),
        ([], [(0, 1)], []),
    ],
)
def test_segments_without_others(segments, others, expected):
    made = [[Segment(*each) for each in spans] for spans in (segments, others, expected)]
    assert without(made[0], made[1]) == made[2]


def test_the_speaker_of_a_span_has_most_of_it():
    turns = [turn(0, 1), turn(1, 3, "B"), turn(4, 5)]
    assert speaker_of(Segment(0, 3), turns) == "B"
    assert speaker_of(Segment(0, 1.5), turns) == "A"
    assert speaker_of(Segment(3, 4), turns) is None
