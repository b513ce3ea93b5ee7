"""A clusterer that was trained on sets of embeddings of known speakers: attention with attractors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from scipy.special import logsumexp

from diarize.clustering.affinity import Matrix
from diarize.clustering.attractors import Weights, coordinates, log_probabilities
from diarize.clustering.contract import Clusterer, thinning
from diarize.clustering.partitions import (
    Labels,
    count,
    nearest_means,
    number_by_first_appearance,
    within_bounds,
)
from diarize.clustering.reasons import Evidence, explain
from diarize.config.toml import load_toml
from diarize.errors import ConfigError, ModelError
from diarize.files.text import shorten

_MOST_STEPS = 10  # of the reassignment to the nearest mean


class Learned(Clusterer):
    """The number of speakers and their windows by a network of attractors, then the nearest means.

    The network sees the geometry of the embeddings alone (`attractors.coordinates`). It knows numbers up to
    that of its attractors; for larger numbers, the widest clusters are split.

    Parameters
    ----------
    network : str
        Folder of the network, which recipes/train_set_clusterer.py writes.
    refine : bool
        Items go to the cluster with the nearest mean, by cosine, until nothing changes.
    max_items : int
        Of more items than this, only every second, third, ... is given to the network.
    n_speakers, min_speakers, max_speakers
        See `Clusterer`.

    References
    ----------
    Meier et al., "Learning neural models for end-to-end clustering", ANNPR 2018; Horiguchi et al.,
    "End-to-end speaker diarization for an unknown number of speakers with encoder-decoder based attractors",
    Interspeech 2020.
    """

    def __init__(
        self,
        *,
        network: str = "",
        refine: bool = True,
        max_items: int = 160,
        n_speakers: int | None = None,
        min_speakers: int = 1,
        max_speakers: int | None = None,
    ) -> None:
        super().__init__(n_speakers=n_speakers, min_speakers=min_speakers, max_speakers=max_speakers)
        self.network = network
        self.refine = refine
        self.max_items = max_items

    def partitions(self, X: Matrix, lowest: int, highest: int) -> Iterator[Labels]:
        """The most likely clusters for each number that the network knows; see `Clusterer.partitions`."""
        some = X[:: thinning(len(X), self.max_items)]
        outputs = self._outputs(some)
        for k in range(lowest, min(highest, outputs.shape[1]) + 1):
            yield self._labels(X, some, outputs, k)

    def _cluster(self, X: Matrix, lowest: int, highest: int) -> tuple[Labels, Evidence]:
        some = X[:: thinning(len(X), self.max_items)]
        outputs = self._outputs(some)
        number = logsumexp(outputs[0], axis=1)  # log P(k)
        first, last = min(lowest, len(number)), min(highest, len(number))
        k = first + int(number[first - 1 : last].argmax())
        labels = within_bounds(X, self._labels(X, some, outputs, k), lowest, highest)
        if lowest == highest:
            reason = f"{count(labels)} speakers, as requested"
        else:
            reason = (
                f"{k} speakers are the most likely number, with a probability of {np.exp(number[k - 1]):.2f}"
            )
            if count(labels) != k:
                reason = f"{count(labels)} speakers, merged or split from the most likely number: {reason}"
        return labels, explain(labels, reason, enumerate(number, start=1))

    def _outputs(self, X: Matrix) -> Matrix:
        if not self.network:
            raise ConfigError(
                "the clusterer 'learned' needs a network: train one with recipes/train_set_clusterer.py, "
                "and give --set clustering.options.network=FOLDER"
            )
        weights, heads = load_network(Path(self.network))
        return log_probabilities(weights, coordinates(X, weights["entry.weight"].shape[1]), heads)

    def _labels(self, X: Matrix, some: Matrix, outputs: Matrix, k: int) -> Labels:
        """The most likely of k clusters of each item, without empty ones."""
        labels = number_by_first_appearance(outputs[:, k - 1, :k].argmax(axis=1))
        for _ in range(_MOST_STEPS if self.refine else 0):
            nearest = number_by_first_appearance(nearest_means(some, some, labels))
            if np.array_equal(nearest, labels):
                break
            labels = nearest
        if len(some) < len(X):
            labels = number_by_first_appearance(nearest_means(X, some, labels))
        return labels


@cache
def load_network(folder: Path) -> tuple[Weights, int]:
    """The weights of a network of attractors, in double precision, and its number of heads.

    Raises
    ------
    ModelError
        If the folder has no such network.
    """
    try:
        weights = load_file(folder / "weights.safetensors")
        weights = {name: weight.astype(np.float64) for name, weight in weights.items()}
    except (OSError, SafetensorError, TypeError, AttributeError) as error:
        # The last two: NumPy has not all types of numbers.
        raise ModelError(f"{folder}: no network of attractors ({shorten(str(error), 200)})") from error
    table = load_toml(folder / "config.toml").get("network", {})
    if table.get("family") != "attractors" or "seeds" not in weights:
        raise ModelError(
            f"{folder}: a network of the family attractors is needed; see recipes/train_set_clusterer.py"
        )
    heads = table.get("heads", 4)
    try:
        log_probabilities(weights, np.zeros((2, weights["entry.weight"].shape[1])), heads)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ModelError(f"{folder}: weights do not fit config.toml ({shorten(str(error), 200)})") from error
    return weights, heads
