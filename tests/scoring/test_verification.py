"""Equal error rates of known scores, and trials that stay within their group."""

import numpy as np
import pytest

from diarize.scoring.verification import bootstrap_interval, equal_error_rate, make_trials


@pytest.mark.parametrize(
    ("scores", "same", "expected"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 0.0),
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 1.0),
        ([0.9, 0.3, 0.5, 0.1], [1, 1, 0, 0], 0.5),
        ([0.9, 0.8, 0.7, 0.3, 0.6, 0.2, 0.1, 0.0], [1, 1, 1, 1, 0, 0, 0, 0], 0.25),
        # Half of the two pairs of one speaker, two of the four others: between two thresholds.
        ([0.9, 0.4, 0.6, 0.5, 0.2, 0.1], [1, 1, 0, 0, 0, 0], 0.5),
        ([0.9, 0.4, 0.6, 0.3, 0.2, 0.1], [1, 1, 0, 0, 0, 0], 0.25),
        # Equal scores cannot be told apart, whichever comes first.
        ([0.5, 0.5, 0.5, 0.5], [1, 1, 0, 0], 0.5),
        ([0.5, 0.5, 0.5, 0.5], [0, 0, 1, 1], 0.5),
        ([1.0, 1.0, 1.0], [1, 0, 0], 0.5),
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 0.25),
    ],
)
def test_known_rates(scores, same, expected):
    assert equal_error_rate(np.array(scores), np.array(same, bool)) == pytest.approx(expected)


def gaussians(n_same: int, n_different: int, distance: float, seed: int = 0):
    random = np.random.default_rng(seed)
    same = np.arange(n_same + n_different) < n_same
    order = random.permutation(len(same))
    return (random.standard_normal(len(same)) + distance * same)[order], same[order]


def test_two_gaussians_have_the_rate_of_theory():
    """With the threshold half-way, a share of Phi(-distance / 2) of each lies on the wrong side."""
    scores, same = gaussians(20_000, 50_000, 2.0)
    assert equal_error_rate(scores, same) == pytest.approx(0.15866, abs=0.005)


def test_random_scores_have_a_rate_of_one_half():
    scores, same = gaussians(5000, 20_000, 0.0)
    assert equal_error_rate(scores, same) == pytest.approx(0.5, abs=0.02)


def test_only_the_order_of_scores_counts():
    scores, same = gaussians(100, 300, 1.0)
    rate = equal_error_rate(scores, same)
    assert equal_error_rate(np.exp(3 * scores) + 7, same) == pytest.approx(rate)
    shuffled = np.random.default_rng(1).permutation(len(scores))
    assert equal_error_rate(scores[shuffled], same[shuffled]) == pytest.approx(rate)
    assert equal_error_rate(-scores, ~same) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("same", "counts"), [([1, 1], "2 same and 0 different"), ([], "0 same and 0 different")]
)
def test_trials_of_one_kind_have_no_rate(same, counts):
    with pytest.raises(ValueError, match=f"needs trials of both kinds, got {counts}"):
        equal_error_rate(np.zeros(len(same)), np.array(same, bool))


SPEAKERS = ["a", "b", "a", "c", "d", "c", "c", "d", "e"]
GROUPS = ["x", "x", "x", "y", "y", "y", "y", "y", "y"]


def test_trials_stay_within_their_group():
    trials, same = make_trials(SPEAKERS, GROUPS, impostors=100)
    assert all(GROUPS[i] == GROUPS[j] and i < j for i, j in trials)
    assert [SPEAKERS[i] == SPEAKERS[j] for i, j in trials] == same.tolist()
    assert len({tuple(trial) for trial in trials.tolist()}) == len(trials) == 3 + 15, "every pair of a group"
    assert same.sum() == 1 + 3 + 1


@pytest.mark.parametrize("impostors", [1, 2])
def test_impostors_are_drawn_and_pairs_of_one_speaker_all_kept(impostors):
    trials, same = make_trials(SPEAKERS, GROUPS, impostors=impostors)
    assert (same.sum(), (~same).sum()) == (5, 5 * impostors)
    again, _ = make_trials(SPEAKERS, GROUPS, impostors=impostors)
    other, _ = make_trials(SPEAKERS, GROUPS, impostors=impostors, seed=2)
    np.testing.assert_array_equal(trials, again)
    assert trials.tolist() != other.tolist()


def test_no_recordings_have_no_trials():
    trials, same = make_trials([], [])
    assert (trials.shape, same.shape) == ((0, 2), (0,))


def voices(noise: float, n_speakers: int = 20):
    """Scores, kinds, trials and speakers of noisy unit vectors."""
    random = np.random.default_rng(3)
    speakers = [f"s{number}" for number in range(n_speakers) for _ in range(5)]
    vectors = np.repeat(random.standard_normal((n_speakers, 8)), 5, axis=0)
    vectors = vectors + noise * random.standard_normal(vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    trials, same = make_trials(speakers, ["all"] * len(speakers))
    return (vectors[trials[:, 0]] * vectors[trials[:, 1]]).sum(axis=1), same, trials, speakers


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_the_interval_holds_the_rate(noise):
    scores, same, trials, speakers = voices(noise)
    low, high = bootstrap_interval(scores, same, trials, speakers, n_draws=200)
    assert 0 <= low < equal_error_rate(scores, same) < high < 0.5
    assert bootstrap_interval(scores, same, trials, speakers, n_draws=200) == (low, high)


@pytest.mark.parametrize("seed", range(5))
def test_a_trial_counts_as_often_as_its_speakers_were_drawn(seed):
    scores, same, trials, speakers = voices(1.0, 6)
    names = sorted(set(speakers))
    drawn = np.random.default_rng(seed).integers(6, size=6).tolist()
    counted = []
    for score, is_same, (i, j) in zip(scores, same, trials, strict=True):
        times = drawn.count(names.index(speakers[i]))
        if not is_same:
            times *= drawn.count(names.index(speakers[j]))
        counted += [(score, is_same)] * times
    rate = equal_error_rate(*(np.array(column) for column in zip(*counted, strict=True)))
    interval = bootstrap_interval(scores, same, trials, speakers, n_draws=1, seed=seed)
    assert interval == pytest.approx((rate, rate))


def test_the_interval_is_narrower_with_more_speakers():
    few, many = (bootstrap_interval(*voices(1.0, n), n_draws=200) for n in (8, 60))
    assert many[1] - many[0] < 0.7 * (few[1] - few[0])


def test_separable_voices_have_an_interval_of_nothing():
    assert bootstrap_interval(*voices(0.001), n_draws=50) == (0, 0)
