"""Interfaces: the encoder that the embedder uses, and a network that takes windows one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from diarize.audio import Samples
from diarize.segments import Segment
from diarize.speakers.enrolment import Verifier
from diarize.speakers.plda import Backend

Precision = Literal["float32", "bfloat16"]
Vectors = NDArray[np.float32]
Task = Callable[[], Vectors]
"""A function that any thread may call: it returns the embeddings (n, dim) of the next n windows."""


class Described(Protocol):
    """A model with a name and a fingerprint of its weights."""

    @property
    def name(self) -> str:
        """The name of the model."""
        ...

    @property
    def fingerprint(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the weights file."""
        ...

    @property
    def backend(self) -> Backend | None:
        """How its embeddings vary within and between speakers; None if this was not learned."""
        ...

    @property
    def verifier(self) -> Verifier | None:
        """The law of the scores of known voices; None if this was not learned."""
        ...


class Encoder(Protocol):
    """A way from the windows of a recording to embeddings."""

    @property
    def model(self) -> Described:
        """The model that makes the embeddings."""
        ...

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        ...

    def tasks(
        self,
        blocks: Iterable[Samples],
        windows: list[Segment],
        mixed: list[Segment],
        parts: Sequence[Sequence[Segment] | None],
    ) -> Iterator[Task]:
        """The tasks for windows that are sorted by start, in the order of the windows.

        A window with `parts` is embedded by these alone. From one without, segments that are `mixed` are
        excluded if the encoder can do so. Both are sorted and do not overlap.
        """
        ...


class WindowNetwork(Described, Protocol):
    """A network that takes the samples of whole windows."""

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        ...

    @property
    def min_samples(self) -> int:
        """Samples to which a shorter window is widened, around its middle."""
        ...

    @property
    def max_samples(self) -> int:
        """Samples to which a longer window is cut, around its middle."""
        ...

    def embed(self, samples: Samples) -> Vectors:
        """The embeddings (n, dim), of length 1, of windows (n, n_samples); called from several threads."""
        ...
