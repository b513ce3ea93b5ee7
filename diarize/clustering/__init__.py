"""Clusterers of speaker embeddings, and ``build_clusterer``.

- ``contract``: the base class of all clusterers
- ``agglomerative``: a tree of merges, cut at a distance, at a number of clusters, or by silhouette
- ``levels``: many items in two levels: small clusters, and a tree of these
- ``silhouette``: the mean silhouette of a partition
- ``dominant_sets``: dominant sets as a clusterer
- ``replicator``: dynamics that find a dominant set
- ``spectral``: spectral clustering that chooses its graph and number of clusters: NME-SC
- ``density``: HDBSCAN
- ``learned``: a clusterer that was trained on sets of embeddings of known speakers
- ``attractors``: its network in NumPy
- ``affinity``: affinities of embeddings
- ``bounds``: bounds of the number of speakers
- ``partitions``: partitions as labels: numbered, merged, split
- ``reasons``: the reason for the number of speakers
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from diarize.errors import ConfigError

if TYPE_CHECKING:
    from diarize.clustering.contract import Clusterer

# method: module and class; a module is imported when its clusterer is first built
CLUSTERERS = {
    "agglomerative": ("diarize.clustering.agglomerative", "Agglomerative"),
    "dominant-sets": ("diarize.clustering.dominant_sets", "DominantSets"),
    "spectral": ("diarize.clustering.spectral", "Spectral"),
    "density": ("diarize.clustering.density", "Density"),
}
TRAINED_CLUSTERERS: dict[str, tuple[str, str]] = {
    "learned": ("diarize.clustering.learned", "Learned"),
}
"""Clusterers that need a network of your own, which is one of their parameters."""


def build_clusterer(method: str, **params: Any) -> Clusterer:
    """The clusterer of that name; a ``threshold`` of None means its default.

    Raises
    ------
    ConfigError
        If the method or a parameter is unknown (the message lists the known ones), or a value is impossible.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
    >>> build_clusterer("agglomerative", n_speakers=2).fit_predict(X).tolist()
    [0, 0, 1, 1]
    """
    # This module imports pydantic, which a list of names does not need.
    from diarize.config.registry import find_class

    clusterer: Clusterer = find_class({**CLUSTERERS, **TRAINED_CLUSTERERS}, method, "clusterer")()
    if params.get("threshold", 0) is None:
        del params["threshold"]
    known = clusterer.get_params(deep=False)
    for param in params:
        if param not in known:
            raise ConfigError(
                f"clusterer {method!r} has no parameter {param!r}; known: {', '.join(sorted(known))}"
            )
        _check_value(method, param, params[param], known[param])
    clusterer.set_params(**params)
    return clusterer


_LEAST = {"max_items": 2, "n_graphs": 1, "max_iterations": 1, "min_neighbors": 1, "one_speaker": -1}
"""Smallest values; any other number is at least 0. Clusterers check their own further limits."""
_ANY = {"threshold", "n_speakers", "min_speakers", "max_speakers"}
_SHARES = {"max_neighbors", "theta"}


def _check_value(method: str, param: str, value: Any, default: Any) -> None:
    """Raise a ConfigError if a number or a text is needed and another value is given."""
    if isinstance(default, str) and isinstance(value, list | dict):
        raise ConfigError(f"clusterer {method!r}: {param} is a text, got {value!r}")
    if isinstance(default, bool) or not isinstance(default, int | float) or param in _ANY:
        return
    kind = int if isinstance(default, int) else (int, float)
    needed = "an integer" if kind is int else "a number"
    if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value):
        raise ConfigError(f"clusterer {method!r}: {param} is {needed}, got {value!r}")
    least = _LEAST.get(param, 0)
    if value < least or (param in _SHARES and value > 1):
        within = f"{needed} from 0 to 1" if param in _SHARES else f"{needed} from {least}"
        raise ConfigError(f"clusterer {method!r}: {param} is {within}, got {value!r}")
