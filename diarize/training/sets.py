"""Sets of items of a few clusters, on which a network learns to cluster: points in the plane, or speech."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from diarize.errors import ConfigError

Items = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class SetBatch:
    """Sets of as many items each.

    Attributes
    ----------
    items : (batch_size, n_items, ...) float32
    labels : (batch_size, n_items) int
        The cluster of each item: 0, 1, ... without a gap in each set.
    """

    items: Items
    labels: Labels

    @property
    def inputs(self) -> tuple[Tensor]:
        """The items."""
        return (from_numpy(self.items),)

    @property
    def numbers(self) -> Labels:
        """The number of clusters (batch_size,) of each set."""
        found: Labels = self.labels.max(axis=1) + 1
        return found


def is_a_range(n_items: tuple[int, int]) -> tuple[int, int]:
    """The setting n_items, if it is possible: of two numbers from 2, the second at least the first."""
    if not 2 <= n_items[0] <= n_items[1]:
        raise ValueError("input should be the fewest and the most, both 2 or more")
    return n_items


class SetSampler(ABC):
    """Batches of random sets, each of one to `n_most` clusters, every number as likely.

    Parameters
    ----------
    batch_size : int
        Sets in a batch.
    n_items : tuple of int
        Items of a set, the fewest and the most. All sets of a batch have as many; 20 to 40 are as likely as
        40 to 80.
    n_most : int
        The largest number of clusters.
    seed : int
    """

    def __init__(self, batch_size: int, n_items: tuple[int, int], n_most: int, seed: int) -> None:
        self.batch_size, self.n_items, self.n_most, self.seed = batch_size, n_items, n_most, seed

    def batch(self, number: int) -> SetBatch:
        """Batch number `number`, from 0."""
        random = np.random.default_rng([self.seed, number])
        n_items = self.size(random)
        labels = [self.labels(n_items, random) for _ in range(self.batch_size)]
        items = [self.draw(each, random) for each in labels]
        return SetBatch(np.stack(items).astype(np.float32), np.stack(labels).astype(np.int64))

    def size(self, random: Generator) -> int:
        """A random number of items."""
        return int(np.exp(random.uniform(*np.log(self.n_items))).round())

    @abstractmethod
    def labels(self, n_items: int, random: Generator) -> Labels:
        """The clusters (n_items,) of the items of a random set."""

    @abstractmethod
    def draw(self, labels: Labels, random: Generator) -> Items:
        """Items (n_items, ...) of these clusters."""


class PointSampler(SetSampler):
    """Points (n_items, 2) in the unit square: blobs, rings, rings in rings, arcs, pairs of arcs.

    Clusters have the same size. A set has one or several groups of clusters, each in a cell of its own of a
    grid of as few cells as are needed::

        1, 2 or 5 clusters   blobs: normal with deviation `blob`, centres at least 0.2 apart
        1 or 2               a ring, or two of one centre, the inner of 0.1 to 0.4 of the radius
        1 or 2               half a ring, or two that reach into each other

    Rings and arcs are turned by a random angle and fill the middle half of a cell. Those alone in their group
    need 10 points, those of a pair 5.

    References
    ----------
    Meier et al., "Learning neural models for end-to-end clustering", ANNPR 2018, and the programs published
    with it (sizes of shapes, which the paper does not print).
    """

    blob = 0.05
    """Standard deviation of a blob in a cell of size 1."""

    def labels(self, n_items: int, random: Generator) -> Labels:
        """Clusters as equal as possible; the last has what is left."""
        k = int(random.integers(1, min(self.n_most, n_items) + 1))
        clusters = np.minimum(np.arange(n_items) // (n_items // k), k - 1)
        return random.permutation(clusters)

    def draw(self, labels: Labels, random: Generator) -> Items:
        """Points of these clusters."""
        left = np.bincount(labels).tolist()
        groups: list[NDArray[np.float64]] = []
        while left:
            n, shape = _choose_shape(len(left), left[0], random)
            groups.append(np.concatenate(shape(left[:n], random)))
            left = left[n:]
        n_columns = int(np.ceil(np.sqrt(len(groups))))
        cells = random.choice(n_columns**2, len(groups), replace=False)
        corners = np.stack([cells % n_columns, cells // n_columns], axis=1)
        placed = [(group + corner) / n_columns for group, corner in zip(groups, corners, strict=True)]
        points = np.empty((len(labels), 2), np.float32)
        points[np.argsort(labels, kind="stable")] = np.concatenate(placed)
        return points


Shape = Callable[[list[int], Generator], list[NDArray[np.float64]]]


def _choose_shape(n_clusters: int, size: int, random: Generator) -> tuple[int, Shape]:
    """The number of clusters of a random group of at most `n_clusters`, and its shape."""
    known: list[tuple[int, int, Shape]] = [
        (1, 1, _blobs),
        (2, 1, _blobs),
        (5, 1, _blobs),
        (1, 10, _rings),
        (2, 5, _rings),
        (1, 10, _arcs),
        (2, 5, _arcs),
    ]
    possible = [(n, shape) for n, least, shape in known if n <= n_clusters and least <= size]
    return possible[int(random.integers(len(possible)))]


def _blobs(sizes: list[int], random: Generator) -> list[NDArray[np.float64]]:
    centres: list[NDArray[np.float64]] = []
    while len(centres) < len(sizes):
        centre = random.random(2)
        if all(np.linalg.norm(centre - other) >= 0.2 for other in centres):
            centres.append(centre)
    pairs = zip(centres, sizes, strict=True)
    return [centre + PointSampler.blob * random.normal(size=(size, 2)) for centre, size in pairs]


def _rings(sizes: list[int], random: Generator) -> list[NDArray[np.float64]]:
    inner = random.uniform(0.1, 0.4)
    radii = [inner] if len(sizes) == 1 else [1.0, inner]
    rings = []
    for radius, size in zip(radii, sizes, strict=True):
        angle = 2 * np.pi * np.arange(size) / size
        rings.append(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return _fitted(rings, random.uniform(0, 0.02), random)


def _arcs(sizes: list[int], random: Generator) -> list[NDArray[np.float64]]:
    arcs = []
    for number, size in enumerate(sizes):
        angle = np.linspace(0, np.pi, size)
        arc = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        arcs.append(arc if number == 0 else np.array([1.0, 0.5]) - arc)
    return _fitted(arcs, random.uniform(0, 0.03), random)


def _fitted(
    clusters: list[NDArray[np.float64]], noise: float, random: Generator
) -> list[NDArray[np.float64]]:
    """The clusters with noise, turned by a random angle, in the middle half of the unit square."""
    angle = random.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.concatenate(clusters)
    points = (points + noise * random.normal(size=points.shape)) @ turn
    low, high = points.min(axis=0), points.max(axis=0)
    points = 0.25 + 0.5 * (points - low) / (high - low)
    return np.split(points, np.cumsum([len(each) for each in clusters])[:-1])


class SpeakerSetSampler(SetSampler):
    """Sets of items of speakers: at least two of each, the others of random ones among them.

    Parameters
    ----------
    batch_size, n_items, n_most, seed
        See `SetSampler`.
    speakers : (n_rows,) int
        The speaker of each row.
    item : function
        An item of a row, such as its embedding, or a random snippet of it.

    Raises
    ------
    ConfigError
        If there are fewer than `n_most` speakers, or too few items for two of each.

    References
    ----------
    Meier et al., "Learning neural models for end-to-end clustering", ANNPR 2018.
    """

    def __init__(
        self,
        batch_size: int,
        n_items: tuple[int, int],
        n_most: int,
        seed: int,
        speakers: NDArray[np.int64],
        item: Callable[[int, Generator], Items],
    ) -> None:
        super().__init__(batch_size, n_items, n_most, seed)
        self.item = item
        self.rows = [np.flatnonzero(speakers == speaker) for speaker in np.unique(speakers)]
        if len(self.rows) < n_most:
            raise ConfigError(
                f"a set needs {n_most} speakers, but the data have {len(self.rows)}; lower [sets] n_most"
            )
        if n_items[0] < 2 * n_most:
            raise ConfigError(
                f"[sets] n_items = {n_items[0]} is too few for two of each of {n_most} speakers; raise it"
            )

    def labels(self, n_items: int, random: Generator) -> Labels:
        """Two of each speaker; the others are of random speakers."""
        k = int(random.integers(1, self.n_most + 1))
        others = random.integers(k, size=n_items - 2 * k)
        return random.permutation(np.concatenate([np.repeat(np.arange(k), 2), others]))

    def draw(self, labels: Labels, random: Generator) -> Items:
        """Items of random speakers, from random rows; a row comes twice only if a speaker has too few."""
        sizes = np.bincount(labels)
        chosen = random.choice(len(self.rows), len(sizes), replace=False)
        rows = np.empty(len(labels), np.int64)
        for number, (speaker, size) in enumerate(zip(chosen, sizes, strict=True)):
            rows[labels == number] = np.resize(random.permutation(self.rows[speaker]), size)
        return np.stack([self.item(int(row), random) for row in rows])
