"""Sets of windows as a conversation has them, from the embeddings of clips of single speakers."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field, field_validator

from diarize.clustering.attractors import coordinates
from diarize.config import Settings
from diarize.errors import ConfigError
from diarize.training.sets import Items, Labels, SetSampler, is_a_range

LEAST = 2
"""Windows of a speaker in a set, at least."""


class WindowSetConfig(Settings):
    """The [sets] table of windows of conversations."""

    kind: Literal["windows"] = "windows"
    n_items: tuple[int, int] = Field((12, 160), description="windows of a set, of a batch as many each")
    n_most: int = Field(8, ge=1, description="the largest number of speakers")
    alike: float = Field(0.6, ge=0, le=1, description="share of the sets whose speakers are of one corpus")
    borders: float = Field(
        0.15, ge=0, le=1, description="largest share of windows that hold a second speaker"
    )
    noise: float = Field(0.8, ge=0, description="largest length of the noise that is added to an embedding")
    planted: float = Field(
        0.1, ge=0, le=1, description="share of the sets whose embeddings are random clusters"
    )

    _range = field_validator("n_items")(is_a_range)


class WindowSetSampler(SetSampler):
    """Batches of sets of windows, by the principal coordinates of their embeddings, turned at random.

    Every number of speakers is as likely. How much each speaks is random (Dirichlet). A window is an
    embedding of the speaker, or lies between two of them. Some hold a part of another speaker, as windows at
    the borders of turns do. All of a set have noise, so that speakers on whom the embedding network was
    trained are as hard to distinguish as others.

    Parameters
    ----------
    config : WindowSetConfig
    batch_size, n_inputs, seed : int
        Sets in a batch; coordinates of an item.
    vectors : (n_rows, dim)
        Embeddings of length 1.
    speakers, corpora : (n_rows,) int
        The speaker and the corpus of each row.

    Raises
    ------
    ConfigError
        If there are too few speakers.
    """

    def __init__(
        self,
        config: WindowSetConfig,
        batch_size: int,
        n_inputs: int,
        seed: int,
        vectors: NDArray[np.float32],
        speakers: NDArray[np.int64],
        corpora: NDArray[np.int64],
    ) -> None:
        super().__init__(batch_size, config.n_items, config.n_most, seed)
        self.config, self.n_inputs, self.vectors = config, n_inputs, vectors
        order = np.argsort(speakers, kind="stable")
        rows = np.split(order, np.flatnonzero(np.diff(speakers[order])) + 1)
        self.rows = [each for each in rows if len(each) >= LEAST]
        self.corpus = np.array([corpora[each[0]] for each in self.rows])
        if len(self.rows) < config.n_most:
            raise ConfigError(
                f"a set needs {config.n_most} speakers with {LEAST} windows, "
                f"but the data have {len(self.rows)}; lower [sets] n_most"
            )

    def labels(self, n_items: int, random: Generator) -> Labels:
        """Two windows of each speaker; the others by random shares of the speakers."""
        k = int(random.integers(1, min(self.n_most, n_items // LEAST) + 1))
        shares = random.dirichlet(np.full(k, random.choice([0.7, 2.0, 8.0])))
        others = random.choice(k, n_items - LEAST * k, p=shares)
        return random.permutation(np.concatenate([np.repeat(np.arange(k), LEAST), others]))

    def draw(self, labels: Labels, random: Generator) -> Items:
        """Coordinates (n_items, n_inputs) of the windows of a random set."""
        planted = random.random() < self.config.planted
        X = self._planted(labels, random) if planted else self._windows(labels, random)
        turn = np.linalg.qr(random.normal(size=(self.n_inputs, self.n_inputs)))[0]
        return (coordinates(X, self.n_inputs) @ turn).astype(np.float32)

    def _planted(self, speakers: Labels, random: Generator) -> NDArray[np.float64]:
        """Normal clusters around random directions of a space of few or many dimensions."""
        dim = int(random.choice([3, 8, 32, 128]))
        centres = random.normal(size=(int(speakers.max()) + 1, dim))
        spread = random.uniform(0.05, 0.3 if dim < 32 else 0.7)
        return centres[speakers] + spread * random.normal(size=(len(speakers), dim))

    def _windows(self, speakers: Labels, random: Generator) -> NDArray[np.float64]:
        config, k = self.config, int(speakers.max()) + 1
        known = np.arange(len(self.rows))
        if random.random() < config.alike:
            known = known[self.corpus == self.corpus[random.integers(len(known))]]
        if len(known) < k:  # a small corpus
            known = np.arange(len(self.rows))
        rows = [self.rows[each] for each in random.choice(known, k, replace=False)]
        X = np.empty((len(speakers), self.vectors.shape[1]))
        for i, speaker in enumerate(speakers.tolist()):
            one, other = self.vectors[random.choice(rows[speaker], 2)].astype(np.float64)
            X[i] = one + random.random() * (other - one) if random.random() < 0.5 else one
        mixed = random.random(len(X)) < random.uniform(0, config.borders)
        for i in np.flatnonzero(mixed).tolist():
            X[i] += random.uniform(0, 0.8) * (X[random.integers(len(X))] - X[i])
        X /= np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-6)
        noise = random.normal(size=X.shape)
        length = random.uniform(0, config.noise)
        return X + length * noise / np.linalg.norm(noise, axis=1, keepdims=True)
