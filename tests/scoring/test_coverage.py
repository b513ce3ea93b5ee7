"""How wrong the surest turns are: planted curves, and what is optimal by the theory of rejection."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarize.errors import DiarizeError
from diarize.scoring.coverage import RiskCoverage, format_coverage_table, pool
from diarize.scoring.regions import TurnErrors, find_errors, find_turn_errors
from diarize.segments import Segment, Turn


def turns(*spans: tuple[float, float, str]) -> list[Turn]:
    return [Turn("x", Segment(start, end), who) for start, end, who in spans]


def test_the_errors_of_a_turn_are_those_that_were_planted():
    reference = turns((0, 10, "Ann"), (10, 20, "Bob"), (12, 14, "Ann"), (30, 32, "Ann"))
    found = turns((1, 13, "a"), (13, 22, "b"), (30, 32, "a"))
    assert find_turn_errors(reference, found) == [(10, 2, 0), (7, 0, 2), (2, 0, 0)]
    scored = [Segment(0, 21), Segment(30.5, 40)]
    assert find_turn_errors(reference, found, scored=scored) == [(10, 2, 0), (7, 0, 1), (1.5, 0, 0)]
    assert find_turn_errors(reference, found[1:2], collar=0.5)[0] == TurnErrors(5.5, 0, 1.5)


spans = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 15), st.sampled_from("abc")).map(
        lambda each: Turn("x", Segment(each[0], each[0] + each[1]), each[2])
    ),
    max_size=8,
)


@settings(max_examples=50, deadline=None)
@given(reference=spans, found=spans)
def test_without_overlap_they_add_up_to_the_parts_of_der(reference, found):
    """With one speaker at any time, confusion and false alarm are within turns."""
    alone = []
    for each in found:
        if all(each.segment.intersection(other.segment) is None for other in alone):
            alone.append(each)
    single = []
    for each in reference:
        if all(each.segment.intersection(other.segment) is None for other in single):
            single.append(each)
    errors = find_turn_errors(single, alone)
    regions = find_errors(single, alone)
    for kind, sums in (("confusion", "confused"), ("false alarm", "false")):
        whole = sum(region.seconds for region in regions if region.kind == kind)
        assert sum(getattr(each, sums) for each in errors) == pytest.approx(whole)
    assert sum(map(sum, errors)) == pytest.approx(sum(each.segment.duration for each in alone))


CURVE = pool([0.5, 0.9, 0.9, 0.7], [(0, 6, 0), (8, 0, 2), (10, 0, 0), (2, 1, 1)])


def test_the_curve_of_planted_turns():
    np.testing.assert_allclose(CURVE.thresholds, [0.9, 0.7, 0.5])
    np.testing.assert_allclose(CURVE.coverage, [20 / 30, 24 / 30, 1])
    expected = [(2 / 20, 0, 2 / 20), (4 / 24, 1 / 24, 3 / 24), (10 / 30, 7 / 30, 3 / 30)]
    np.testing.assert_allclose(CURVE.risk, expected)
    np.testing.assert_allclose(CURVE.area, np.array([20, 4, 6]) / 30 @ np.array(expected))
    # By their share of errors: 10 s with none, 10 s with 2, 4 s with 2, 6 s with 6.
    assert CURVE.best_area[0] == pytest.approx((10 * 0 + 10 * 0.1 + 4 * 4 / 24 + 6 * 10 / 30) / 30)
    assert [CURVE.at(share) for share in (0.5, 2 / 3, 0.7, 1.0)] == [0, 0, 1, 2]


def test_costs_count_what_is_kept_and_what_is_missed():
    # Missed by keeping least: 2 right and 7 confused seconds, then the 6 confused ones, then none.
    np.testing.assert_allclose(CURVE.costs(1, 0, 0), [9, 6, 0])
    np.testing.assert_allclose(CURVE.costs(0, 1, 0), [2, 3, 3])
    np.testing.assert_allclose(CURVE.costs(0, 0, 1), [0, 1, 7])
    text = format_coverage_table(CURVE, (1, 1, 3))
    assert "| 80.0   |    16.7 |        4.2 |    12.5 |             0.70 |\n" in text
    assert text.endswith(
        "costs of a missed, false and confused second 1, 1, 3: lowest with --min-confidence 0.90: 11.0; "
        "all turns: 24.0\n"
    )


@pytest.mark.parametrize("ratio", [1.5, 2.0, 4.0])
def test_with_true_confidences_the_best_threshold_is_one_less_the_ratio_of_the_costs(ratio):
    """Chow's rule: a second is worth keeping while confused * (1 - p) < missed."""
    confidence = np.linspace(0.005, 0.995, 100)
    curve = RiskCoverage(confidence, np.stack([confidence, 1 - confidence, 0 * confidence], axis=1))
    best = curve.thresholds[curve.costs(1, 0, ratio).argmin()]
    assert best == pytest.approx(1 - 1 / ratio, abs=0.011)


def test_turns_outside_the_scored_time_make_no_curve():
    with pytest.raises(DiarizeError, match="no turn with a confidence lies in the scored time"):
        pool([0.5], [(0, 0, 0)])
