"""Clusterings of speakers' parts, scored: the cuts of a tree, thresholds, recipes/score_clustering.py."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import squareform
from scripts import call
from scripts import message as say

from diarize.audio import load_audio
from diarize.audio.features import GMM_MFCC, mfcc
from diarize.clustering import CLUSTERERS
from diarize.embedding.table import Embeddings
from diarize.experiments.compared_parts import load_parts, score_parts, tune
from diarize.experiments.comparison import (
    build_linkage,
    choose_threshold,
    cosine_distance,
    iterate_cuts,
    legacy_obstacle,
    score_labels,
    score_linkage,
)
from diarize.experiments.side_by_side import compare_clusterers, eigengap
from diarize.scoring.clusterings import minimal_misclassification_rate, misclassification_rate

SCRIPT = Path(__file__).resolve().parent.parent.parent / "recipes" / "score_clustering.py"
RATE = "misclassification_rate"
LEGACY = "legacy_misclassification_rate"


def pairs(n_speakers, noise=0.0, dim=64, seed=0):
    """Vectors (2 n, dim) of two parts a speaker, and the speakers; no noise: almost orthogonal copies."""
    random = np.random.default_rng(seed)
    X = np.repeat(random.standard_normal((n_speakers, dim)), 2, axis=0)
    X = X + noise * random.standard_normal(X.shape)
    return X, np.repeat([f"s-{number:02d}" for number in range(n_speakers)], 2)


def save(path, X, speakers):
    n = len(X)
    Embeddings([f"{one}-{i}" for i, one in enumerate(speakers)], np.zeros(n), np.ones(n), X, speakers).save(
        path
    )
    return path


def run(monkeypatch, *arguments):
    call(monkeypatch, SCRIPT, *arguments)


def score(monkeypatch, tmp_path, *arguments):
    run(monkeypatch, *arguments, "--out", tmp_path / "scores.json")
    return json.loads((tmp_path / "scores.json").read_text())


def complaint(monkeypatch, tmp_path, *arguments):
    told = say(monkeypatch, SCRIPT, *arguments, "--out", tmp_path / "scores.json")
    assert not (tmp_path / "scores.json").exists()
    return told


# Trees


@pytest.mark.parametrize("method", ["complete", "average", "single"])
def test_rows_are_what_scipy_makes_of_a_square_matrix(method):
    D = cosine_distance(pairs(10, 2.0)[0])
    np.testing.assert_allclose(
        build_linkage(D, method, "rows"), scipy_linkage(D, method, "cosine"), atol=1e-12
    )
    np.testing.assert_allclose(build_linkage(D, method), scipy_linkage(squareform(D), method))


def test_every_cut_is_scipys():
    linkage = build_linkage(cosine_distance(pairs(8, 1.0)[0]))
    for n_merges, labels in enumerate(iterate_cuts(linkage)):
        assert misclassification_rate(fcluster(linkage, 16 - n_merges, "maxclust"), labels) == 0
        assert len(set(labels)) == 16 - n_merges


@pytest.mark.parametrize(("ahc_input", "n"), [("square", 4), ("rows", 1)])
def test_a_tree_needs_a_known_input_and_two_items(ahc_input, n):
    with pytest.raises(ValueError, match=r"ahc_input must be|needs two items, got 1"):
        build_linkage(np.zeros((n, n)), ahc_input=ahc_input)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 12), st.floats(0, 3), st.integers(0, 5))
def test_no_threshold_beats_the_oracle_and_the_chosen_one_is_the_best(n_speakers, noise, seed):
    X, speakers = pairs(n_speakers, noise, 8, seed)
    linkage = build_linkage(cosine_distance(X))
    chosen = choose_threshold(linkage, speakers)
    scores = score_linkage(linkage, speakers, chosen)
    oracle = minimal_misclassification_rate(linkage, speakers)
    assert scores["oracle_cut"][RATE] == pytest.approx(oracle)
    assert oracle <= scores["dev_threshold"][RATE] + 1e-12
    heights = [0, *linkage[:, 2]]
    rates = [misclassification_rate(speakers, fcluster(linkage, height, "distance")) for height in heights]
    assert scores["dev_threshold"][RATE] == pytest.approx(min(rates))
    low, high = scores["oracle_cut"]["interval"]
    assert low - 1e-12 <= oracle <= high + 1e-12


def tree_of(heights):
    """Five items on a chain, merged at these heights: 0 and 1, then 2, then 3, then 4."""
    nodes = [0, 5, 6, 7]
    return np.array(
        [
            [node, item, height, item + 1]
            for node, item, height in zip(nodes, [1, 2, 3, 4], heights, strict=True)
        ],
        float,
    )


@pytest.mark.parametrize(
    ("heights", "speakers", "threshold"),
    [
        ([0.1, 0.2, 0.3, 0.9], "aaaab", 0.6),  # the best cut, between the third and the fourth merge
        ([0.1, 0.2, 0.3, 0.9], "abcde", 0.05),  # no merge at all
        ([0.1, 0.2, 0.3, 0.9], "aaaaa", 0.9),  # all of them
        ([0.1, 0.2, 0.5, 0.9], "aabcc", 0.15),  # the two of a together, and nobody else
        # Merges of one height cannot be told apart: the cut between them, without error, is not reached, and
        # those before and after are as good as each other.
        ([0.1, 0.5, 0.5, 0.9], "aaabc", 0.5),
    ],
)
def test_the_threshold_is_the_middle_of_the_widest_best_interval(heights, speakers, threshold):
    assert choose_threshold(tree_of(heights), list(speakers)) == pytest.approx(threshold)


def test_of_several_best_intervals_the_widest_counts():
    """One part in six is wrong from .1 to .2, two from there to .5, one from there to .9."""
    merges = [[0, 1, 0.1, 2], [2, 3, 0.2, 2], [4, 5, 0.5, 2], [6, 7, 0.9, 4], [8, 9, 1.0, 6]]
    assert choose_threshold(np.array(merges), list("aabcdd")) == pytest.approx(0.7)


# Scores


def test_perfect_parts_have_no_errors():
    X, speakers = pairs(12, 0.01)
    linkage = build_linkage(cosine_distance(X))
    scores = score_linkage(linkage, speakers, choose_threshold(linkage, speakers))
    for cut in ("oracle_cut", "oracle_number", "dev_threshold"):
        assert (scores[cut][RATE], scores[cut][LEGACY], scores[cut]["n_clusters"]) == (0, 0, 12)
        assert scores[cut]["adjusted_rand_index"] == scores[cut]["cluster_purity"] == 1
        assert scores[cut]["normalized_mutual_information"] == pytest.approx(1)
    assert scores["oracle_legacy_misclassification_rate"] == 0


def test_two_speakers_in_one_place_cost_one_speaker():
    """Four copies: whatever the cut, one of the two has no cluster of his own; legacy loses both."""
    X, speakers = pairs(10, 0.0)
    X[2:4] = X[:2]
    scores = score_labels(speakers, np.r_[[0] * 4, np.repeat(np.arange(1, 9), 2)])
    assert scores[RATE] == pytest.approx(2 / 20)
    assert scores[LEGACY] == pytest.approx(4 / 20)
    assert scores["cluster_purity"] == pytest.approx((16 + 2) / 20)
    assert scores["n_clusters"] == 9
    assert 0 < score_linkage(build_linkage(cosine_distance(X)), speakers)["oracle_cut"][RATE] <= 2 / 20


def test_a_speaker_of_three_parts_leaves_the_legacy_rate_out():
    X, speakers = pairs(6, 0.01)
    X, speakers = np.concatenate([X, X[:1]]), np.append(speakers, speakers[0])
    assert legacy_obstacle(speakers).endswith("two utterances of every speaker; s-00 has 3")
    scores = score_linkage(build_linkage(cosine_distance(X)), speakers)
    assert scores["oracle_legacy_misclassification_rate"] is None
    assert scores["oracle_cut"][LEGACY] is None
    assert scores["oracle_cut"][RATE] == 0


def test_clusterers_side_by_side_on_perfect_parts():
    """Affinity propagation and k-means may err even here, but have few left."""
    X, speakers = pairs(20, 0.05)
    table = compare_clusterers(X, speakers)
    assert table == compare_clusterers(X, speakers), "the same every time"
    sets = table["dominant sets"]["own_number"]
    assert (sets[RATE], sets["n_clusters"]) == (0, 20)
    ours = [method.replace("-", " ") for method in CLUSTERERS]
    assert list(table)[: len(ours)] == ours
    for name in ours:
        assert list(table[name]) == ["own_number", "oracle_number"]
        assert table[name]["oracle_number"]["n_clusters"] == 20
        assert table[name]["oracle_number"][RATE] <= 0.2, name
    for name in table.keys() - set(ours):
        for way, scores in table[name].items():
            if way != "eigengap_number":
                assert scores[RATE] <= (0.2 if name.startswith(("k-means", "affinity")) else 0), (name, way)
    assert table["agglomerative complete"]["oracle_cut"][RATE] == 0


def test_distances_alone_are_clustered_the_same_in_any_unit(tmp_path):
    X, speakers = pairs(20, 0.5)

    def scored(unit):
        path = tmp_path / "distances.npz"
        np.savez(path, speaker=speakers, distances=unit * cosine_distance(X))
        parts = load_parts(path, lambda _: X)
        return score_parts(parts, tune(parts))

    table = scored(1)["clusterers"]
    assert table["dominant sets"]["own_number"][RATE] == 0
    assert table["agglomerative complete"]["oracle_cut"][RATE] == 0
    for unit in (0.001, 1024):
        assert scored(unit)["dominant_sets"] == table["dominant sets"]["own_number"]


def test_the_eigengap_counts_the_parts_of_a_graph():
    assert eigengap(np.kron(np.eye(3), np.ones((4, 4))) - np.eye(12)) == 3
    assert eigengap(np.ones((5, 5)) - np.eye(5)) == 1


@pytest.mark.parametrize("X", [np.ones((6, 3)), np.zeros((6, 3)), np.eye(6)])
def test_clusterers_take_copies_zeros_and_orthogonal_vectors(X):
    table = compare_clusterers(X, list("aabbcc"))
    for name, ways in table.items():
        for scores in ways.values():
            assert 0 <= scores[RATE] <= 1, name


def test_the_published_vectors_give_the_published_errors(shared_data):
    found = sorted(shared_data.rglob("TIMIT_SMALL_VGGVOX.mat"))
    if not found:
        pytest.skip("no TIMIT_SMALL_VGGVOX.mat beside the checkout")
    from scipy.io import loadmat

    content = loadmat(found[0], squeeze_me=True)
    sentences = content["A"].reshape(40, 10, -1)
    X = np.stack([sentences[:, :8].mean(axis=1), sentences[:, 8:].mean(axis=1)], axis=1).reshape(80, -1)
    table = compare_clusterers(X, np.repeat(np.arange(40), 2))
    for name in ("dominant sets", "affinity propagation", "HDBSCAN, unit length"):
        assert (table[name]["own_number"][RATE], table[name]["own_number"]["n_clusters"]) == (0, 40)
    single = table["agglomerative single"]
    assert (single["oracle_number"][RATE], single["oracle_cut"][RATE]) == pytest.approx((0.075, 0.05))
    assert table["HDBSCAN"]["own_number"][RATE] == pytest.approx(0.0375)
    assert table["spectral, published affinity"]["oracle_number"][RATE] == 0


# The script


def test_lists_sets_and_development_speakers(monkeypatch, tmp_path, capsys):
    X, speakers = pairs(10, 0.8)
    test, dev = save(tmp_path / "test.npz", X, speakers), save(tmp_path / "dev.npz", *pairs(8, 0.8, seed=1))
    (tmp_path / "test_4.txt").write_text("# four\n" + "".join(f"s/{number:02d}\n" for number in range(4)))
    (tmp_path / "test_10.txt").write_text("".join(f"s-{number:02d}\n" for number in range(10)))
    lists = [tmp_path / "test_4.txt", tmp_path / "test_10.txt"]
    arguments = ["--test", test, "--dev", dev, "--speakers", *lists, "--set", f"other={dev}"]
    scores = score(monkeypatch, tmp_path, *arguments)
    assert scores == score(monkeypatch, tmp_path, *arguments)
    assert "test_4: 4 speakers, oracle MR" in capsys.readouterr().out
    sets = scores["sets"]
    assert {name: (one["n_speakers"], one["n_parts"]) for name, one in sets.items()} == {
        "test_4": (4, 8),
        "test_10": (10, 20),
        "other": (8, 16),
    }
    linkage = build_linkage(cosine_distance(X.astype(np.float32)))
    tree = sets["test_10"]["agglomerative"]["condensed"]
    assert tree["oracle_cut"][RATE] == pytest.approx(minimal_misclassification_rate(linkage, speakers))
    for ahc_input, chosen in scores["thresholds_of_dev"].items():
        for one in sets.values():
            at = one["agglomerative"][ahc_input]["dev_threshold"]
            assert at["threshold"] == chosen["threshold"]
            assert one["agglomerative"][ahc_input]["oracle_cut"][RATE] <= at[RATE]
        own = sets["other"]["agglomerative"][ahc_input]["dev_threshold"]
        assert own == chosen, "the development speakers with their own threshold"
    assert sets["test_4"]["dominant_sets"] == sets["test_4"]["clusterers"]["dominant sets"]["own_number"]


def test_distances_need_no_vectors(monkeypatch, tmp_path):
    X, speakers = pairs(6, 0.5)
    embeddings = save(tmp_path / "embeddings.npz", X, speakers)
    distances = tmp_path / "distances.npz"
    D = cosine_distance(X.astype(np.float32))
    np.savez(distances, recording=np.arange(12).astype(str), speaker=speakers, distances=D)
    a, b = (score(monkeypatch, tmp_path, "--test", path)["sets"]["all"] for path in (embeddings, distances))
    assert a["agglomerative"] == b["agglomerative"]
    assert a["agglomerative"]["condensed"]["dev_threshold"] is None
    assert b["clusterers"]["dominant sets"]["own_number"] == b["dominant_sets"]
    assert "k-means" not in b["clusterers"], "it needs vectors"
    assert b["centred"] is None
    assert a["centred"].keys() == {"agglomerative", "dominant_sets", "clusterers"}
    moved = save(tmp_path / "moved.npz", X + 5, speakers)
    c = score(monkeypatch, tmp_path, "--test", moved)["sets"]["all"]
    assert c["centred"] == a["centred"]


def test_layers_and_regimes_of_the_main_list(monkeypatch, tmp_path):
    X, speakers = pairs(6, 0.1)
    sentences = save(tmp_path / "sentences.npz", np.repeat(X, 3, axis=0), np.repeat(speakers, 3))
    test = save(tmp_path / "test.npz", X, speakers)
    (tmp_path / "list.txt").write_text("s-00\ns-01\ns-02\ns-03\n")
    words = ["--test", test, "--compare", "--main", tmp_path / "list.txt", "--layer", f"one={test}"]
    scores = score(monkeypatch, tmp_path, *words, "--sentences", sentences)
    assert "clusterers" not in scores["sets"]["all"]
    assert scores["layers"]["one"]["n_speakers"] == 4
    assert list(scores["regimes"]) == ["4/5 + 1/5", "2 + 2", "1 + 1", "each alone"]
    for name, n_parts, n_draws in (("2 + 2", 8, 5), ("1 + 1", 8, 5), ("each alone", 24, 1)):
        regime = scores["regimes"][name]
        assert (regime["n_speakers"], regime["n_parts"]) == (4, n_parts)
        assert regime["clusterers"]["agglomerative complete"]["oracle_number"][RATE] == [0] * n_draws
    distances = tmp_path / "distances.npz"
    D = cosine_distance(np.repeat(X, 3, axis=0).astype(np.float32))
    np.savez(distances, speaker=np.repeat(speakers, 3), distances=D)
    (tmp_path / "scores.json").unlink()
    told = complaint(monkeypatch, tmp_path, *words, "--sentences", distances)
    assert "--sentences needs embeddings" in told


def test_three_parts_are_told(monkeypatch, tmp_path):
    X, speakers = pairs(4)
    path = save(tmp_path / "test.npz", np.concatenate([X, X[:1]]), np.append(speakers, "s-00"))
    one = score(monkeypatch, tmp_path, "--test", path)["sets"]["all"]
    assert one["legacy_left_out"].endswith("s-00 has 3")
    assert one["agglomerative"]["condensed"]["oracle_legacy_misclassification_rate"] is None


def test_what_is_wrong_is_told_with_the_file(monkeypatch, tmp_path):
    X, speakers = pairs(3)
    good = save(tmp_path / "good.npz", X, speakers)
    (tmp_path / "list.txt").write_text("s/00\nx/99\n")
    told = complaint(monkeypatch, tmp_path, "--test", good, "--speakers", tmp_path / "list.txt")
    assert told == f"score_clustering.py: {tmp_path}/list.txt: speaker 'x/99' has no part in {good}"
    told = complaint(monkeypatch, tmp_path, "--test", good, "--set", f"all={good}")
    assert "a list of speakers already has this name" in told
    assert "cannot be read" in complaint(monkeypatch, tmp_path, "--test", tmp_path / "none.npz")
    alone = save(tmp_path / "alone.npz", X[:2], speakers[:2])
    assert "two speakers or more are needed, got 1" in complaint(monkeypatch, tmp_path, "--test", alone)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"distances": np.zeros((2, 2))}, "no array 'speaker'"),
        ({"speaker": ["a", "b"], "distances": np.zeros((3, 3))}, "must be 2 x 2 finite numbers"),
        ({"speaker": ["a", "b"], "distances": np.full((2, 2), np.nan)}, "must be 2 x 2 finite numbers"),
        ({"speaker": ["a", "b"], "distances": np.eye(2)}, "symmetric with a diagonal of zeros"),
        ({"speaker": ["a", "b"], "distances": [[0, 1], [2, 0]]}, "symmetric with a diagonal of zeros"),
        ({"speaker": ["a", "b"]}, "no array 'end'"),
    ],
)
def test_distances_are_checked(monkeypatch, tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    assert message in complaint(monkeypatch, tmp_path, "--test", tmp_path / "bad.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"text"])
def test_damaged_files_are_told(monkeypatch, tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    told = complaint(monkeypatch, tmp_path, "--test", tmp_path / "bad.npz")
    assert told.startswith(f"score_clustering.py: {tmp_path}/bad.npz: ")


def test_real_sentences_cluster_better_than_chance(shared_data, monkeypatch, tmp_path):
    """Two parts of each speaker of the sample, as mean and deviation of their MFCC."""
    folders = sorted(path for path in (shared_data / "timit_sample").glob("dr*") if path.is_dir())[:8]
    X, speakers = [], []
    for folder in folders:
        sentences = [mfcc(load_audio(path), GMM_MFCC) for path in sorted(folder.glob("*.wav"))]
        for part in (sentences[:8], sentences[8:]):
            frames = np.concatenate(part)
            X.append(np.r_[frames.mean(axis=0), frames.std(axis=0)])
            speakers.append(folder.name)
    X = (np.array(X) - np.mean(X, axis=0)) / np.std(X, axis=0)
    path = save(tmp_path / "sample.npz", X, np.array(speakers))
    one = score(monkeypatch, tmp_path, "--test", path)["sets"]["all"]
    assert one["n_speakers"] == len(folders)
    assert one["agglomerative"]["condensed"]["oracle_cut"][RATE] < 0.3
