"""The law of the scores of known voices, the assignment, and linking, on planted voices."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from diarize.errors import ModelError
from diarize.speakers.enrolment import Sides, Verifier, assign, load_verifier, save_verifier, verifier_file
from diarize.speakers.linking import link
from diarize.speakers.plda import Backend
from diarize.speakers.voice_table import VoiceTable

DIMS = 24
SPREAD = np.linspace(9, 0.5, DIMS)
WINDOW, SESSION = 2.0, 0.2
TAIL = np.array([[0.1, 0.0], [0.01, 2.0], [0.001, 4.0]])
CENTRE = np.full(DIMS, 5.0)
PLAIN = Verifier(CENTRE, Backend(np.eye(DIMS), SPREAD), np.array([WINDOW, SESSION, 1.0, 0.0]), TAIL)


def draw_people(n: int, seconds: float, random: np.random.Generator, people=None):
    """Mean embeddings (n, DIMS) of people by (1), and the people."""
    people = random.normal(0, np.sqrt(SPREAD), (n, DIMS)) if people is None else people
    noise = np.sqrt(WINDOW / seconds + SESSION) * random.normal(size=(n, DIMS))
    return CENTRE + people + noise, people


def table(names, recordings, vectors, seconds=10.0, model="m 0123456789ab"):
    return VoiceTable(names, recordings, np.full(len(names), seconds), vectors, model)


def test_the_score_is_the_log_likelihood_ratio_of_one_person_over_two():
    random = np.random.default_rng(0)
    seconds = np.array([12.0, 3.0])
    vectors = draw_people(2, 5.0, random)[0]
    expected = 0.0
    noise = WINDOW / seconds + SESSION
    for d, psi in enumerate(SPREAD):
        x = vectors[:, d] - CENTRE[d]
        one, two = np.diag(noise) + psi, np.diag(noise + psi)
        expected += multivariate_normal(cov=one).logpdf(x) - multivariate_normal(cov=two).logpdf(x)
    sides = PLAIN.sides_of(vectors, seconds)
    scores = PLAIN.scores(Sides(sides.counts[:1], sides.sums[:1]), Sides(sides.counts[1:], sides.sums[1:]))
    assert scores.item() == pytest.approx(expected)


def test_scores_are_symmetric_scaled_and_calibrated_on_the_model_itself():
    random = np.random.default_rng(1)
    first, people = draw_people(300, 10.0, random)
    second, _ = draw_people(300, 4.0, random, people)
    one, other = PLAIN.sides_of(first, np.full(300, 10.0)), PLAIN.sides_of(second, np.full(300, 4.0))
    scores = PLAIN.scores(one, other)
    np.testing.assert_allclose(PLAIN.scores(other, one), scores.T, atol=1e-9)
    scaled = Verifier(CENTRE, PLAIN.backend, np.array([WINDOW, SESSION, 0.5, 1.0]), TAIL)
    np.testing.assert_allclose(scaled.scores(one, other), 0.5 * scores + 1)
    same, different = np.diag(scores), scores[~np.eye(300, dtype=bool)]
    # A likelihood ratio is 1 on average for different people, and at most a share 1 / r of them reaches r.
    for nats in (1.0, 3.0, 5.0):
        assert (different > nats).mean() <= np.exp(-nats)
    assert (same > 0).mean() > 0.98


def test_a_person_with_several_recordings_counts_by_all_of_them():
    vectors = draw_people(3, 5.0, np.random.default_rng(2))[0]
    sides = PLAIN.sides(table(["Ann", "Bob", "Ann"], ["a", "b", "c"], vectors))
    each = PLAIN.sides_of(vectors, np.full(3, 10.0))
    np.testing.assert_allclose(sides.counts, [each.counts[0] + each.counts[2], each.counts[1]])
    np.testing.assert_allclose(sides.sums, [each.sums[0] + each.sums[2], each.sums[1]], atol=1e-5)
    more = PLAIN.sides_of(vectors, np.array([1.0, 10.0, 1e9])).counts
    assert more[0] < more[1] < more[2] == pytest.approx(1 / SESSION)


def test_the_threshold_follows_the_tail_and_the_number_of_people():
    assert PLAIN.threshold(0.01, 1) == pytest.approx(2.0)
    assert PLAIN.threshold(0.01, 10) == pytest.approx(4.0)
    assert PLAIN.threshold(0.01, 100) == pytest.approx(6.0)  # beyond the tail
    assert PLAIN.threshold(0.5, 1) < 0.0
    assert PLAIN.threshold(0.01, 0) == PLAIN.threshold(0.01, 1)


def test_no_two_speakers_are_one_person_and_the_sum_is_the_largest():
    scores = np.array([[9.0, 8.0, -5.0], [8.5, 1.0, -5.0], [-9.0, -9.0, 1.9]])
    # Greedily, row 0 would take column 0, and row 1 would be nobody.
    assert assign(scores, 2.0) == {0: 1, 1: 0}
    assert assign(scores, 20.0) == {}
    assert assign(np.empty((2, 0)), 1.0) == {}


def test_the_same_people_are_linked_and_speakers_of_one_recording_never_are():
    random = np.random.default_rng(3)
    people = random.normal(0, np.sqrt(SPREAD), (4, DIMS))
    who = np.array([0, 1, 2, 1, 3, 0, 0])
    recordings = ["a", "a", "b", "b", "c", "c", "d"]
    vectors = draw_people(7, 10.0, random, people[who])[0]
    sides = PLAIN.sides_of(vectors, np.full(7, 10.0))
    np.testing.assert_array_equal(link(PLAIN, sides, recordings, 4.0), [0, 1, 2, 1, 3, 0, 0])
    # The same voice twice in one recording: two people all the same.
    twins = Sides(sides.counts[[0, 0, 5]], sides.sums[[0, 0, 5]])
    labels = link(PLAIN, twins, ["a", "a", "c"], 4.0)
    assert labels[0] != labels[1]
    assert labels[2] in (labels[0], labels[1])
    assert link(PLAIN, Sides(np.empty(0), np.empty((0, DIMS))), [], 4.0).size == 0


def test_names_link_and_separate():
    random = np.random.default_rng(4)
    vectors = draw_people(1, 10.0, random)[0]
    far = draw_people(1, 10.0, random)[0]
    sides = PLAIN.sides_of(np.concatenate([vectors, vectors, far]), np.full(3, 10.0))
    recordings = ["a", "b", "c"]
    assert link(PLAIN, sides, recordings, 4.0, [None, None, None]).tolist() == [0, 0, 1]
    assert link(PLAIN, sides, recordings, 4.0, ["Ann", "Bob", "Ann"]).tolist() == [0, 1, 0]


def test_a_verifier_on_disk_belongs_to_its_weights(tmp_path):
    assert load_verifier(tmp_path, "abc") is None
    save_verifier(PLAIN, tmp_path, "abc")
    loaded = load_verifier(tmp_path, "abc")
    np.testing.assert_allclose(loaded.tail, TAIL, rtol=1e-6)
    np.testing.assert_allclose(loaded.backend.spread, SPREAD, rtol=1e-6)
    with pytest.raises(
        ModelError, match=r"belongs to other weights; remove it or run recipes/train_verifier"
    ):
        load_verifier(tmp_path, "abd")
    verifier_file(tmp_path).write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"not a verifier"):
        load_verifier(tmp_path, "abc")
    assert verifier_file(tmp_path / "net.onnx").name == "net.verifier.safetensors"
