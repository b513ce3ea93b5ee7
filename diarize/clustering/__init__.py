"""Clusterers of speaker embeddings under one contract, and ``build_clusterer``."""

from __future__ import annotations

from importlib import import_module
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


def build_clusterer(method: str, **params: Any) -> Clusterer:
    """The clusterer of that name; a ``threshold`` of None means its default.

    Raises
    ------
    ConfigError
        For an unknown method or parameter; the message lists the known ones.
    """
    if method not in CLUSTERERS:
        raise ConfigError(f"unknown clusterer {method!r}; known: {', '.join(CLUSTERERS)}")
    module, name = CLUSTERERS[method]
    clusterer: Clusterer = getattr(import_module(module), name)()
    if params.get("threshold", 0) is None:
        del params["threshold"]
    known = clusterer.get_params(deep=False)
    for param in params:
        if param not in known:
            raise ConfigError(
                f"clusterer {method!r} has no parameter {param!r}; known: {', '.join(sorted(known))}"
            )
    clusterer.set_params(**params)
    return clusterer
