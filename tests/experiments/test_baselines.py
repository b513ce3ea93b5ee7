"""Mixtures, the time model and statistics: planted answers, double loops, scikit-learn beside them."""

import numpy as np
import pytest
import soundfile
from sklearn.mixture import GaussianMixture
from sklearn.svm import OneClassSVM

from diarize.audio.features import mfcc
from diarize.experiments import gmm, svm
from diarize.experiments.baselines import cepstra
from diarize.experiments.gmm import GaussianMixtures, Likelihoods, beigi_distance, fit_mixtures, gmm_distances
from diarize.experiments.mfcc_statistics import mfcc_statistics
from diarize.experiments.svm import NU, context_vectors, fit_time_model, normalise_rate, time_model_distances

CENTRES = np.array([[-6.0, 0, 0], [0, 6, 0], [5, 5, 5], [0, 0, -7]])


def planted(n: int = 2000, seed: int = 0) -> np.ndarray:
    """Frames of four mixtures of unequal weight and width around CENTRES."""
    random = np.random.default_rng(seed)
    mixture = random.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
    return CENTRES[mixture] + random.standard_normal((n, 3)) * np.array([0.5, 1.0, 0.7, 1.2])[mixture, None]


def voice(seed: int, n_frames: int, speaker: int, dim: int = 6) -> np.ndarray:
    """Frames in about [0, 1] that glide from one to another of the speaker's eight places."""
    places = np.random.default_rng(speaker).random((8, dim))
    random = np.random.default_rng(1000 * speaker + seed)
    visited = places[random.integers(8, size=n_frames // 10 + 2)]
    time = np.arange(n_frames) / 10
    glide = np.stack([np.interp(time, np.arange(len(visited)), column) for column in visited.T], axis=1)
    return glide + 0.02 * random.standard_normal(glide.shape)


def test_differences_are_slopes_of_lines_through_five_frames():
    time = np.arange(16000) / 16000
    samples = (0.3 * np.sin(2 * np.pi * (150 + 40 * time) * time)).astype(np.float32)
    plain, frames = cepstra(samples), cepstra(samples, 2, with_pitch=True)
    assert (plain.shape[1], frames.shape) == (19, (len(plain), 58))
    np.testing.assert_array_equal(frames[:, :19], plain)
    padded = np.pad(plain, ((2, 2), (0, 0)), mode="edge")
    slopes = sum(step * padded[2 + step : len(plain) + 2 + step] for step in (-2, -1, 1, 2)) / 10
    np.testing.assert_allclose(frames[:, 19:38], slopes, atol=1e-9)
    assert 140 < np.median(frames[:, 57]) < 240, "Hz"


def test_planted_mixtures_are_found():
    model = fit_mixtures(planted(), 4)
    order = [int(np.linalg.norm(model.means - centre, axis=1).argmin()) for centre in CENTRES]
    assert sorted(order) == [0, 1, 2, 3]
    np.testing.assert_allclose(model.means[order], CENTRES, atol=0.25)
    np.testing.assert_allclose(model.weights[order], [0.4, 0.3, 0.2, 0.1], atol=0.03)
    np.testing.assert_allclose(
        model.variances[order].mean(axis=1), np.square([0.5, 1.0, 0.7, 1.2]), rtol=0.15
    )


@pytest.mark.oracle
def test_em_equals_scikit_learn(monkeypatch):
    monkeypatch.setattr(gmm, "_LEAST_VARIANCE", 1e-9)
    monkeypatch.setattr(gmm, "_LEAST_GAIN", -np.inf)
    frames = planted(500)
    labels = gmm.KMeans(6, init=gmm.split_by_variance(frames, 6), n_init=1, max_iter=10).fit(frames).labels_
    start = gmm._maximise(frames, np.eye(6)[labels])
    reference = GaussianMixture(
        6, covariance_type="diag", reg_covar=0, tol=0, max_iter=15,
        weights_init=start.weights, means_init=start.means, precisions_init=1 / start.variances,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="did not converge"):
        reference.fit(frames)
    model = fit_mixtures(frames, 6)
    np.testing.assert_allclose(model.means, reference.means_, atol=1e-6)
    np.testing.assert_allclose(model.variances, reference.covariances_, rtol=1e-5)
    np.testing.assert_allclose(model.weights, reference.weights_, atol=1e-7)


def test_no_variance_falls_below_the_floor_and_copies_give_one_mixture():
    model = fit_mixtures(np.ones((50, 3)), 32)
    np.testing.assert_array_equal(model.weights, [1])
    np.testing.assert_array_equal(model.means, np.ones((1, 3)))
    np.testing.assert_array_equal(model.variances, np.full((1, 3), 0.01))


def test_the_widest_cluster_is_split_first():
    frames = np.array([[0.0, 0], [0, 1], [100, 0], [100, 10]])
    assert sorted(gmm.split_by_variance(frames, 3).tolist()) == [[0, 0.5], [100, 0], [100, 10]]
    with pytest.raises(ValueError, match=r"needs frames, got an array of \(0, 3\)"):
        fit_mixtures(np.zeros((0, 3)))


def random_model(n_mixtures: int, seed: int) -> GaussianMixtures:
    random = np.random.default_rng(seed)
    weights = random.random(n_mixtures)
    means, variances = random.standard_normal((n_mixtures, 3)), random.random((n_mixtures, 3)) + 0.1
    return GaussianMixtures(weights / weights.sum(), means, variances)


def test_the_distance_equals_a_double_loop():
    a, b = random_model(5, 1), random_model(3, 2)
    there = back = 0.0
    for weight, mean in zip(a.weights, a.means, strict=True):
        there += weight * min(float(np.linalg.norm(mean - other)) for other in b.means)
    for weight, mean in zip(b.weights, b.means, strict=True):
        back += weight * min(float(np.linalg.norm(mean - other)) for other in a.means)
    assert beigi_distance(a, b) == pytest.approx((there + back) / 2)
    assert beigi_distance(b, a) == pytest.approx(beigi_distance(a, b))
    assert beigi_distance(a, a) == 0


def test_distances_of_many_are_those_of_pairs():
    models = [random_model(4, seed) for seed in range(4)]
    distances = gmm_distances(models)
    np.testing.assert_array_equal(distances, distances.T)
    np.testing.assert_array_equal(np.diag(distances), 0)
    assert distances[1, 3] == beigi_distance(models[3], models[1])


@pytest.mark.oracle
def test_likelihoods_under_many_equal_scikit_learn(monkeypatch):
    monkeypatch.setattr(gmm, "_BLOCK_ELEMENTS", 100)  # several blocks
    frames = planted(100)
    models = [fit_mixtures(planted(300, seed), n) for seed, n in ((1, 8), (2, 3), (3, 5))]
    for mean, model in zip(Likelihoods(models)(frames), models, strict=True):
        reference = GaussianMixture(len(model.weights), covariance_type="diag")
        reference.weights_, reference.means_, reference.covariances_ = (
            model.weights, model.means, model.variances
        )  # fmt: skip
        reference.precisions_cholesky_ = 1 / np.sqrt(model.variances)
        assert mean == pytest.approx(reference.score_samples(frames).mean(), rel=1e-5)


def test_single_precision_is_enough_for_speech(demo_recording):
    frames = mfcc(soundfile.read(demo_recording, dtype="float32", frames=16000 * 6)[0], last=20)
    model = fit_mixtures(frames[:300], 128)
    joint = gmm.log_joint(frames.astype(np.float64), model)
    exact = np.logaddexp.reduce(joint, axis=1).mean()
    assert Likelihoods([model])(frames)[0] == pytest.approx(exact, rel=1e-4)


def test_runs_of_one_sound_count_once():
    sounds = np.random.default_rng(0).random((6, 4))
    frames = np.repeat(sounds, [6, 1, 3, 2, 5, 4], axis=0)
    np.testing.assert_allclose(normalise_rate(frames), sounds)
    np.testing.assert_allclose(normalise_rate(np.concatenate([frames, frames])), np.tile(sounds, (2, 1)))


def test_a_third_of_the_sounds_is_merged_with_its_like():
    sounds = np.random.default_rng(0).random((60, 4))
    close = np.repeat(sounds, [2, 1] * 30, axis=0)  # 90 frames
    close = close + 1e-3 * np.random.default_rng(1).standard_normal(close.shape)
    normalised = normalise_rate(close)
    np.testing.assert_array_equal(normalised, normalise_rate(close))
    assert len(np.unique(normalised, axis=0)) == 59
    assert len(normalised) < 75


def test_slow_speech_becomes_as_long_as_fast_speech():
    sounds = np.random.default_rng(0).random((66, 4))
    # 66 of 100 frames: each sound has a centroid of its own, and the 34 longer ones shrink.
    frames = np.repeat(sounds, np.where(np.arange(66) < 34, 2, 1), axis=0)
    np.testing.assert_allclose(normalise_rate(frames), sounds)


def test_contexts_are_successive_frames():
    frames = np.arange(20.0).reshape(10, 2)
    vectors = context_vectors(frames, 3)
    assert vectors.shape == (8, 6)
    np.testing.assert_array_equal(vectors[2], frames[2:5].ravel())
    with pytest.raises(ValueError, match="a context needs 13 frames, got 10"):
        context_vectors(frames)


def test_the_machine_accepts_a_share_of_one_minus_nu_of_its_own():
    model = fit_time_model(voice(0, 600, speaker=1))
    assert np.exp(model.log_likelihood(model.frames)) == pytest.approx(1 - NU, abs=0.03)
    assert model.log_likelihood(model.frames + 100) == pytest.approx(
        np.log(0.5 / len(context_vectors(model.frames)))
    )


@pytest.mark.oracle
def test_the_machine_accepts_what_scikit_learn_accepts():
    model = fit_time_model(voice(0, 300, speaker=1))
    vectors = context_vectors(model.frames)
    reference = OneClassSVM(nu=NU, gamma=model.gamma).fit(vectors)
    others = context_vectors(normalise_rate(voice(1, 300, speaker=1)))
    assert (model.accepts(others) == (reference.predict(others) == 1)).mean() > 0.98, "up to the border"


def test_the_chosen_width_accepts_unseen_vectors_as_meant():
    random = np.random.default_rng(0)
    vectors = random.standard_normal((300, 5))
    gamma = svm.choose_gamma(svm.cdist(vectors, vectors, "sqeuclidean"))
    machine = OneClassSVM(nu=NU, gamma=gamma).fit(vectors)
    share = (machine.predict(random.standard_normal((2000, 5))) == 1).mean()
    assert share == pytest.approx(1 - NU, abs=0.06)
    assert svm.choose_gamma(np.zeros((4, 4))) == 1, "copies of one vector"


def test_many_vectors_are_thinned(monkeypatch):
    monkeypatch.setattr(svm, "_MOST_VECTORS", 40)
    model = fit_time_model(voice(0, 300, speaker=1))
    assert len(model.support) <= 40
    assert len(context_vectors(model.frames)) > 100


PARTS = [voice(seed, n, speaker) for speaker in (1, 2) for seed, n in ((0, 400), (1, 200))]


def assert_two_speakers(distances: np.ndarray) -> None:
    np.testing.assert_allclose(distances, distances.T)
    np.testing.assert_array_equal(np.diag(distances), 0)
    assert max(distances[0, 1], distances[2, 3]) < distances[:2, 2:].min()


def test_two_speakers_are_apart_by_mixtures():
    assert_two_speakers(gmm_distances([fit_mixtures(10 * part) for part in PARTS]))


def test_two_speakers_are_apart_by_the_time_model_in_any_number_of_processes():
    told = []
    alone = time_model_distances(PARTS, progress=lambda *event: told.append(event))
    assert_two_speakers(alone)
    assert told == [(stage, done, 4) for stage in ("models", "distances") for done in (1, 2, 3, 4)]
    np.testing.assert_array_equal(alone, time_model_distances(PARTS, n_jobs=2))


def test_statistics_are_mean_and_deviation_standardised():
    vectors = mfcc_statistics(PARTS)
    assert vectors.shape == (4, 12)
    np.testing.assert_allclose(vectors.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(vectors.std(axis=0), 1)
    means = np.array([part[:, 0].mean() for part in PARTS])
    np.testing.assert_allclose(vectors[:, 0], (means - means.mean()) / means.std())
    np.testing.assert_array_equal(mfcc_statistics(PARTS[:1]), 0)
