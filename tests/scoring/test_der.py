import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage

from diarize.scoring.clusterings import (
    adjusted_rand_index,
    cluster_purity,
    clustering_scores,
    legacy_misclassification_rate,
    minimal_legacy_misclassification_rate,
    minimal_misclassification_rate,
    misclassification_rate,
    normalized_mutual_information,
    speaker_purity,
    v_measure,
    wilson_interval,
)
from diarize.scoring.der import format_score_table, pool, score_diarization
from diarize.segments import Segment, Turn

METRICS = [
    misclassification_rate,
    legacy_misclassification_rate,
    cluster_purity,
    speaker_purity,
    adjusted_rand_index,
    v_measure,
    normalized_mutual_information,
]
ERRORS = METRICS[:2]
PAIRS = np.repeat(np.arange(40), 2)  # the task of the papers: 40 speakers, two utterances each

labels = st.lists(st.integers(0, 4), min_size=1, max_size=14)
two_labelings = labels.flatmap(
    lambda a: st.tuples(st.just(a), st.lists(st.integers(0, 4), min_size=len(a), max_size=len(a)))
)


# Clusterings


@pytest.mark.parametrize(
    ("metric", "true", "predicted", "expected"),
    [
        (misclassification_rate, "000111122", "773322100", 1 / 3),
        (misclassification_rate, "0000111000001", "0000000111111", 5 / 13),
        (cluster_purity, "0121", "0112", 0.75),
        (cluster_purity, "001", "100", 2 / 3),
        (adjusted_rand_index, "123321133122", "323221123131", 1 / 12),
    ],
)
def test_values_from_the_published_code(metric, true, predicted, expected):
    assert metric(list(true), list(predicted)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("predicted", "rate", "legacy"),
    [(np.arange(80), 0.5, 1.0), (np.zeros(80, int), 0.975, 1.0), (PAIRS, 0.0, 0.0)],
    ids=["singletons", "one cluster", "truth"],
)
def test_end_points_of_forty_pairs(predicted, rate, legacy):
    assert misclassification_rate(PAIRS, predicted) == pytest.approx(rate)
    assert legacy_misclassification_rate(PAIRS, predicted) == pytest.approx(legacy)


def test_legacy_rules_by_hand():
    # a: split 2 + 1, b: pure pair, c: a singleton, d: mixed with e.
    true = list("aaabbcdde")
    predicted = [0, 0, 1, 2, 2, 3, 4, 4, 4]
    assert legacy_misclassification_rate(true, predicted) == pytest.approx(1 - 4 / 9)
    # The ordinary rate also forgives the singleton and the majority of the mixed cluster.
    assert misclassification_rate(true, predicted) == pytest.approx(2 / 9)


@given(two_labelings)
@settings(max_examples=100, deadline=None)
def test_misclassification_rate_is_the_best_of_all_maps(pair):
    true, predicted = map(np.array, pair)
    # Clusters 0-4 are given speakers 0-4 in every possible way.
    best = max((np.array(order)[predicted] == true).sum() for order in itertools.permutations(range(5)))
    assert misclassification_rate(true, predicted) == pytest.approx(1 - best / len(true))


@given(two_labelings)
@settings(max_examples=50, deadline=None)
def test_renaming_changes_nothing_and_truth_is_perfect(pair):
    true, predicted = map(np.array, pair)
    names = np.array(["e", "b", "a", "d", "c"])
    for metric in METRICS:
        assert metric(names[true], -predicted) == pytest.approx(metric(true, predicted))
        if metric is not legacy_misclassification_rate:  # where a single utterance is never right
            assert metric(true, names[true]) == pytest.approx(0.0 if metric in ERRORS else 1.0)
    assert legacy_misclassification_rate(true, predicted) >= misclassification_rate(true, predicted) - 1e-12


def test_purities_exchange_roles():
    one_cluster, singletons = [0, 0, 0, 0], [0, 1, 2, 3]
    assert cluster_purity([0, 0, 1, 1], singletons) == 1
    assert speaker_purity([0, 0, 1, 1], singletons) == 0.5
    assert cluster_purity([0, 0, 1, 1], one_cluster) == 0.5
    assert speaker_purity([0, 0, 1, 1], one_cluster) == 1


def test_both_means_of_mutual_information():
    # Singletons against one pair and two singles: I = H(true) = 3/2 bit, H(predicted) = 2 bit.
    true, predicted = [0, 0, 1, 2], [0, 1, 2, 3]
    assert normalized_mutual_information(true, predicted) == pytest.approx(1.5 / 1.75)
    assert normalized_mutual_information(true, predicted, average="geometric") == pytest.approx(
        1.5 / math.sqrt(3)
    )
    assert v_measure(true, predicted) == pytest.approx(1.5 / 1.75)


def cuts(Z):
    """The labels after 0, 1, ... n - 1 merges."""
    n = len(Z) + 1
    members = {i: [i] for i in range(n)}
    for step in range(n):
        labels = np.empty(n, int)
        for name, items in members.items():
            labels[items] = name
        yield labels
        if step < n - 1:
            members[n + step] = members.pop(int(Z[step, 0])) + members.pop(int(Z[step, 1]))


@pytest.mark.parametrize("seed", range(5))
def test_minimal_rates_are_the_best_cut(seed):
    rng = np.random.default_rng(seed)
    true = rng.permutation(np.repeat(np.arange(12), 2))
    X = rng.normal(size=(12, 4))[true] + rng.normal(scale=0.5, size=(24, 4))
    Z = linkage(X, "complete")
    by_cut = [misclassification_rate(true, labels) for labels in cuts(Z)]
    assert minimal_misclassification_rate(Z, true) == pytest.approx(min(by_cut))
    by_cut = [legacy_misclassification_rate(true, labels) for labels in cuts(Z)]
    assert minimal_legacy_misclassification_rate(Z, true) == pytest.approx(min(by_cut))


def test_legacy_walk_needs_two_utterances_each():
    Z = linkage(np.arange(5.0)[:, None])
    with pytest.raises(ValueError, match=r"exactly two utterances of every speaker, got counts \[2, 3\]"):
        minimal_legacy_misclassification_rate(Z, list("aabbb"))


def test_linkage_must_fit():
    with pytest.raises(ValueError, match=r"3 utterances need a linkage of \(2, 4\), got \(4, 4\)"):
        minimal_misclassification_rate(linkage(np.arange(5.0)[:, None]), list("abc"))


@pytest.mark.parametrize(("true", "predicted"), [([], []), ([1, 2], [1]), ([[1]], [[1]])])
def test_labels_must_fit(true, predicted):
    with pytest.raises(ValueError, match=r"must be \(n,\) with n > 0, got"):
        misclassification_rate(true, predicted)


def test_wilson_interval():
    # Ends solve |p - x/n| = z sqrt(p (1 - p) / n), the defining equation.
    for successes, n in [(1, 80), (40, 80), (3.5, 152)]:
        for end in wilson_interval(successes, n):
            assert abs(end - successes / n) == pytest.approx(
                1.959964 * math.sqrt(end * (1 - end) / n), rel=1e-5
            )
    assert wilson_interval(0, 80) == pytest.approx((0, 0.0458), abs=1e-4)
    assert wilson_interval(80, 80) == pytest.approx((0.9542, 1), abs=1e-4)
    with pytest.raises(ValueError, match="got 3 of 2"):
        wilson_interval(3, 2)


def test_all_scores_by_name():
    scores = clustering_scores(list("aabb"), [0, 0, 1, 2])
    assert scores["n_speakers"] == 2
    assert scores["n_clusters"] == 3
    assert scores["misclassification_rate"] == 0.25
    assert scores["legacy_misclassification_rate"] == 0.5
    assert {metric.__name__ for metric in METRICS} < scores.keys()


@pytest.mark.parametrize("module", ["diarize.scoring.der", "diarize.scoring.clusterings"])
def test_scoring_loads_neither_torch_nor_scikit_learn(module):
    code = f"import sys, {module}; print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Diarizations


def turns(*spans, recording="meeting"):
    """Turns from (start, end, speaker)."""
    return [Turn(recording, Segment(start, end), speaker) for start, end, speaker in spans]


REFERENCE = turns((1, 5, "anna"), (5, 8, "ben"), (7, 10, "anna"))  # 10 s of speech, 7-8 both


def seconds(score):
    return score.missed, score.false_alarm, score.confusion


def test_reference_with_itself_and_renamed_is_perfect():
    renamed = turns((1, 5, "ben"), (5, 8, "x y"), (7, 10, "ben"))
    for hypothesis in (REFERENCE, renamed, REFERENCE[::-1]):
        score = score_diarization(REFERENCE, hypothesis)
        assert score.total == pytest.approx(10)
        assert score.der == pytest.approx(0, abs=1e-12)
        assert score.jer == pytest.approx(0, abs=1e-12)
        assert (score.n_reference, score.n_hypothesis) == (2, 2)


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        (turns((1, 5, "A"), (5, 8, "B"), (7, 8.5, "A")), (1.5, 0, 0)),
        (turns((1, 5, "A"), (5, 8, "B"), (7, 10, "A"), (11, 13, "A")), (0, 2, 0)),
        (turns((0, 1, "A"), (1, 5, "A"), (5, 8, "B"), (7, 10, "A")), (0, 1, 0)),
        (turns((1, 5, "A"), (5, 6, "A"), (6, 8, "B"), (7, 10, "A")), (0, 0, 1)),
        (turns((1, 5, "A"), (5, 8, "B"), (8, 10, "A")), (1, 0, 0)),
        ([], (10, 0, 0)),
    ],
    ids=["miss", "false alarm after", "false alarm before", "confusion", "overlap missed", "nothing found"],
)
def test_planted_errors_are_found_to_the_second(hypothesis, expected):
    score = score_diarization(REFERENCE, hypothesis)
    assert seconds(score) == pytest.approx(expected, abs=1e-9)
    assert score.der == pytest.approx(sum(expected) / 10)


@pytest.mark.parametrize(("predicted", "der"), [("1122", 0.0), ("1222", 0.1), ("1234", 0.2)])
def test_utterances_end_to_end(predicted, der):
    ends = np.cumsum([8, 2, 8, 2])
    spans = [(end - length, end) for end, length in zip(ends, [8, 2, 8, 2], strict=True)]
    reference = turns(*((start, end, s) for (start, end), s in zip(spans, "1122", strict=True)))
    hypothesis = turns(*((start, end, s) for (start, end), s in zip(spans, predicted, strict=True)))
    assert score_diarization(reference, hypothesis).der == pytest.approx(der)


def test_jaccard_error_rate_by_hand():
    # anna: 4 of 5 s found, none beside them: 1 - 4/5. ben: nobody is left for him: 1.
    score = score_diarization(turns((0, 5, "anna"), (5, 7, "ben")), turns((0, 4, "A")))
    assert score.jer == pytest.approx((0.2 + 1) / 2)


def test_collar_is_removed_on_each_side():
    # The boundary at 5 is found 0.6 s late. Each side loses c of every boundary (0, 5, 10):
    # scored 0.25-4.75 and 5.25-9.75, so 0.35 s of confusion in 9 s.
    reference = turns((0, 5, "anna"), (5, 10, "ben"))
    hypothesis = turns((0, 5.6, "A"), (5.6, 10, "B"))
    score = score_diarization(reference, hypothesis, collar=0.25)
    assert score.total == pytest.approx(9)
    assert seconds(score) == pytest.approx((0, 0, 0.35), abs=1e-9)
    assert score_diarization(reference, hypothesis).confusion == pytest.approx(0.6)


@pytest.mark.parametrize("skip_overlap", [False, True])
def test_collar_is_half_of_pyannotes(skip_overlap):
    from pyannote.core import Annotation, Timeline
    from pyannote.core import Segment as Span
    from pyannote.metrics.diarization import DiarizationErrorRate

    rng = np.random.default_rng(0)
    for _ in range(5):
        both = []
        for _ in range(2):
            starts = rng.uniform(0, 50, 12).round(2)
            lengths = rng.uniform(0.5, 4, 12).round(2)
            # Speakers take turns by index, so that nobody overlaps with himself but for chance.
            both.append([(s, s + d, f"{i}") for i, (s, d) in enumerate(zip(starts, lengths, strict=True))])
        reference, hypothesis = (Annotation.from_records((Span(s, e), w, w) for s, e, w in x) for x in both)
        uem = Timeline([Span(0, 60)])
        expected = DiarizationErrorRate(collar=0.5, skip_overlap=skip_overlap)(reference, hypothesis, uem=uem)
        score = score_diarization(
            turns(*both[0]), turns(*both[1]), scored=[Segment(0, 60)], collar=0.25, skip_overlap=skip_overlap
        )
        assert score.der == pytest.approx(expected)


def test_overlap_left_out():
    # Without 7-8, 8 s of speech remain; the miss of the second speaker there is gone.
    score = score_diarization(REFERENCE, turns((1, 5, "A"), (5, 8, "B"), (8, 10, "A")), skip_overlap=True)
    assert score.total == pytest.approx(8)
    assert score.der == pytest.approx(0, abs=1e-12)


def test_a_speaker_within_collars_alone_is_none():
    hypothesis = turns((0, 5, "A"), (4.8, 5.2, "B"))
    score = score_diarization(turns((0, 5, "anna")), hypothesis, collar=0.25)
    assert (score.n_hypothesis, score.der) == (1, 0)
    assert score_diarization([], []).recording == ""


def test_a_speaker_never_overlaps_with_itself():
    doubled = [*REFERENCE, *turns((1, 3, "anna"), (2, 5, "anna"))]
    for skip_overlap in (False, True):
        assert score_diarization(doubled, doubled, skip_overlap=skip_overlap) == score_diarization(
            REFERENCE, REFERENCE, skip_overlap=skip_overlap
        )
        score = score_diarization(REFERENCE, doubled, skip_overlap=skip_overlap)
        assert score.der == pytest.approx(0, abs=1e-12)


def test_only_the_scored_region_counts():
    hypothesis = turns((0, 1, "A"), (1, 5, "A"), (12, 14, "B"))
    score = score_diarization(REFERENCE, hypothesis, scored=[Segment(0, 4), Segment(3, 6)])
    assert score.scored_region_source == "UEM"
    assert score.total == pytest.approx(5)
    assert seconds(score) == pytest.approx((1, 1, 0))
    assert (score.n_reference, score.n_hypothesis) == (2, 1)
    assert score.jer == pytest.approx((1 / 5 + 1) / 2)  # anna has 4 s of the 5 s of A, ben has nobody
    assert score_diarization(REFERENCE, hypothesis).scored_region_source == "reference and hypothesis extent"


@pytest.mark.parametrize("hypothesis", [[], turns((0, 3, "A"))])
def test_empty_reference_has_no_rates(hypothesis):
    score = score_diarization([], hypothesis)
    assert score.total == 0
    assert score.false_alarm == pytest.approx(sum(t.segment.duration for t in hypothesis))
    assert math.isnan(score.der)
    assert math.isnan(score.jer)
    assert "|   - |" in format_score_table([score], collar=0, skip_overlap=False)


@pytest.mark.parametrize(
    ("hypothesis", "collar", "message"),
    [
        (turns((0, 1, "A"), recording="other"), 0, r"\['meeting', 'other'\]"),
        (REFERENCE, -1, "collar >= 0, got .* and -1"),
    ],
)
def test_impossible_arguments(hypothesis, collar, message):
    with pytest.raises(ValueError, match=message):
        score_diarization(REFERENCE, hypothesis, collar=collar)


def test_pool_weights_der_by_speech_and_jer_by_speakers():
    perfect = score_diarization(REFERENCE, REFERENCE)
    other = turns((0, 10, "carl"), (10, 30, "dora"), recording="other")
    missed = score_diarization(other, [])
    pooled = pool([perfect, missed])
    assert pooled.recording == "TOTAL"
    assert pooled.der == pytest.approx(30 / 40)
    assert pooled.jer == pytest.approx((0 + 0 + 1 + 1) / 4)
    assert (pooled.n_reference, pooled.n_hypothesis) == (4, 2)
    silent = score_diarization([], turns((0, 10, "A"), recording="silent"))
    assert pool([perfect, missed, silent]).der == pytest.approx(1.0)
    assert pool([perfect, missed, silent]).jer == pytest.approx(1 / 2)


def test_pool_refuses_mixed_conditions():
    uem = score_diarization(REFERENCE, REFERENCE, scored=[Segment(0, 10)])
    with pytest.raises(ValueError, match="one source of the scored region, got"):
        pool([uem, score_diarization(REFERENCE, REFERENCE)])
    with pytest.raises(ValueError, match=r"got \[\]"):
        pool([])


def test_table_states_its_conditions():
    score = score_diarization(REFERENCE, turns((1, 5, "A"), (5, 8, "B"), (8, 10, "A")), collar=0.25)
    lines = format_score_table([score], collar=0.25, skip_overlap=False).splitlines()
    assert (
        lines[0]
        == "collar 0.25 s each side, overlap scored, scored region: reference and hypothesis extent; in %"
    )
    assert lines[2].replace(" ", "") == "|recording|DER|miss|falsealarm|confusion|JER|speakersref/hyp|"
    assert [line.split("|")[1].strip() for line in lines[4:]] == ["meeting", "TOTAL"]
    assert len({len(line) for line in lines[2:]}) == 1
    lines = format_score_table([score], collar=0, skip_overlap=True).splitlines()
    assert lines[0].startswith("collar 0 s each side, overlap left out, scored region")


def test_a_table_by_hand():
    # anna has 7 s, of which 6 s are found: JER (1 / 7 + 0) / 2.
    score = score_diarization(REFERENCE, turns((1, 5, "A"), (5, 8, "B"), (8, 10, "A")))
    silent = score_diarization([], turns((0, 10, "A"), recording="silent"))
    table = format_score_table([score, silent], collar=0, skip_overlap=False)
    assert (
        table
        == """\
collar 0 s each side, overlap scored, scored region: reference and hypothesis extent; in %

| recording |    DER |  miss | false alarm | confusion |  JER | speakers ref/hyp |
|-----------|-------:|------:|------------:|----------:|-----:|-----------------:|
| meeting   |  10.00 | 10.00 |        0.00 |      0.00 | 7.14 |              2/2 |
| silent    |      - |     - |           - |         - |    - |              0/1 |
| TOTAL     | 110.00 | 10.00 |      100.00 |      0.00 | 7.14 |              2/3 |

silent: no reference speech, 10.00 s of false alarm; no rate
"""
    )
