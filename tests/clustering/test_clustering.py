"""The contract of all clusterers, and what each of them finds in planted clusters."""

import json
import logging

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.utils.estimator_checks import check_estimator

from diarize.clustering import CLUSTERERS, build_clusterer, partitions
from diarize.clustering.affinity import (
    AFFINITIES,
    angular_distance,
    cosine_similarity,
    locally_scaled_affinity,
    resolve_affinity,
    unit,
)
from diarize.clustering.agglomerative import THRESHOLDS, Tree
from diarize.clustering.bounds import speaker_bounds
from diarize.clustering.dominant_sets import WINDOWS
from diarize.clustering.levels import SmallClusters, merge_distances, merge_tree
from diarize.clustering.partitions import (
    absorb_small,
    cluster_sums,
    count,
    merge_to,
    number_by_first_appearance,
    split_to,
)
from diarize.clustering.silhouette import mean_silhouette
from diarize.clustering.spectral import first_eigenvectors, laplacian
from diarize.errors import ConfigError

METHODS = list(CLUSTERERS)
SIZES = [*range(1, 9)] * 10 + [10, 14, 20, 25, 33, 42, 50, 70] * 14 + [90, 110, 130, 150, 200, 250, 300, 500]


# Checks of scikit-learn that a clusterer need not pass.
FAILS = {
    "dominant-sets": {
        "check_clustering": "the published settings are for utterances: two items a speaker, not seventeen",
        "check_clustering(readonly_memmap=True)": "the same",
    }
}


def clusterer_of_windows(method, **params):
    """The clusterer with settings for many items a speaker."""
    return build_clusterer(method, **(WINDOWS if method == "dominant-sets" else {}), **params)


def planted(rng, n_speakers=4, n_items=120, dim=32, spread=0.5):
    """Vectors around one random direction a speaker, and who speaks."""
    speakers = np.concatenate([np.arange(n_speakers), rng.integers(0, n_speakers, n_items - n_speakers)])
    vectors = rng.normal(size=(n_speakers, dim))[speakers] + spread * rng.normal(size=(n_items, dim))
    return vectors, speakers


def random_problem(seed):
    """Vectors of any kind, and bounds that they can meet."""
    rng = np.random.default_rng(seed)
    n, dim = SIZES[seed % len(SIZES)], int(rng.choice([2, 3, 16, 64, 256]))
    vectors, _ = planted(rng, min(n, int(rng.integers(1, 7))), n, dim, spread=rng.choice([0.05, 0.5, 2]))
    if rng.random() < 0.3:  # copies
        vectors = vectors[rng.integers(0, max(n // 3, 1), n)]
    if rng.random() < 0.3:
        vectors[rng.random(n) < rng.choice([0.1, 1.0], p=[0.9, 0.1])] = 0
    most = n if rng.random() < 0.2 else min(n, 12)
    low, high = sorted(int(k) for k in rng.integers(1, most + 1, 2))
    bounds = [
        {},
        {"n_speakers": low},
        {"min_speakers": low},
        {"max_speakers": high},
        {"min_speakers": low, "max_speakers": high},
        {"n_speakers": high, "min_speakers": low},
        {"max_speakers": high + n},
    ]
    return vectors, bounds[int(rng.integers(len(bounds)))]


@pytest.mark.parametrize("method", METHODS)
def test_bounds_are_honoured_on_200_random_problems(method):
    assert len(SIZES) == 200
    for seed in range(200):
        vectors, bounds = random_problem(seed)
        clusterer = build_clusterer(method, **bounds).fit(vectors)
        lowest, highest = speaker_bounds(len(vectors), **bounds)
        labels = clusterer.labels_
        told = f"problem {seed}: {vectors.shape} {bounds} {clusterer.evidence_}"
        assert labels.shape == (len(vectors),), told
        assert lowest <= count(labels) <= highest, told
        assert clusterer.n_speakers_ == count(labels) == clusterer.evidence_["n_speakers"], told
        assert np.array_equal(labels, number_by_first_appearance(labels)), told
        assert json.loads(json.dumps(clusterer.evidence_, allow_nan=False)) == clusterer.evidence_, told
        assert set(clusterer.evidence_) == {"n_speakers", "reason", "candidates", "absorbed"}, told


@pytest.mark.filterwarnings("ignore:.*does not inherit from:UserWarning")
@pytest.mark.parametrize("method", METHODS)
def test_scikit_learn_takes_it_for_an_estimator(method):
    check_estimator(build_clusterer(method), expected_failed_checks=FAILS.get(method), on_skip=None)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_speakers", [None, 4])
def test_planted_speakers_are_found(method, n_speakers):
    for seed in range(5):
        vectors, speakers = planted(np.random.default_rng(seed))
        labels = clusterer_of_windows(method, n_speakers=n_speakers).fit_predict(vectors)
        assert adjusted_rand_score(speakers, labels) == 1


@pytest.mark.parametrize("method", METHODS)
def test_same_vectors_same_labels_and_order_only_renames(method):
    rng = np.random.default_rng(3)
    vectors, _ = planted(rng, spread=0.7)
    labels = clusterer_of_windows(method).fit_predict(vectors)
    assert np.array_equal(labels, clusterer_of_windows(method).fit_predict(vectors))
    assert np.array_equal(labels, clusterer_of_windows(method).fit_predict(3 * vectors.astype(np.float32)))
    order = rng.permutation(len(vectors))
    assert adjusted_rand_score(labels[order], clusterer_of_windows(method).fit_predict(vectors[order])) == 1


@pytest.mark.parametrize("method", METHODS)
def test_one_speaker_clusters_nothing(method):
    vectors, _ = planted(np.random.default_rng(0))
    for clusterer in (build_clusterer(method, n_speakers=1), build_clusterer(method, max_speakers=1)):
        assert not clusterer.fit_predict(vectors).any()
        assert "nothing was clustered" in clusterer.evidence_["reason"]
    assert build_clusterer(method).fit(vectors[:1]).labels_.tolist() == [0]


@pytest.mark.parametrize("method", METHODS)
def test_it_is_cloned_with_its_parameters(method):
    assert clone(build_clusterer(method, max_speakers=7)).max_speakers == 7


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"n_speakers": 5}, "2 windows cannot be 5 speakers; ask for at most 2"),
        ({"min_speakers": 2, "max_speakers": 1}, "min_speakers=2 is more than max_speakers=1"),
        ({"n_speakers": 2, "max_speakers": 1}, "n_speakers=2 is more than max_speakers=1"),
        ({"n_speakers": 1, "min_speakers": 2}, "n_speakers=1 is less than min_speakers=2"),
        ({"n_speakers": 0}, "n_speakers: a number from 1 is needed, got 0"),
        ({"max_speakers": 2.5}, "max_speakers: a number from 1 is needed, got 2.5"),
        ({"min_speakers": None}, "min_speakers: a number from 1 is needed, got None"),
    ],
)
def test_impossible_bounds_are_errors(bounds, message):
    with pytest.raises(ConfigError) as error:
        build_clusterer("agglomerative", **bounds).fit(np.eye(2))
    assert str(error.value) == message


def test_one_window_is_told_in_the_singular():
    with pytest.raises(ConfigError, match=r"^1 window cannot be 2 speakers; ask for at most 1$"):
        speaker_bounds(1, 2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bounds", [{"min_speakers": 4}, {"min_speakers": 4, "max_speakers": 9}])
def test_too_few_items_for_the_least_number_are_a_warning(method, bounds, caplog):
    for n_items in (1, 2, 3):
        caplog.clear()
        assert build_clusterer(method, **bounds).fit(np.eye(3)[:n_items]).n_speakers_ == n_items
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert f"cannot be 4 speakers, the requested minimum; there are at most {n_items}" in caplog.text


def test_vectors_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        build_clusterer("agglomerative").fit(np.array([[1.0, np.nan], [0.0, 1.0]]))


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("kmeans", {}, "unknown clusterer 'kmeans'; known: agglomerative, dominant-sets, spectral, density"),
        (
            "density",
            {"threshold": 0.5},
            "clusterer 'density' has no parameter 'threshold'; known: max_items, max_speakers",
        ),
        (
            "spectral",
            {"threshold": 0.5},
            "clusterer 'spectral' has no parameter 'threshold'; known: affinity",
        ),
        ("agglomerative", {"distance": 1}, "has no parameter 'distance'; known: criterion, linkage"),
    ],
)
def test_unknown_names_list_the_known(method, params, message):
    with pytest.raises(ConfigError, match=message):
        build_clusterer(method, **params)


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("agglomerative", {"linkage": "single"}, "unknown linkage 'single'; known: ward, average, complete"),
        ("agglomerative", {"criterion": "gap"}, "unknown criterion 'gap'; known: threshold, silhouette"),
        ("spectral", {"affinity": "euclid"}, "unknown affinity 'euclid'; known: cosine, positive-cosine"),
        ("density", {"min_cluster_size": 1}, "min_cluster_size: a number from 2 is needed, got 1"),
    ],
)
def test_impossible_settings_are_errors(method, params, message):
    with pytest.raises(ConfigError, match=message):
        build_clusterer(method, **params).fit(np.eye(4))


def test_no_threshold_means_the_default():
    assert build_clusterer("density", threshold=None).get_params()["min_samples"] == 1
    assert build_clusterer("agglomerative", threshold=0.3).get_params()["threshold"] == 0.3


# Helpers


def test_merging_is_average_linkage():
    vectors = np.random.default_rng(0).normal(size=(60, 8))
    tree = linkage(vectors, "average", metric="cosine")
    for k in (2, 5, 30):
        merged = merge_to(vectors, np.arange(60), k)
        assert count(merged) == k
        assert adjusted_rand_score(fcluster(tree, k, "maxclust"), merged) == 1


def test_splitting_parts_the_widest_cluster():
    vectors, speakers = planted(np.random.default_rng(1), n_speakers=3)
    assert adjusted_rand_score(speakers, split_to(vectors, np.minimum(speakers, 1), 3)) == 1


@pytest.mark.parametrize("vectors", [np.ones((5, 3)), np.zeros((5, 3))], ids=["copies", "zeros"])
@pytest.mark.parametrize("k", range(1, 6))
def test_copies_are_split_and_merged_to_any_number(vectors, k):
    assert count(split_to(vectors, np.zeros(5, dtype=int), k)) == k
    assert count(merge_to(vectors, np.arange(5), k)) == k


def test_small_clusters_go_to_the_nearest_large_one():
    vectors = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0.2, 1], [1, 0.3], [0.9, 0.2]])
    labels = np.array([7, 7, 7, 5, 5, 9, 3, 3])
    assert absorb_small(vectors, labels, 2)[0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    relabelled, absorbed = absorb_small(vectors, labels, 3)
    assert (relabelled.tolist(), absorbed) == ([0] * 8, [2, 2, 1])
    relabelled, absorbed = absorb_small(vectors, labels, 3, keep=2)
    assert (relabelled.tolist(), absorbed) == ([0, 0, 0, 1, 1, 1, 0, 0], [2, 1])
    assert count(absorb_small(vectors, labels, 9, keep=9)[0]) == 4


# Affinities


@pytest.mark.parametrize("name", AFFINITIES)
def test_affinities_are_symmetric_shares_with_zero_diagonal(name):
    vectors, _ = planted(np.random.default_rng(0), n_items=30)
    vectors[3], vectors[4:8] = 0, vectors[4]
    for some in (vectors, vectors[:2], vectors[:1], np.ones((9, 2)), np.zeros((3, 2))):
        affinity = resolve_affinity(name)(some)
        assert affinity.shape == (len(some), len(some))
        assert np.array_equal(affinity, affinity.T)
        assert not affinity.diagonal().any()
        assert affinity.min() >= 0
        assert affinity.max() <= 1


def test_angles_are_shares_of_half_a_turn():
    vectors = [[1, 0], [0, 5], [-2, 0], [1e-200, 0], [0, 0]]
    assert np.allclose(angular_distance(vectors)[0], [0, 0.5, 1, 0, 0.5])
    assert cosine_similarity(vectors)[4].tolist() == [0] * 5
    assert np.allclose(np.linalg.norm(unit(vectors), axis=1), [1, 1, 1, 1, 0])


def test_local_scale_by_hand():
    angles = np.pi * np.array([0, 0.1, 0.3, 0.6])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    sigma_0, sigma_3 = (0.1 + 0.3) / 2, (0.3 + 0.5) / 2  # two nearest of each
    expected = np.exp(-0.6 / (sigma_0 * sigma_3))
    assert np.isclose(locally_scaled_affinity(vectors, n_neighbors=2)[0, 3], expected)
    few = (1 / 3) ** 2 * (0.1 + 0.3 + 0.6) * (0.6 + 0.5 + 0.3)  # three others: all of them
    assert np.isclose(locally_scaled_affinity(vectors)[0, 3], np.exp(-0.6 / few))


def test_copies_are_alike_under_the_local_scale():
    vectors = np.repeat(np.random.default_rng(0).normal(size=(2, 64)), 10, axis=0)
    affinity = locally_scaled_affinity(vectors)
    assert affinity[0, 9] > 0.9
    assert affinity[0, 10] == 0


# Agglomerative


@pytest.mark.parametrize("method", list(THRESHOLDS))
def test_a_higher_threshold_never_gives_more_clusters(method):
    vectors, _ = planted(np.random.default_rng(0), spread=1.5)
    numbers = [
        build_clusterer("agglomerative", linkage=method, threshold=threshold, min_cluster_size=1)
        .fit(vectors)
        .n_speakers_
        for threshold in np.linspace(0, 2, 60)
    ]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] == len(vectors)
    assert numbers[-1] == 1


@pytest.mark.parametrize("method", list(THRESHOLDS))
def test_every_linkage_and_criterion_finds_planted_speakers(method):
    for criterion in ("threshold", "silhouette"):
        vectors, speakers = planted(np.random.default_rng(0))
        clusterer = build_clusterer("agglomerative", linkage=method, criterion=criterion).fit(vectors)
        assert adjusted_rand_score(speakers, clusterer.labels_) == 1
        assert any(candidate["n_speakers"] == 4 for candidate in clusterer.evidence_["candidates"])


@pytest.mark.parametrize("method", list(THRESHOLDS))
def test_a_tree_is_cut_into_any_number(method):
    vectors, _ = planted(np.random.default_rng(0), n_items=40)
    tree = Tree(unit(vectors), method, 100)
    for k in range(1, 41):
        assert count(tree.cut(k)) == k
    sizes = [sorted(np.unique(tree.cut(k), return_counts=True)[1]) for k in range(1, 41)]
    n_large = [sum(size >= 3 for size in cut) for cut in sizes]
    for k in range(1, 14):
        assert tree.n_where_large(k, 3) == (n_large.index(k) + 1 if k in n_large else None)


def test_stray_items_do_not_use_up_the_known_number():
    vectors, speakers = planted(np.random.default_rng(0), n_speakers=3, spread=0.4)
    vectors[:, :3] = [4, 0, 0]  # voices have much in common,
    strays = np.stack([np.eye(32)[1], np.eye(32)[2], -np.eye(32)[1]])  # strays have not
    labels = build_clusterer("agglomerative", n_speakers=3, linkage="average")
    labels.fit(np.concatenate([vectors, strays]))
    assert adjusted_rand_score(speakers, labels.labels_[:120]) == 1
    assert labels.evidence_["absorbed"] == [1, 1, 1]
    plain = build_clusterer("agglomerative", n_speakers=3, linkage="average", min_cluster_size=1)
    assert adjusted_rand_score(speakers, plain.fit_predict(np.concatenate([vectors, strays]))[:120]) < 1


def test_a_number_that_no_cut_gives_is_met_by_the_plain_cut():
    clusterer = build_clusterer("agglomerative", n_speakers=3, min_cluster_size=3).fit(np.eye(4))
    assert clusterer.n_speakers_ == 3
    assert "no cut gives 3 clusters of 3 embeddings" in clusterer.evidence_["reason"]


def test_silhouette_is_that_of_scikit_learn():
    vectors, speakers = planted(np.random.default_rng(0), spread=1)
    speakers[0] = 9  # alone
    assert np.isclose(
        mean_silhouette(unit(vectors), speakers), silhouette_score(vectors, speakers, metric="cosine")
    )


@pytest.mark.parametrize("n_adjacent", [0, 1, 3])
def test_silhouette_leaves_neighbours_out(n_adjacent):
    vectors, speakers = planted(np.random.default_rng(1), spread=1)
    X, n = unit(vectors), len(vectors)
    distance = 1 - X @ X.T
    values = []
    for i in range(n):  # Rousseeuw's a(i), b(i) by a double loop
        far = [j for j in range(n) if abs(i - j) > n_adjacent]
        means = {
            k: np.mean([distance[i, j] for j in far if speakers[j] == k])
            for k in np.unique(speakers)
            if any(speakers[j] == k for j in far)
        }
        own = means.pop(speakers[i], None)
        other = min(means.values())
        values.append(0 if own is None else (other - own) / max(own, other))
    assert np.isclose(mean_silhouette(X, speakers, n_adjacent), np.mean(values))


def test_windows_that_share_audio_do_not_make_speakers():
    # One speaker: each vector resembles the next two only because their windows overlap.
    pieces = np.random.default_rng(0).standard_normal((62, 64))
    vectors = pieces[:-2] + pieces[1:-1] + pieces[2:]
    options = {"linkage": "average", "criterion": "silhouette", "one_speaker": 0.2}
    fooled, told = (build_clusterer("agglomerative", n_adjacent=n, **options).fit(vectors) for n in (0, 2))
    assert fooled.n_speakers_ > told.n_speakers_ == 1


def test_silhouette_tells_one_speaker_from_two():
    rng = np.random.default_rng(0)
    for n_speakers in (1, 2):
        vectors, _ = planted(rng, n_speakers=n_speakers)
        clusterer = build_clusterer("agglomerative", criterion="silhouette", one_speaker=0.2).fit(vectors)
        assert clusterer.n_speakers_ == n_speakers
    assert "2 speakers have the best mean silhouette" in clusterer.evidence_["reason"]


@pytest.mark.parametrize("n_copies", [1, 3])
def test_wards_threshold_does_not_depend_on_the_length_of_the_recording(n_copies):
    vectors, _ = planted(np.random.default_rng(0), spread=1.2)
    heights = Tree(unit(np.tile(vectors, (n_copies, 1))), "ward", 1000).heights
    assert np.allclose(heights[::-1][:20], Tree(unit(vectors), "ward", 1000).heights[::-1][:20])


@pytest.mark.parametrize("method", list(THRESHOLDS))
def test_many_items_are_merged_in_blocks_first(method, caplog):
    vectors, speakers = planted(np.random.default_rng(0), n_items=500)
    with caplog.at_level(logging.INFO, "diarize"):
        clusterer = build_clusterer("agglomerative", linkage=method, max_items=100, n_speakers=4).fit(vectors)
    assert "500 embeddings are first merged into 50 small clusters, in blocks of 1000" in caplog.text
    assert adjusted_rand_score(speakers, clusterer.labels_) == 1
    assert Tree(unit(vectors), method, 100).n_leaves <= 100
    assert build_clusterer("agglomerative", max_items=10, n_speakers=40).fit(vectors).n_speakers_ == 40


@pytest.mark.parametrize("method", list(THRESHOLDS))
def test_a_tree_of_single_items_is_that_of_scipy(method):
    vectors = unit(planted(np.random.default_rng(0), spread=1)[0])
    sizes = np.ones(len(vectors), dtype=np.int64)
    merges = merge_tree(merge_distances(vectors, sizes, method), sizes, method)
    expected = linkage(vectors, "ward") if method == "ward" else linkage(vectors, method, "cosine")
    assert np.allclose(merges, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["ward", "average"])
def test_a_tree_of_small_clusters_goes_on_where_that_of_the_items_is(method):
    vectors = unit(planted(np.random.default_rng(0))[0])
    whole = Tree(vectors, method, len(vectors))
    n = 40
    labels = np.unique(whole.cut(n), return_inverse=True)[1]
    small = SmallClusters(labels, *cluster_sums(vectors, labels))
    merges = merge_tree(merge_distances(small.means, small.sizes, method), small.sizes, method)
    scale = np.sqrt(len(vectors)) if method == "ward" else 1
    assert np.allclose(merges[:, 2] / scale, whole.heights[1 - n :], rtol=0, atol=1e-9)


@pytest.mark.parametrize("bounds", [{}, {"n_speakers": 4}, {"n_speakers": 70}, {"max_speakers": 2}])
def test_density_of_many_items_is_that_of_small_clusters(bounds, caplog):
    vectors, speakers = planted(np.random.default_rng(0), n_items=600, spread=0.4)
    with caplog.at_level(logging.INFO, "diarize"):
        clusterer = build_clusterer("density", max_items=120, **bounds).fit(vectors)
    assert "600 embeddings are first merged into 60 small clusters" in caplog.text
    assert "of 60 small clusters of 600" in clusterer.evidence_["reason"]
    assert clusterer.strengths_.shape == (600,)
    wanted = bounds.get("n_speakers", bounds.get("max_speakers", 4))
    assert clusterer.n_speakers_ == wanted
    if wanted == 4:
        assert adjusted_rand_score(speakers, clusterer.labels_) == 1
        proposed = list(clusterer.partitions(vectors, 4, 4))
        assert adjusted_rand_score(speakers, proposed[0]) == 1


def test_silhouettes_are_the_same_block_by_block(monkeypatch):
    vectors, speakers = planted(np.random.default_rng(0))
    whole = mean_silhouette(unit(vectors), speakers, 2)
    monkeypatch.setattr(partitions, "_BLOCK", 7)
    assert mean_silhouette(unit(vectors), speakers, 2) == pytest.approx(whole, abs=1e-12)


# Spectral


@pytest.mark.parametrize("n_speakers", [1, 2, 3, 6])
def test_the_eigengap_finds_the_number(n_speakers):
    vectors, speakers = planted(np.random.default_rng(0), n_speakers=n_speakers, n_items=150)
    clusterer = build_clusterer("spectral").fit(vectors)
    assert adjusted_rand_score(speakers, clusterer.labels_) == 1
    scores = {candidate["n_speakers"]: candidate["score"] for candidate in clusterer.evidence_["candidates"]}
    assert max(scores, key=scores.get) == n_speakers
    assert f"{n_speakers} speakers have the largest eigengap" in clusterer.evidence_["reason"]


def test_of_many_items_spectral_clusters_a_part(caplog):
    vectors, speakers = planted(np.random.default_rng(0), n_items=400)
    with caplog.at_level(logging.INFO, "diarize"):
        labels = build_clusterer("spectral", max_items=150).fit_predict(vectors)
    assert "400 embeddings: one in 3 is clustered" in caplog.text
    assert adjusted_rand_score(speakers, labels) == 1
    for bounds in ({"n_speakers": 30}, {"min_speakers": 200}, {"max_speakers": 2}):
        found = build_clusterer("spectral", max_items=60, **bounds).fit(vectors).n_speakers_
        lowest, highest = speaker_bounds(400, **bounds)
        assert lowest <= found <= highest


# Density


def test_strengths_are_shares_and_noise_has_none():
    vectors, speakers = planted(np.random.default_rng(0), spread=0.4)
    vectors[:, :2] = 0
    strays = np.eye(32)[:2]
    clusterer = build_clusterer("density").fit(np.concatenate([vectors, strays]))
    assert clusterer.strengths_.shape == (122,)
    assert clusterer.strengths_.min() >= 0
    assert clusterer.strengths_.max() <= 1
    assert not clusterer.strengths_[120:].any()
    assert np.median(clusterer.strengths_[:120]) > 0.5
    assert adjusted_rand_score(speakers, clusterer.labels_[:120]) == 1
    assert clusterer.set_params(n_speakers=1).fit(vectors).strengths_.tolist() == [1] * 120


def test_without_dense_places_there_is_one_speaker():
    clusterer = build_clusterer("density").fit(np.eye(4))
    assert clusterer.labels_.tolist() == [0] * 4
    assert "without dense clusters there is one" in clusterer.evidence_["reason"]


def test_eigenvectors_of_a_graph_of_many_parts():
    """80 items, each with its nearest neighbour: LAPACK's driver for some of the eigenvectors fails here."""
    near = np.arange(80) ^ 1
    near[[4, 8, 9, 17, 25, 46, 64]] = [8, 4, 25, 24, 9, 13, 51]
    order = near[:, None]
    vectors = first_eigenvectors(laplacian(order, 1), 40)
    assert vectors.shape == (80, 40)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(40), atol=1e-12)
    np.testing.assert_allclose(laplacian(order, 1) @ vectors[:, 0], 0, atol=1e-12)
