"""The two-covariance model, and the number of speakers that its evidence finds, on planted voices."""

import numpy as np
import pytest
import soundfile
from helpers import REPOSITORY, unit_rows, write_small_model
from scipy.stats import multivariate_normal
from scripts import said
from sklearn.metrics import adjusted_rand_score
from small_onnx import DIM, write_model

from diarize.audio import SAMPLE_RATE
from diarize.clustering import CLUSTERERS
from diarize.config import ClusteringConfig, Config
from diarize.embedding.embedder import Embedder
from diarize.embedding.models import load_model
from diarize.errors import ConfigError, ModelError
from diarize.formats.kaldi import write_data_folder
from diarize.pipeline.labels import cluster_windows, make_clusterer
from diarize.speakers.number import Costs, cluster_by_evidence, exchange, window_weight
from diarize.speakers.plda import Backend, backend_file, learn_backend, load_backend, save_backend

SPREAD = np.linspace(9, 0.5, 24)
MODEL = Backend(np.eye(24), SPREAD)


def draw(n_speakers: int, n_windows: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Windows (n_speakers * n_windows, 24) drawn from the model, around a channel, and their speakers."""
    random = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(n_speakers), n_windows)
    voices = random.normal(0, np.sqrt(SPREAD), (n_speakers, 24))
    return 5 + voices[speakers] + random.normal(size=(len(speakers), 24)), speakers


def clusterer(method: str, **numbers: int):
    return make_clusterer(Config(clustering=ClusteringConfig(method=method, **numbers)), by_evidence=True)


def test_the_evidence_is_the_likelihood_over_that_of_windows_on_their_own():
    Y, labels = draw(3, 4)
    expected = 0.0
    for label in range(3):
        for d, psi in enumerate(SPREAD):
            together = np.eye(4) + psi  # of four windows of one speaker
            expected += multivariate_normal(cov=together).logpdf(Y[labels == label, d])
            expected -= multivariate_normal(cov=np.eye(4)).logpdf(Y[labels == label, d])
    assert MODEL.evidence(Y, labels, 1.0) == pytest.approx(expected)


def test_with_weight_a_half_two_copies_count_as_one_window():
    Y, labels = draw(3, 4)
    twice = MODEL.evidence(np.repeat(Y, 2, axis=0), np.repeat(labels, 2), 0.5)
    assert twice == pytest.approx(MODEL.evidence(Y, labels, 1.0))


@pytest.mark.parametrize("method", CLUSTERERS)
@pytest.mark.parametrize("n_speakers", [1, 2, 8])
def test_every_clusterer_finds_planted_numbers(method, n_speakers):
    X, speakers = draw(n_speakers)
    labels, evidence = cluster_by_evidence(X, clusterer(method), MODEL, 1.0, 2.0)
    assert adjusted_rand_score(speakers, labels) > 0.98
    assert evidence["n_speakers"] == n_speakers
    assert evidence["reason"].startswith(f"{n_speakers} speaker")
    assert "the largest evidence" in evidence["reason"]
    assert ("nats above" in evidence["reason"]) == (len(evidence["candidates"]) > 1)
    scores = {candidate["n_speakers"]: candidate["score"] for candidate in evidence["candidates"]}
    assert max(scores, key=scores.get) == n_speakers


@pytest.mark.parametrize("method", CLUSTERERS)
@pytest.mark.parametrize(
    "numbers", [{"n_speakers": 3}, {"min_speakers": 6}, {"max_speakers": 2}, {"n_speakers": 1}]
)
def test_bounds_are_honoured(method, numbers):
    X, _ = draw(4)
    labels, evidence = cluster_by_evidence(X, clusterer(method, **numbers), MODEL, 1.0, 2.0)
    found = len(np.unique(labels))
    lowest = numbers.get("n_speakers", numbers.get("min_speakers", 1))
    highest = numbers.get("n_speakers", numbers.get("max_speakers", 120))
    assert lowest <= found == evidence["n_speakers"] <= highest
    copies, _ = cluster_by_evidence(X[:1].repeat(9, axis=0), clusterer(method, **numbers), MODEL, 1.0, 2.0)
    assert lowest <= len(np.unique(copies)) <= highest, "even where nothing tells windows apart"


def test_stray_windows_take_no_speakers_place():
    X, speakers = draw(2, seed=3)
    strays = X.mean(axis=0) + 6 * unit_rows(2, 24)
    all_windows = np.concatenate([X, strays])
    for numbers in ({"n_speakers": 2}, {}):
        labels, _ = cluster_by_evidence(all_windows, clusterer("agglomerative", **numbers), MODEL, 0.2, 2.0)
        assert adjusted_rand_score(speakers, labels[:60]) == 1
        assert len(np.unique(labels)) == 2


def test_a_wrong_window_goes_back_to_its_speaker():
    X, speakers = draw(3)
    wrong = speakers.copy()
    wrong[[4, 40]] = [2, 0]
    assert (MODEL.reassign(MODEL.whiten(X), wrong, 1.0) == speakers).all()


@pytest.mark.parametrize("seed", range(5))
def test_two_voices_in_one_cluster_are_exchanged_for_one_in_two(seed):
    X, speakers = draw(6, seed=seed)
    Y = MODEL.whiten(X)
    wrong = speakers.copy()
    wrong[speakers == 1] = 0
    wrong[(speakers == 2) & (np.arange(len(X)) % 2 == 0)] = 1
    wrong[speakers == 4] = 3
    wrong[(speakers == 5) & (np.arange(len(X)) % 3 == 0)] = 4
    assert adjusted_rand_score(speakers, exchange(Y, wrong, MODEL, 1.0)) == 1
    assert (exchange(Y, speakers, MODEL, 1.0) == speakers).all()
    assert not exchange(Y, np.zeros_like(speakers), MODEL, 1.0).any()
    two = (speakers > 2).astype(int)
    assert (exchange(Y, two, MODEL, 1.0) == two).all(), "of two there is no third"


def test_a_number_that_is_asked_for_is_not_spent_on_halves_of_voices():
    X, speakers = draw(6)

    class Halves:
        """Of each number one partition: the speakers, two of whom are one and two are two."""

        n_speakers = min_speakers = max_speakers = 6

        def partitions(self, X, lowest, highest):
            odd = np.arange(len(X)) % 2
            yield np.select([speakers == 1, speakers == 2], [0, 1 + odd], speakers)

    labels, evidence = cluster_by_evidence(X, Halves(), MODEL, 0.5, 0.0)
    assert adjusted_rand_score(speakers, labels) == 1
    assert evidence["n_speakers"] == 6


def test_the_channel_changes_nothing():
    X, _ = draw(3)
    assert np.allclose(MODEL.whiten(X), MODEL.whiten(X - 7))


def test_a_dearer_speaker_is_a_rarer_one():
    X, _ = draw(5)
    found = [
        cluster_by_evidence(X, clusterer("agglomerative"), MODEL, 1.0, cost)[1]["n_speakers"]
        for cost in (2, 100, 1000, 1e5)
    ]
    assert found[0] == 5
    assert found == sorted(found, reverse=True)
    assert found[-1] == 1


def test_voices_that_wander_for_long_stay_their_number_of_speakers():
    X, speakers = draw(3, 800)
    drift = np.random.default_rng(1).normal(0, 0.7, (3 * 800 // 40, 24)).repeat(40, axis=0)
    X += drift  # another mood every 40 windows
    found = {
        weight: cluster_by_evidence(X, clusterer("agglomerative"), MODEL, 0.2, 0.0, weight)
        for weight in (1.0, 0.2, 0.02)
    }
    numbers = [evidence["n_speakers"] for _, evidence in found.values()]
    assert numbers[0] == numbers[1] > 3
    assert numbers[2] == 3
    assert adjusted_rand_score(speakers, found[0.02][0]) > 0.98
    asked, _ = cluster_by_evidence(X, clusterer("agglomerative", n_speakers=3), MODEL, 0.2, 0.0, 0.02)
    assert (asked == found[0.02][0]).all(), "the weight chooses the number alone"


def test_windows_of_a_long_recording_count_less_for_the_number():
    settings = ClusteringConfig(seconds_a_sample=4.0, seconds_in_full=60.0)
    assert Costs(settings, 0.75, 80).number_weight == window_weight(settings, 0.75) == 0.1875
    assert Costs(settings, 0.75, 8 * 80).number_weight == pytest.approx(0.1875 / 4)


def test_a_speaker_costs_more_in_a_long_recording():
    settings = ClusteringConfig(speaker_cost=1.0, long_speaker_cost=10.0, seconds_in_full=60.0)
    assert Costs(settings, 0.75, 20).speaker == Costs(settings, 0.75, 80).speaker == 1.0
    assert Costs(settings, 0.75, 160).speaker == pytest.approx(1.0 + 10.0 * np.log(2))
    X, speakers = draw(2)  # 45 s
    found = {}
    for cost in (0.0, 1e4):
        dear = {"long_speaker_cost": cost, "seconds_in_full": 30.0}
        config = Config(clustering=ClusteringConfig(**dear))
        labels, evidence = cluster_windows(X, config, "call", MODEL)
        found[evidence["n_speakers"]] = labels
    assert adjusted_rand_score(speakers, found[2]) == 1
    assert not found[1].any()


def test_one_speaker_is_left_to_the_caller():
    X, speakers = draw(2)
    config = Config(clustering=ClusteringConfig(speaker_cost=2000.0, seconds_a_sample=0.75))
    assert cluster_windows(X, config, "call", MODEL)[1]["n_speakers"] == 1
    labels, evidence = cluster_windows(X, config, "call", MODEL, several=True)
    assert adjusted_rand_score(speakers, labels) == 1
    assert [each["n_speakers"] for each in evidence["candidates"]][:2] == [1, 2]
    assert "above 1" not in evidence["reason"]
    told = config.clustering.model_copy(update={"max_speakers": 1})
    config = config.model_copy(update={"clustering": told})
    assert cluster_windows(X, config, "call", MODEL, several=True)[1]["n_speakers"] == 1


def test_more_speakers_than_windows_is_an_error():
    with pytest.raises(ConfigError, match="2 windows cannot be 3 speakers"):
        cluster_by_evidence(np.eye(2, 24), clusterer("agglomerative", n_speakers=3), MODEL, 1.0, 2.0)


def planted_clips(n_speakers: int = 400) -> tuple[np.ndarray, ...]:
    """Windows of three clips a speaker, in a skewed space: voice + clip + window; speakers and clips."""
    random = np.random.default_rng(1)
    skew = random.normal(size=(8, 8))
    spread, of_clips = np.linspace(8, 1, 8), 0.5
    clips = np.repeat(np.arange(3 * n_speakers), 6)
    speakers = clips // 3
    X = random.normal(0, np.sqrt(spread), (n_speakers, 8))[speakers]
    X += random.normal(0, np.sqrt(of_clips), (3 * n_speakers, 8))[clips]
    X += random.normal(0, np.sqrt(1 - of_clips), (len(clips), 8))
    return X @ skew, speakers, clips, spread, skew


def test_learning_finds_the_planted_covariances():
    X, speakers, clips, spread, skew = planted_clips()
    backend = learn_backend(X, speakers, clips, 6)
    assert backend.projection.shape == (8, 6)
    assert np.allclose(backend.spread, spread[:6], rtol=0.2)
    within = backend.projection.T @ skew.T @ skew @ backend.projection  # of windows about their speaker
    assert np.allclose(within, np.eye(6), atol=0.15)


def test_speakers_of_one_clip_do_not_count():
    X, speakers, clips, *_ = planted_clips()
    alone = speakers >= 300
    clips = np.where(alone, 10_000 + speakers, clips)
    few = learn_backend(X[~alone], speakers[~alone], clips[~alone])
    assert np.array_equal(learn_backend(X, speakers, clips).projection, few.projection)
    with pytest.raises(ValueError, match="5 speakers with two clips are too few for 8 dimensions"):
        learn_backend(X[:90], speakers[:90], clips[:90])
    with pytest.raises(ValueError, match="8 speakers with two clips are too few for 8 dimensions"):
        learn_backend(X[:144], speakers[:144], clips[:144])


def test_a_back_end_belongs_to_its_weights(tmp_path):
    assert load_backend(tmp_path, "abc") is None
    save_backend(MODEL, tmp_path, "abc")
    loaded = load_backend(tmp_path, "abc")
    assert np.allclose(loaded.spread, SPREAD)
    assert np.array_equal(loaded.projection, np.eye(24))
    with pytest.raises(ModelError, match="belongs to other weights; remove it or run"):
        load_backend(tmp_path, "def")
    backend_file(tmp_path).write_bytes(b"\x07" * 40)
    with pytest.raises(ModelError, match="not a back end"):
        load_backend(tmp_path, "abc")


def test_a_model_folder_may_have_a_back_end(tmp_path):
    plain = load_model(write_small_model(tmp_path / "small"))
    assert plain.backend is None
    save_backend(Backend(np.eye(32), np.ones(32)), tmp_path / "small", plain.fingerprint)
    assert load_model(tmp_path / "small").backend.projection.shape == (32, 32)
    assert load_model().backend is not None, "the bundled model has one"


def test_the_back_end_decides_unless_it_is_told_not_to():
    X, _ = draw(3)

    def reason(backend: Backend | None, **settings: object) -> str:
        config = Config(clustering=ClusteringConfig(**settings))
        return cluster_windows(X.astype(np.float32), config, "a", backend)[1]["reason"]

    assert "evidence" in reason(MODEL)
    assert "silhouette" in reason(None)
    assert "silhouette" in reason(MODEL, evidence=False)
    assert "distance 0.5" in reason(MODEL, threshold=0.5)
    assert "silhouette" in reason(MODEL, options={"criterion": "silhouette"})


def test_the_recipe_writes_a_back_end_into_the_model_folder(tmp_path):
    model = write_small_model(tmp_path / "small")
    others = write_model(tmp_path)
    random = np.random.default_rng(0)
    utterances = {f"{speaker:02d}-{clip}": f"{speaker:02d}" for speaker in range(40) for clip in range(2)}
    for utterance, speaker in utterances.items():
        tone = np.sin(2 * np.pi * (100 + 20 * int(speaker)) * np.arange(40_000) / SAMPLE_RATE)
        noisy = 0.1 * tone + random.normal(0, 0.02, 40_000)
        soundfile.write(tmp_path / f"{utterance}.wav", noisy, SAMPLE_RATE)
    scp = {name: str(tmp_path / f"{name}.wav") for name in utterances}
    write_data_folder(tmp_path / "data", scp, utterances)
    recipe = REPOSITORY / "recipes" / "train_backend.py"
    lines = said(recipe, "--data", tmp_path / "data", "--model", model, "--dims", 4)
    assert "windows of 40 speakers" in lines[0]
    assert load_model(model).backend.projection.shape == (32, 4)
    lines = said(recipe, "--data", tmp_path / "data", "--model", others, "--dims", 4)
    assert lines[0].startswith(f"{tmp_path / 'net.backend.safetensors'}: ")
    assert Embedder(others).backend.projection.shape == (DIM, 4)

    few = dict(list(utterances.items())[:20])
    write_data_folder(tmp_path / "few", {name: scp[name] for name in few}, few)
    lines = said(recipe, "--data", tmp_path / "few", "--model", model)
    assert lines == ["no back end: 10 speakers have two clips, more than 32 are needed"]
    assert load_model(model).backend is None
