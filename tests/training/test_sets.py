"""Sets of items of a few clusters: points in the plane, rows of speakers, windows of conversations."""

import numpy as np
import pytest
from helpers import unit_rows

from diarize.errors import ConfigError
from diarize.training import sets
from diarize.training.sets import PointSampler, SetSampler, SpeakerSetSampler
from diarize.training.window_sets import WindowSetConfig, WindowSetSampler

SPEAKERS = np.repeat(np.arange(12), 6)
VECTORS = unit_rows(len(SPEAKERS), 16).astype(np.float32)


def rows(seed: int = 1, n_items: tuple[int, int] = (10, 24), n_most: int = 5) -> SpeakerSetSampler:
    return SpeakerSetSampler(8, n_items, n_most, seed, SPEAKERS, lambda row, random: VECTORS[row])


def windows(seed: int = 1, **changes: object) -> WindowSetSampler:
    config = WindowSetConfig(n_items=(4, 30), n_most=6, **changes)
    return WindowSetSampler(config, 8, 5, seed, VECTORS, SPEAKERS, SPEAKERS % 2)


SAMPLERS = {"points": lambda seed=1: PointSampler(8, (8, 72), 5, seed), "rows": rows, "windows": windows}
every_sampler = pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)


@every_sampler
def test_a_batch_depends_on_its_number_and_the_seed_alone(make):
    first, again, other = make(), make(), make(2)
    first.batch(0)
    one, same = first.batch(3), again.batch(3)
    assert np.array_equal(one.items, same.items)
    assert np.array_equal(one.labels, same.labels)
    assert not np.array_equal(first.batch(4).labels, one.labels)
    assert not np.array_equal(other.batch(3).labels, one.labels)


@every_sampler
def test_every_set_has_clusters_without_a_gap_and_every_number_occurs(make):
    sampler: SetSampler = make()
    seen, sizes = set(), set()
    for number in range(30):
        batch = sampler.batch(number)
        assert batch.items.dtype == np.float32
        assert batch.items.shape[:2] == batch.labels.shape
        for labels, found in zip(batch.labels, batch.numbers, strict=True):
            assert np.array_equal(np.unique(labels), np.arange(found))
        seen |= set(batch.numbers.tolist())
        sizes.add(batch.labels.shape[1])
    assert seen == set(range(1, sampler.n_most + 1))
    assert min(sizes) >= sampler.n_items[0]
    assert max(sizes) <= sampler.n_items[1]
    assert len(sizes) > 5


def test_clusters_of_points_are_as_equal_as_possible():
    batch = PointSampler(20, (23, 23), 5, 1).batch(0)
    for labels, k in zip(batch.labels, batch.numbers, strict=True):
        assert np.bincount(labels).tolist() == [23 // k] * (k - 1) + [23 // k + 23 % k]


def test_rings_have_one_centre_and_arcs_reach_into_each_other():
    random = np.random.default_rng(0)
    outer, inner = sets._rings([40, 40], random)
    np.testing.assert_allclose(outer.mean(axis=0), inner.mean(axis=0), atol=0.02)
    radius = [np.linalg.norm(ring - [0.5, 0.5], axis=1) for ring in (outer, inner)]
    assert radius[0].min() > radius[1].max()
    for points in (*sets._arcs([20, 20], random), outer, inner):
        assert 0.25 <= points.min() <= points.max() <= 0.75


def test_centres_of_blobs_keep_their_distance():
    random = np.random.default_rng(0)
    for _ in range(50):
        centres = np.array([blob.mean(axis=0) for blob in sets._blobs([400] * 5, random)])
        distance = np.linalg.norm(centres[:, None] - centres, axis=2)[~np.eye(5, dtype=bool)]
        assert distance.min() > 0.19


def test_a_set_has_two_items_or_more_of_each_of_its_speakers():
    for number in range(10):
        batch = rows().batch(number)
        for items, labels in zip(batch.items, batch.labels, strict=True):
            assert np.bincount(labels).min() >= 2
            row = [int(np.flatnonzero((item == VECTORS).all(axis=1))[0]) for item in items]
            owners = [set(SPEAKERS[row][labels == k].tolist()) for k in range(labels.max() + 1)]
            assert all(len(owner) == 1 for owner in owners)
            assert len(set.union(*owners)) == len(owners), "no two clusters are one speaker"
            for k in range(labels.max() + 1):
                own = np.array(row)[labels == k]
                assert len(set(own.tolist())) == min(len(own), 6), "no row twice while others are left"


def test_windows_of_speakers_without_noise_are_told_by_their_distances():
    batch = windows(noise=0.0, borders=0.0, planted=0.0).batch(1)
    assert batch.items.shape[2] == 5
    np.testing.assert_allclose(batch.items.mean(axis=1), 0, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rows(n_most=13, n_items=(30, 30)), "a set needs 13 speakers, but the data have 12; lower"),
        (lambda: rows(n_items=(9, 20)), r"\[sets\] n_items = 9 is too few for two of each of 5 speakers"),
        (
            lambda: WindowSetSampler(
                WindowSetConfig(n_most=20), 8, 5, 1, VECTORS, SPEAKERS, np.zeros_like(SPEAKERS)
            ),
            "a set needs 20 speakers with 2 windows, but the data have 12; lower",
        ),
    ],
)
def test_too_few_speakers_or_items_are_errors(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
