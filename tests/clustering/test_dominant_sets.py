import logging

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from diarize.clustering.affinity import angular_distance, locally_scaled_affinity
from diarize.clustering.dominant_sets import WINDOWS, DominantSets
from diarize.clustering.partitions import number_by_first_appearance
from diarize.clustering.replicator import peel, replicator_dynamics
from diarize.errors import ConfigError


def given(A):
    """An affinity function that returns this matrix; the vectors only tell how many there are."""
    return lambda X: np.array(A, dtype=float)


def blocks(sizes, within=1.0, across=0.0):
    """Affinities (n, n) of cliques, zero on the diagonal."""
    block = np.repeat(np.arange(len(sizes)), sizes)
    A = np.where(block[:, None] == block, within, across)
    np.fill_diagonal(A, 0)
    return A


def directions(degrees):
    """Unit vectors (n, 2)."""
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def random_affinity(seed, n=30):
    A = np.random.default_rng(seed).random((n, n)) ** 2
    A = (A + A.T) / 2
    np.fill_diagonal(A, 0)
    return A


def voices(seed, n_speakers, n_each, noise, dim=64):
    """Vectors around one random direction a speaker, shuffled, and who speaks."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(np.arange(n_speakers), n_each))
    return rng.normal(size=(n_speakers, dim))[who] + noise * rng.normal(size=(len(who), dim)), who


def naive_dynamics(B, epsilon):
    """Replicator dynamics as printed: a loop over i and over j."""
    n = len(B)
    x = [1 / n] * n
    while True:
        payoff = [sum(B[i][j] * x[j] for j in range(n)) for i in range(n)]
        mean = sum(x[i] * payoff[i] for i in range(n))
        new = [x[i] * payoff[i] / mean for i in range(n)]
        moved = sum((a - b) ** 2 for a, b in zip(new, x, strict=True)) ** 0.5
        x = new
        if moved <= epsilon:
            return np.array(x)


def plain_labels(A, theta=0.1, epsilon=1e-6):
    """The published protocol, every step on all items that are left."""
    labels, rest, k = np.zeros(len(A), int), np.arange(len(A)), 0
    while len(rest) > 1 and A[np.ix_(rest, rest)].sum() > 0:
        B = A[np.ix_(rest, rest)]
        x, moved = np.full(len(rest), 1 / len(rest)), 1.0
        while moved > epsilon:
            new = x * (B @ x) / (x @ B @ x)
            x, moved = new, np.linalg.norm(new - x)
        inside = x >= theta * x.max()
        labels[rest[inside]], rest, k = k, rest[~inside], k + 1
    labels[rest] = k + np.arange(len(rest))
    return number_by_first_appearance(labels)


# Replicator dynamics


@pytest.mark.parametrize("seed", range(3))
def test_dynamics_equal_a_double_loop(seed):
    A = random_affinity(seed, 12)
    assert replicator_dynamics(A) == pytest.approx(naive_dynamics(A, 1e-6), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("alpha", [0.05, 0.5])
def test_regularised_dynamics_equal_a_double_loop_on_raised_payoffs(seed, alpha):
    A = random_affinity(seed, 10)
    B = A + alpha * (1 - np.eye(len(A)))
    assert replicator_dynamics(A, alpha, 1e-9) == pytest.approx(naive_dynamics(B, 1e-8), abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0, 10.0])
def test_fixed_points_are_maximisers_of_the_regularised_form(seed, alpha):
    # Karush-Kuhn-Tucker: half the gradient of x'(A - alpha I)x is equal on the support and nowhere larger.
    A = random_affinity(seed)
    x = replicator_dynamics(A, alpha, epsilon=1e-12)
    gradient = A @ x - alpha * x
    support = x > 1e-6
    assert x.sum() == pytest.approx(1)
    assert (x >= 0).all()
    assert np.ptp(gradient[support]) < 1e-5
    assert (gradient[~support] <= gradient[support].mean() + 1e-5).all()


def test_support_grows_with_alpha():
    A = random_affinity(0)
    sizes = [(replicator_dynamics(A, alpha, 1e-10) > 1e-4).sum() for alpha in (0, 0.3, 1, 3, 30)]
    assert sizes == sorted(sizes)
    assert sizes[0] < 8
    assert sizes[-1] == len(A)


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e9])
def test_dynamics_are_the_same_at_any_scale(scale):
    A = random_affinity(1)
    assert replicator_dynamics(scale * A, scale * 0.2) == pytest.approx(replicator_dynamics(A, 0.2))


def test_too_few_steps_are_logged(caplog):
    with caplog.at_level(logging.WARNING):
        replicator_dynamics(random_affinity(0), max_iterations=3)
    assert "not converged after 3 steps on 30 embeddings" in caplog.text


@pytest.mark.parametrize("alpha", [2.0, 6.0])
def test_infection_and_immunisation_find_the_sets_of_a_plain_loop(alpha):
    A = random_affinity(0, 60) * 0.3
    for block in (slice(0, 25), slice(25, 45), slice(45, 60)):
        A[block, block] += 0.7
    np.fill_diagonal(A, 0)
    labels = np.full(len(A), -1)
    for number, (members, weights) in enumerate(peel(A, alpha)):
        labels[members] = number
        assert weights.sum() == pytest.approx(1, abs=0.01)
    raised = A + alpha * (1 - np.eye(len(A)))
    assert number_by_first_appearance(labels).tolist() == plain_labels(raised, epsilon=1e-7).tolist()


def test_peeling_ends_where_no_affinity_is_left():
    A = blocks([3, 2])
    A = np.pad(A, (0, 2))
    assert [members.tolist() for members, _ in peel(A)] == [[0, 1, 2], [3, 4]]
    assert [members.tolist() for members, _ in peel(np.zeros((1, 1)))] == [[0]]


# Published settings


@pytest.mark.parametrize("seed", range(20))
def test_published_settings_give_the_plain_dynamics_sets(seed):
    rng = np.random.default_rng(seed)
    X, _ = voices(seed, int(rng.integers(2, 20)), int(rng.integers(2, 8)), rng.uniform(0.2, 1.5))
    assert np.array_equal(DominantSets().fit_predict(X), plain_labels(locally_scaled_affinity(X)))


def test_forty_speakers_with_two_utterances_each():
    X, who = voices(0, 40, 2, 0.3, dim=256)
    clusterer = DominantSets().fit(X)
    assert clusterer.n_speakers_ == 40
    assert adjusted_rand_score(who, clusterer.labels_) == 1
    assert clusterer.evidence_["candidates"] == [{"n_speakers": 40, "score": 0.0}]


def test_published_figures_on_vggvox_features(shared_data):
    found = sorted(shared_data.rglob("TIMIT_SMALL_VGGVOX.mat"))
    if not found:
        pytest.skip("no TIMIT_SMALL_VGGVOX.mat beside the checkout")
    from scipy.io import loadmat

    content = loadmat(found[0], squeeze_me=True)
    speakers = np.array([str(name) for name in content["L"]])
    sentences = content["A"].reshape(-1, 10, content["A"].shape[1])  # (speakers, sentences, dim)
    assert (speakers.reshape(-1, 10) == speakers.reshape(-1, 10)[:, :1]).all()
    X = np.stack([sentences[:, :8].mean(axis=1), sentences[:, 8:].mean(axis=1)], axis=1)  # (speakers, 2, dim)
    labels = DominantSets().fit_predict(X.reshape(-1, X.shape[2]))
    assert np.array_equal(labels, np.repeat(np.arange(40), 2))


def test_two_planted_cliques():
    A = blocks([4, 6], within=0.9, across=0.05)
    order = np.random.default_rng(0).permutation(10)
    clusterer = DominantSets(affinity=given(A[np.ix_(order, order)])).fit(np.eye(10))
    assert adjusted_rand_score(order < 4, clusterer.labels_) == 1
    # In a clique all weigh the same.
    assert clusterer.participation_[order < 4] == pytest.approx(1 / 4, abs=1e-3)
    assert clusterer.participation_[order >= 4] == pytest.approx(1 / 6, abs=1e-3)


def test_cutoff_is_relative():
    # Each of 20 equals weighs 0.05: any absolute cutoff of 0.1 would leave them all out.
    for theta in (0.1, 0.9):
        assert DominantSets(affinity=given(blocks([20])), theta=theta).fit(np.eye(20)).n_speakers_ == 1


def test_negative_affinity_and_diagonal_count_as_zero():
    A = blocks([2, 3], within=1.0, across=-5.0) + 7 * np.eye(5)
    assert DominantSets(affinity=given(A)).fit_predict(np.eye(5)).tolist() == [0, 0, 1, 1, 1]


# Items without affinity

LONELY = np.pad(blocks([3, 4]), (0, 3))
PLACES = directions([0, 1, 2, 60, 61, 62, 63, 25, 40, 50])


@pytest.mark.parametrize(
    ("leftover", "labels", "weights"),
    [
        ("single", [0, 0, 0, 1, 1, 1, 1, 2, 3, 4], [1, 1, 1]),
        ("whole", [0, 0, 0, 1, 1, 1, 1, 2, 2, 2], [1 / 3, 1 / 3, 1 / 3]),
        ("nearest", [0, 0, 0, 1, 1, 1, 1, 0, 1, 1], [0, 0, 0]),
    ],
)
def test_leftover_rules(leftover, labels, weights):
    clusterer = DominantSets(affinity=given(LONELY), leftover=leftover).fit(PLACES)
    assert clusterer.labels_.tolist() == labels
    assert clusterer.participation_[7:] == pytest.approx(weights)


@pytest.mark.parametrize("seed", range(10))
def test_nearest_is_the_nearest_and_may_be_the_last_cluster(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(10, 3))
    labels = DominantSets(affinity=given(LONELY), leftover="nearest").fit_predict(X)
    nearest = angular_distance(X)[7:, :7].argmin(axis=1)
    assert np.array_equal(labels[7:], labels[nearest])


@pytest.mark.parametrize(("leftover", "n"), [("single", 4), ("whole", 1), ("nearest", 4)])
def test_leftover_rules_without_any_set(leftover, n):
    assert DominantSets(affinity=given(np.zeros((4, 4))), leftover=leftover).fit(np.eye(4)).n_speakers_ == n


# Coarser sets


def test_number_falls_with_coarseness():
    # Two pairs of cliques: the two of a pair join before the pairs do.
    A = np.maximum(blocks([4, 5, 6, 7], across=0.02), blocks([9, 13], within=0.5, across=0.02))
    numbers = [
        DominantSets(affinity=given(A), coarseness=c).fit(np.eye(22)).n_speakers_ for c in (0, 0.1, 0.5, 3)
    ]
    assert numbers == [4, 4, 2, 1]


@pytest.mark.parametrize("coarseness", [0.25, 0.5, 3])
def test_twice_as_much_of_every_voice_gives_the_same_sets(coarseness):
    X, _ = voices(0, 5, 12, 1.0)
    clusterer = DominantSets(**{**WINDOWS, "coarseness": coarseness})
    rng = np.random.default_rng(0)
    twice = np.concatenate([X, X + 1e-3 * rng.normal(size=X.shape)])
    once, both = clusterer.fit_predict(X), clusterer.fit_predict(twice)
    assert adjusted_rand_score(once, both[: len(X)]) > 0.9
    assert np.array_equal(both[: len(X)], both[len(X) :])


@pytest.mark.parametrize("seed", range(5))
def test_windows_of_a_recording(seed):
    X, who = voices(seed, 2 + seed, 40, 1.0, dim=192)
    assert DominantSets().fit(X).n_speakers_ > 2 * (2 + seed)
    clusterer = DominantSets(**WINDOWS).fit(X)
    assert adjusted_rand_score(who, clusterer.labels_) == 1
    assert clusterer.evidence_["reason"] == (
        f"{2 + seed} dominant sets hold at least 3 embeddings at coarseness 0.25"
    )


@pytest.mark.parametrize("n_speakers", [1, 2, 3, 5, 8, 20, 60])
@pytest.mark.parametrize("settings", [{}, WINDOWS], ids=["published", "windows"])
def test_the_wanted_number_is_met(n_speakers, settings):
    X, _ = voices(1, 4, 15, 0.8)
    clusterer = DominantSets(**settings, n_speakers=n_speakers).fit(X)
    assert clusterer.n_speakers_ == n_speakers
    assert clusterer.participation_.shape == (60,)


def test_bounds_take_the_nearest_coarseness_that_meets_them():
    X, who = voices(1, 4, 15, 0.8)
    clusterer = DominantSets(max_speakers=4).fit(X)
    assert adjusted_rand_score(who, clusterer.labels_) > 0.9
    assert "the nearest to 0 within the bounds" in clusterer.evidence_["reason"]
    scores = [candidate["score"] for candidate in clusterer.evidence_["candidates"]]
    numbers = [candidate["n_speakers"] for candidate in clusterer.evidence_["candidates"]]
    assert scores == sorted(scores)
    assert numbers == sorted(numbers, reverse=True)
    finer = DominantSets(**WINDOWS, min_speakers=6).fit(X)
    assert finer.n_speakers_ >= 6
    assert finer.evidence_["candidates"][-1] == {"n_speakers": 4, "score": 0.25}


def test_small_sets_are_absorbed_by_the_nearest():
    X = np.concatenate([directions([0, 1, 2, 3, 4]), directions([90, 91, 92, 93]), directions([70])])
    A = np.pad(blocks([5, 4]), (0, 1))
    clusterer = DominantSets(affinity=given(A), min_cluster_size=3).fit(X)
    assert clusterer.labels_.tolist() == [0] * 5 + [1] * 5
    assert clusterer.evidence_["absorbed"] == [1]


def test_more_items_than_fit_into_memory(caplog):
    X, who = voices(2, 4, 50, 0.8)
    with caplog.at_level(logging.INFO):
        clusterer = DominantSets(**WINDOWS | {"max_items": 70}).fit(X)
    assert adjusted_rand_score(who, clusterer.labels_) > 0.95
    assert "200 embeddings: one in 3 is clustered" in caplog.text
    assert (clusterer.participation_ > 0).sum() <= 67
    assert DominantSets(**WINDOWS | {"max_items": 70, "n_speakers": 100}).fit(X).n_speakers_ == 100


# Settings


def test_nothing_clustered_is_uniform():
    clusterer = DominantSets().fit(np.eye(4))
    assert clusterer.set_params(n_speakers=1).fit(np.eye(5)).participation_.tolist() == [0.2] * 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"theta": 0}, "need 0 < theta <= 1, epsilon > 0 and coarseness >= 0, got 0, 1e-06 and 0.0"),
        ({"epsilon": 0}, "got 0.1, 0 and"),
        ({"coarseness": -1}, "and -1"),
        ({"leftover": "noise"}, "unknown leftover rule 'noise'; known: single, whole, nearest"),
        ({"affinity": "none"}, "unknown affinity 'none'; known: "),
    ],
)
def test_impossible_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        DominantSets(**settings).fit(np.eye(3))


def test_affinity_of_another_shape():
    with pytest.raises(ValueError, match=r"affinity of 3 vectors must be \(3, 3\), got \(2, 2\)"):
        DominantSets(affinity=given(np.zeros((2, 2)))).fit(np.eye(3))
