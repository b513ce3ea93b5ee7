"""What the embedder asks of an encoder, and an encoder of a network that takes windows one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diarize.audio import Samples
from diarize.segments import Segment
from diarize.speakers.plda import Backend

Vectors = NDArray[np.float32]
Task = Callable[[], Vectors]
"""A piece of work for any thread: the vectors (n, dim) of the next n windows."""


class Described(Protocol):
    """A model's name, and a text that changes with its weights."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def fingerprint(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of its weights file."""
        ...

    @property
    def backend(self) -> Backend | None:
        """How its vectors vary within speakers and between them, where that was learned."""
        ...


class Encoder(Protocol):
    """Windows of a recording to vectors."""

    @property
    def model(self) -> Described:
        """What makes the vectors."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def tasks(
        self, blocks: Iterable[Samples], windows: list[Segment], mixed: list[Segment]
    ) -> Iterator[Task]:
        """The work on windows, sorted by start, over blocks of samples, in the windows' order.

        What is `mixed`, sorted and apart, is left out where the encoder can.
        """
        ...


class WindowNetwork(Described, Protocol):
    """A network that is given the samples of whole windows."""

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    @property
    def min_samples(self) -> int:
        """A shorter window is widened to this, around its middle."""
        ...

    @property
    def max_samples(self) -> int:
        """A longer window is cut to this, around its middle."""
        ...

    def embed(self, samples: Samples) -> Vectors:
        """Vectors (n, dim) of length 1 of windows (n, n_samples); called from several threads."""
        ...
