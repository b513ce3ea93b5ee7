"""The two-covariance model and the choice of the number of speakers, with values by hand and plain loops."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from diarize.clustering.reasons import explain
from diarize.config import ClusteringConfig
from diarize.speakers import number
from diarize.speakers.enrolment import Verifier
from diarize.speakers.number import Costs, cluster_by_evidence, cost_of_likeness, window_weight
from diarize.speakers.plda import Backend, centre_groups, learn_backend

ONE = Backend(np.eye(1), [1.0])
Y = np.array([[2.0], [2.0], [-1.0]])


def test_speakers_and_likelihoods_by_hand():
    shares = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    # n = 2, s = 4: C = 1 / (1 + 2), m = 4 / 3. n = 1, s = -1: C = 1 / 2, m = -1 / 2.
    mean, variance = ONE.speakers(Y, shares, 1.0)
    np.testing.assert_allclose(mean, [[4 / 3], [-1 / 2]])
    np.testing.assert_allclose(variance, [[1 / 3], [1 / 2]])
    # x m - (m^2 + C) / 2
    np.testing.assert_allclose(
        ONE.log_likelihoods(Y[[0, 2]], mean, variance),
        [[8 / 3 - 19 / 18, -1 - 3 / 8], [-4 / 3 - 19 / 18, 1 / 2 - 3 / 8]],
    )
    mean, variance = ONE.speakers(Y, shares, 0.5)
    np.testing.assert_allclose(mean, [[1], [-1 / 3]])
    np.testing.assert_allclose(variance, [[1 / 2], [2 / 3]])
    assert ONE.evidence(Y, np.array([0, 0, 1]), 1.0) == pytest.approx(
        (16 / 3 - np.log(3) + 1 / 2 - np.log(2)) / 2
    )


def test_whitening_about_a_centre():
    backend = Backend([[2.0], [1.0]], [1.0])
    X = np.array([[1, 2], [3, 6]])
    np.testing.assert_array_equal(backend.whiten(X), [[-4], [4]])
    np.testing.assert_array_equal(backend.whiten(X, [1, 1]), [[1], [9]])
    single = np.random.default_rng(0).normal(1000, 1, (99, 2)).astype(np.float32)
    np.testing.assert_array_equal(backend.whiten(single), backend.whiten(single.astype(np.float64)))


def test_each_step_of_a_reassignment_begins_at_the_shares_of_the_last():
    random = np.random.default_rng(4)
    X = np.concatenate([random.normal(-1, 1, (20, 2)), random.normal(1, 1, (20, 2))])
    backend, labels = Backend(np.eye(2), [4.0, 4.0]), np.repeat([0, 1, 0, 1], [11, 9, 9, 11])
    shares = np.eye(2)[labels]
    reached = []
    for _ in range(4):
        fit = backend.log_likelihoods(X, *backend.speakers(X, shares, 0.2))
        weights = np.exp(0.2 * fit)
        shares = weights / weights.sum(axis=1, keepdims=True)
        reached.append(shares.argmax(axis=1))
    for n_steps, expected in enumerate(reached, start=1):
        found = backend.reassign(X, labels, 0.2, n_steps)
        assert found.dtype == np.int64
        assert found.tolist() == expected.tolist()
    assert (reached[0] != reached[1]).any()
    assert (reached[1] != reached[2]).any()
    assert backend.reassign(X, labels, 0.2).tolist() == reached[0].tolist()


def test_covariances_of_three_speakers_by_hand():
    """Means of clips 4, 1, 7 | 11, 14 | -10, -5; of speakers 4, 12.5, -7.5."""
    clips = {"a": [4], "b": [0, 2], "c": [7], "d": [10, 12], "e": [14], "f": [-10], "g": [-6, -4]}
    who = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y", "f": "z", "g": "z"}
    rows = [(value, who[clip], clip) for clip, values in clips.items() for value in values]
    rows += [(1000, "of one clip", "h"), (2000, "of one clip", "h")]
    X, speakers, names = zip(*rows, strict=True)
    backend = learn_backend(np.array(X)[:, None], speakers, names)
    window, clip = 6 / (10 - 7), (18 + 4.5 + 12.5) / (7 - 3)
    within = clip + window * (1 - 5.5 / 7)
    between = (1 + 90.25 + 110.25) / 2 - clip * (1 / 3 + 1 / 2 + 1 / 2) / 3
    assert abs(backend.projection.item()) == pytest.approx(within**-0.5)
    assert backend.spread.item() == pytest.approx(between / within)
    single = np.array(X, np.float32)[:, None] + np.float32(0.1)
    double = learn_backend(single.astype(np.float64), speakers, names)
    np.testing.assert_array_equal(learn_backend(single, speakers, names).projection, double.projection)
    given = Backend(np.ones((2, 1), np.float32), [2])
    assert given.projection.dtype == given.spread.dtype == np.float64


def test_speakers_who_are_alike_have_no_spread():
    X, speakers, clips = np.array([[0.0], [2.0], [0.0], [2.0]]), [0, 0, 1, 1], [0, 1, 2, 3]
    assert learn_backend(np.repeat(X, 2, axis=0), np.repeat(speakers, 2), np.repeat(clips, 2)).spread == [0]


def test_groups_are_centred_each():
    vectors = np.array([[1.0, 0], [5, 1], [3, 2], [7, 7]])
    np.testing.assert_array_equal(
        centre_groups(vectors, ["b", "a", "b", "c"]), [[-1, -1], [0, 0], [1, 1], [0, 0]]
    )


def test_costs_by_hand():
    settings = ClusteringConfig(
        seconds_a_sample=4.0, seconds_in_full=60.0, second_speaker_rate=2.0, overlap_gain=3.0
    )
    assert window_weight(settings, 8.0) == 1.0
    short, long = Costs(settings, 0.75, 80), Costs(settings, 0.75, 8 * 80)
    assert (short.weight, long.weight) == (0.1875, 0.1875)
    assert short.second_speaker(45.0, 4.0) == 2 * (45 - 25) - 3 * 4
    assert short.second_speaker(20.0, 4.0) == -3 * 4
    assert long.second_speaker(480.0, 40.0) == pytest.approx(2 * (480 / 4 - 25) - 3 * 40 / 4)


def test_the_cost_of_likeness_by_hand():
    """Each pair's ratio by the densities of two means, about the mean of all, of which the largest counts."""
    law, weight, hop = np.array([2.0, 0.2, 1.0, 0.0]), 5.0, 0.5
    verifier = Verifier(np.full(2, 7.0), Backend(np.eye(2), [9.0, 4.0]), law, np.array([[0.1, 0], [0.01, 2]]))
    labels = np.repeat([0, 1, 2], [8, 4, 6])
    random = np.random.default_rng(0)
    vectors = np.array([[0.0, 0.0], [0.5, 0.2], [6.0, 3.0]])[labels] + random.normal(size=(18, 2))
    means = np.array([vectors[labels == k].mean(axis=0) for k in range(3)])
    x, noise = means - means.mean(axis=0), 2.0 / (hop * np.array([8, 4, 6])) + 0.2
    ratios = []
    for i, j in combinations(range(3), 2):
        ratio = 0.0
        for d, psi in enumerate((9.0, 4.0)):
            apart = np.diag(noise[[i, j]] + psi)
            together = np.diag(noise[[i, j]]) + psi
            pair = x[[i, j], d]
            ratio += multivariate_normal(cov=together).logpdf(pair)
            ratio -= multivariate_normal(cov=apart).logpdf(pair)
        ratios.append(ratio)
    expected = weight * (max(ratios) - np.log(3) + 4)
    assert expected > 0
    assert cost_of_likeness(vectors, verifier, weight, hop, labels) == pytest.approx(expected)
    two = np.repeat([0, 1], 9)
    assert cost_of_likeness(vectors, verifier, weight, hop, two) == 0.0, "two have no others"


class Proposals:
    """A clusterer that proposes given partitions, and records the numbers for which it was asked."""

    def __init__(self, *partitions, n_speakers=None, min_speakers=1, max_speakers=None):
        self.proposed, self.asked = partitions, []
        self.n_speakers, self.min_speakers, self.max_speakers = n_speakers, min_speakers, max_speakers

    def partitions(self, X, lowest, highest):
        self.asked.append((lowest, highest))
        return iter(map(np.array, self.proposed))

    def fit(self, X):
        self.labels_ = np.arange(len(X)) // 30
        self.evidence_ = explain(self.labels_, "by itself")


FOUR = Backend(np.eye(2), [9.0, 9.0])
SPEAKERS = np.repeat(np.arange(4), 15)
SPOTS = np.array([[-5.0, 0], [5, 0], [0, 5], [0, -5]])


def windows() -> np.ndarray:
    return SPOTS[SPEAKERS] + np.random.default_rng(0).normal(size=(60, 2))


def choose(clusterer, speaker_cost=1.0, **options):
    return cluster_by_evidence(windows(), clusterer, FOUR, 0.5, speaker_cost, **options)


def test_the_reason_has_the_scores_of_the_neighbours():
    halves = SPEAKERS * 2 + (np.arange(60) % 2)
    proposals = [0 * SPEAKERS, SPEAKERS // 2, np.minimum(SPEAKERS, 2), SPEAKERS, halves % 5]
    labels, evidence = choose(Proposals(*proposals, max_speakers=5))
    assert labels.tolist() == SPEAKERS.tolist()
    scores = {each["n_speakers"]: each["score"] for each in evidence["candidates"]}
    assert list(scores) == sorted(scores)
    Y = FOUR.whiten(windows())
    for k in (1, 4):
        partition = {1: 0 * SPEAKERS, 4: SPEAKERS}[k]
        assert scores[k] == pytest.approx(FOUR.evidence(Y, partition, 0.5) - 1.0 * k)
    near = [f"{scores[4] - scores[k]:.1f} nats above {k}" for k in (3, 5) if k in scores]
    assert near
    assert evidence["reason"] == f"4 speakers have the largest evidence, {' and '.join(near)}"
    _, evidence = choose(Proposals(0 * SPEAKERS, SPEAKERS, max_speakers=4), speaker_cost=1e6)
    assert evidence["reason"] == "1 speaker has the largest evidence"
    _, evidence = choose(Proposals(0 * SPEAKERS, SPEAKERS, max_speakers=4), speaker_cost=1e6, several=True)
    assert evidence["reason"] == "4 speakers have the largest evidence"
    _, evidence = choose(Proposals(0 * SPEAKERS, max_speakers=4), several=True)
    assert evidence["n_speakers"] == 1
    _, evidence = choose(Proposals(SPEAKERS, n_speakers=4))
    assert evidence["reason"] == "4 speakers, as requested, in the partition with the largest evidence"


@pytest.mark.parametrize(
    ("bounds", "asked"),
    [
        ({}, (1, 24)),
        ({"max_speakers": 5}, (1, 9)),
        ({"min_speakers": 30}, (30, 34)),
        ({"min_speakers": 57}, (57, 60)),
        ({"n_speakers": 2}, (2, 6)),
    ],
)
def test_numbers_that_a_clusterer_is_asked_for(bounds, asked):
    clusterer = Proposals(SPEAKERS, **bounds)
    choose(clusterer)
    assert clusterer.asked == [asked]


def test_without_a_partition_within_the_bounds_the_clusterer_decides():
    for clusterer in (Proposals(SPEAKERS, max_speakers=3), Proposals(SPEAKERS, max_speakers=1)):
        labels, evidence = choose(clusterer)
        assert labels.tolist() == (np.arange(60) // 30).tolist()
        assert evidence["reason"] == "by itself"
    assert clusterer.asked == [], "one speaker needs no partition"
    assert choose(Proposals(SPEAKERS, max_speakers=4))[1]["n_speakers"] == 4
    assert choose(Proposals(SPEAKERS, min_speakers=4))[1]["n_speakers"] == 4


def test_of_partitions_into_one_number_the_one_with_more_evidence_is_taken():
    one, other = SPEAKERS // 2, np.where(SPEAKERS == 0, 0, 1)
    Y = FOUR.whiten(windows())

    def reached(start):
        labels = FOUR.reassign(Y, start, 0.5)
        return FOUR.evidence(Y, labels, 0.5), labels.tolist()

    best = max(reached(one), reached(other))
    assert reached(one)[1] != reached(other)[1]
    for order in ([one, other], [other, one]):
        labels, evidence = choose(Proposals(*order, max_speakers=2))
        assert labels.tolist() == best[1]
        assert evidence["candidates"][0]["score"] == pytest.approx(best[0] - 2.0)


def test_likeness_counts_unless_the_number_is_given():
    def likeness(labels):
        return 1e6 * (labels.max() == 3)

    proposals = [SPEAKERS, SPEAKERS // 2]
    assert choose(Proposals(*proposals), likeness=likeness)[1]["reason"].startswith("2 speakers have the")
    assert choose(Proposals(*proposals))[1]["n_speakers"] == 4
    told = choose(Proposals(*proposals, n_speakers=4), likeness=likeness)[1]
    assert told["candidates"][0]["score"] > 0


def test_exchanges_are_tried_in_the_order_of_their_evidence():
    """All 12 ways to merge two of four and to split a third; the first dimension tells speakers apart."""
    backend, labels, weight = Backend(np.eye(3), [9.0, 0.5, 0.1]), SPEAKERS, 0.7
    random = np.random.default_rng(1)
    Y = np.column_stack([windows(), np.zeros(60)]) + random.normal(0, [1, 2, 3], (60, 3))
    scale = np.sqrt(backend.spread / (1 + backend.spread))
    half = number._second_halves(Y * scale, labels)
    for speaker in range(4):
        X = centre_groups(Y[labels == speaker] * scale, np.zeros(15))
        along, own = X @ np.linalg.svd(X)[2][0], half[labels == speaker]
        assert own.tolist() in ((along > 0).tolist(), (along < 0).tolist()), "the widest direction"
    made = []
    for one, other in combinations(range(4), 2):
        for third in {*range(4)} - {one, other}:
            start = np.where(half & (labels == third), 4, labels)
            start = np.where(start == other, one, start)
            made.append((backend.evidence(Y, np.unique(start, return_inverse=True)[1], weight), start))
    made.sort(key=lambda pair: -pair[0])
    tried = [*number._merged_and_split(Y, labels, backend, weight)]
    assert len(tried) == 5
    for found, (_, expected) in zip(tried, made, strict=False):
        names = dict(zip(expected.tolist(), found.tolist(), strict=True))
        assert [names[each] for each in expected.tolist()] == found.tolist()
        assert (found[0], len(set(found.tolist()))) == (0, 4)


@pytest.mark.parametrize("number_weight", [0.1, 0.5, 1.0])
def test_windows_are_reassigned_by_both_weights(number_weight):
    """Voices that overlap, so that weights and steps change who speaks."""
    random = np.random.default_rng(2)
    X = 0.25 * SPOTS[SPEAKERS] + random.normal(size=(60, 2))
    Y = FOUR.whiten(X)
    starts = [SPEAKERS, SPEAKERS // 2, np.minimum(SPEAKERS, 2), random.permutation(SPEAKERS)]

    def best(weight, n_steps):
        found = {}
        for start in starts:
            labels = np.unique(FOUR.reassign(Y, start, weight, n_steps), return_inverse=True)[1]
            k = int(labels.max()) + 1
            score = FOUR.evidence(Y, labels, weight) - 0.5 * k - 7.0
            if k not in found or score > found[k][0]:
                found[k] = score, labels
        return found

    finer = number_weight < 0.5
    chosen = best(min(number_weight, 0.5), 10 if finer else 1)
    k = max(chosen, key=lambda k: chosen[k][0])
    labels = (best(0.5, 1) if finer else chosen)[k][1]
    found, evidence = cluster_by_evidence(
        X, Proposals(*starts, max_speakers=4), FOUR, 0.5, 0.5, number_weight, likeness=lambda labels: 7.0
    )
    scores = {each["n_speakers"]: each["score"] for each in evidence["candidates"]}
    assert scores == pytest.approx({k: score for k, (score, _) in chosen.items()})
    names = dict(zip(labels.tolist(), found.tolist(), strict=True))
    assert [names[each] for each in labels.tolist()] == found.tolist()
    assert len(set(found.tolist())) == k
