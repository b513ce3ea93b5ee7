"""Where the errors are, against planted answers and against the scorer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarize.scoring.der import score_diarization
from diarize.scoring.regions import find_errors
from diarize.segments import Segment, Turn

KINDS = ("missed", "false alarm", "confusion")


def turns(*spans: tuple[float, float, str]) -> list[Turn]:
    return [Turn("x", Segment(start, end), who) for start, end, who in spans]


def listed(errors):
    return [(e.segment.start, e.segment.end, e.kind, e.n_speakers, e.speakers) for e in errors]


def test_each_kind_is_found_where_it_was_planted():
    reference = turns((0, 10, "Ann"), (10, 20, "Bob"), (30, 32, "Ann"))
    found = turns((1, 12, "a"), (12, 22, "b"), (30, 32, "a"))
    assert listed(find_errors(reference, found)) == [
        (0, 1, "missed", 1, ("Ann",)),
        (10, 12, "confusion", 1, ("Bob",)),
        (20, 22, "false alarm", 1, ()),
    ]


def test_overlap_counts_each_speaker():
    reference = turns((0, 10, "Ann"), (0, 10, "Bob"), (4, 6, "Cem"))
    assert listed(find_errors(reference, turns((0, 10, "a")))) == [
        (0, 4, "missed", 1, ("Ann", "Bob")),
        (4, 6, "missed", 2, ("Ann", "Bob", "Cem")),
        (6, 10, "missed", 1, ("Ann", "Bob")),
    ]


def test_a_collar_and_regions_leave_time_out():
    reference, found = turns((10, 20, "Ann")), turns((9, 22, "a"))
    assert listed(find_errors(reference, found, collar=0.5)) == [
        (9, 9.5, "false alarm", 1, ()),
        (20.5, 22, "false alarm", 1, ()),
    ]
    assert listed(find_errors(reference, found, scored=[Segment(0, 21)])) == [
        (9, 10, "false alarm", 1, ()),
        (20, 21, "false alarm", 1, ()),
    ]
    assert find_errors(reference, found, scored=[]) == []


def test_a_collar_ends_at_the_beginning():
    assert find_errors(turns((0.2, 10, "Ann")), turns((0, 10.4, "a")), collar=0.5) == []


def test_errors_of_one_kind_that_touch_are_one():
    reference = turns((0, 10, "Ann"), (0, 10, "Bob"), (12, 14, "Ann"), (12, 14, "Bob"))
    found = turns((0, 4, "a"), (4, 10, "b"), (12, 14, "b"))
    assert listed(find_errors(reference, found)) == [
        (0, 10, "missed", 1, ("Ann", "Bob")),
        (12, 14, "missed", 1, ("Ann", "Bob")),
    ]
    three = turns((0, 2, "Ann"), (2, 4, "Bob"), (4, 8, "Ann"), (4, 8, "Bob"))
    assert listed(find_errors(three, [])) == [
        (0, 2, "missed", 1, ("Ann",)),
        (2, 4, "missed", 1, ("Bob",)),
        (4, 8, "missed", 2, ("Ann", "Bob")),
    ]


def test_a_reference_has_no_errors_against_itself_whatever_the_names():
    reference = turns((0, 10, "Ann"), (5, 12, "Bob"), (20, 21, "Ann"))
    renamed = [Turn("x", turn.segment, turn.speaker[::-1]) for turn in reference]
    assert find_errors(reference, renamed) == []
    assert find_errors([], []) == []


_TURN = st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from("abc"))
_TURNS = st.lists(_TURN, max_size=9).map(
    lambda rows: turns(*((start, start + length, who) for start, length, who in rows))
)


@pytest.mark.oracle
@settings(max_examples=60)
@given(reference=_TURNS, found=_TURNS, collar=st.sampled_from([0.0, 0.75]), limit=st.booleans())
def test_the_seconds_add_up_to_the_parts_of_der(reference, found, collar, limit):
    scored = [Segment(3, 17), Segment(15, 40)] if limit else None
    errors = find_errors(reference, found, scored=scored, collar=collar)
    score = score_diarization(reference, found, scored=scored, collar=collar)
    sums = [sum(e.seconds for e in errors if e.kind == kind) for kind in KINDS]
    assert sums == pytest.approx([score.missed, score.false_alarm, score.confusion])
