"""The base class of all clusterers, which ensures what they promise.

A clusterer is a scikit-learn estimator that sees vectors only. The number of speakers lies within the given
bounds for any number of items, also for copies of one vector and zero vectors. Only if there are fewer items
than ``min_speakers``, each item is a speaker. Labels are numbered by first appearance. ``evidence_`` says why
there are this many speakers. The same vectors always give the same labels.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from diarize.clustering.affinity import Matrix
from diarize.clustering.bounds import speaker_bounds, too_few
from diarize.clustering.estimator import Estimator
from diarize.clustering.partitions import Labels, count, number_by_first_appearance, within_bounds
from diarize.clustering.reasons import Evidence, explain

logger = logging.getLogger(__name__)


class Clusterer(Estimator, ABC):
    """Base of all clusterers.

    Parameters
    ----------
    n_speakers : int, optional
        Exact number of speakers, if it is known.
    min_speakers : int
        At least this many speakers; with fewer items, each is a speaker.
    max_speakers : int, optional
        At most this many speakers.

    Attributes
    ----------
    labels_ : array (n_items,) of int
        0, 1, ... in order of first appearance.
    n_speakers_ : int
    evidence_ : Evidence
    """

    labels_: Labels
    n_speakers_: int
    evidence_: Evidence

    def __init__(
        self, *, n_speakers: int | None = None, min_speakers: int = 1, max_speakers: int | None = None
    ) -> None:
        self.n_speakers = n_speakers
        self.min_speakers = min_speakers
        self.max_speakers = max_speakers

    def fit(self, X: Any, y: Any = None) -> Self:
        """Cluster the vectors X (n_items, dim), which must be finite numbers; ``y`` is ignored.

        Raises
        ------
        ConfigError
            If ``n_speakers`` is impossible for this many items.
        """
        from sklearn.utils.validation import validate_data

        X = validate_data(self, X, dtype=(np.float64, np.float32))
        lowest, highest = speaker_bounds(len(X), self.n_speakers, self.min_speakers, self.max_speakers)
        if message := too_few(len(X), self.n_speakers, self.min_speakers):
            logger.warning("%s", message)
        if highest == 1:
            labels = np.zeros(len(X), dtype=np.int64)
            why = "there is one embedding" if len(X) == 1 else "at most one speaker was requested"
            evidence = explain(labels, f"1 speaker: {why}, nothing was clustered")
        else:
            labels, evidence = self._cluster(X, lowest, highest)
            labels = number_by_first_appearance(labels)
        found = count(labels)
        assert lowest <= found <= highest
        assert found == evidence["n_speakers"]
        self.labels_, self.n_speakers_, self.evidence_ = labels, found, evidence
        return self

    def partitions(self, X: Matrix, lowest: int, highest: int) -> Iterator[Labels]:
        """Labels (n_items,) of partitions into about ``lowest`` to ``highest`` clusters, as candidates.

        By default, clusters of ``fit`` are merged or split. X is (n_items, dim), n_items >= highest.
        """
        own = type(self)(**self.get_params() | {"n_speakers": None, "min_speakers": 1, "max_speakers": None})
        own.fit(X)
        for k in range(lowest, highest + 1):
            yield within_bounds(X, own.labels_, k, k)

    @abstractmethod
    def _cluster(self, X: Matrix, lowest: int, highest: int) -> tuple[Labels, Evidence]:
        """Labels (n_items,) with ``lowest`` to ``highest`` values, and the reason.

        It is called only with n_items >= 2, highest >= 2 and 1 <= lowest <= highest <= n_items.
        """


def thinning(n_items: int, max_items: int) -> int:
    """The step at which at most max_items items are clustered: 1 for all, 2 for every second, ...; logged."""
    step = max(-(-n_items // max_items), 1)
    if step > 1:
        logger.info("%d embeddings: one in %d is clustered, the others go to the nearest mean", n_items, step)
    return step
