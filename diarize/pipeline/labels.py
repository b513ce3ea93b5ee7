"""Embedded windows to speakers: a clusterer proposes, the evidence of the back end chooses how many."""

from __future__ import annotations

import logging
import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.clustering import build_clusterer
from diarize.clustering.bounds import speaker_bounds, too_few
from diarize.clustering.contract import Clusterer
from diarize.clustering.dominant_sets import WINDOWS
from diarize.clustering.reasons import Evidence, explain
from diarize.config import Config
from diarize.embedding.embedder import Voices
from diarize.errors import ConfigError
from diarize.machine.threads import one_blas_thread
from diarize.pipeline.one_voice import merge_one_voice
from diarize.pipeline.records import Labelled
from diarize.speakers.number import Costs, cluster_by_evidence
from diarize.speakers.plda import Backend
from diarize.speech.detect import Heard

logger = logging.getLogger(__name__)

WINDOW_SETTINGS: dict[str, dict[str, Any]] = {
    "agglomerative": {"linkage": "average", "criterion": "silhouette", "one_speaker": 0.2},
    "dominant-sets": WINDOWS,
    "spectral": {"min_neighbors": 12, "max_neighbors": 0.4},
    "density": {"min_cluster_size": 5, "min_samples": 5},
}
"""Where the windows of a recording need other values than a clusterer's own: docs/choices.md."""

EVIDENCE_SETTINGS: dict[str, dict[str, Any]] = {
    "agglomerative": {"linkage": "ward"},
    "dominant-sets": {"affinity": "gaussian"},
}
"""Over these, where the evidence of a back end chooses among a clusterer's partitions."""


def label(
    voices: Voices, heard: Heard, backend: Backend | None, config: Config, recording: str = "recording"
) -> Labelled:
    """A speaker for each window: the windows are clustered, and are one where they are one voice after all.

    Parameters
    ----------
    voices : Voices
    heard : Heard
        How many seconds of speech and overlap there are.
    backend : Backend, optional
        Of the network that made the embeddings; without it the clusterer alone chooses the number.
    config : Config
    recording : str
        Its id, for messages.

    Raises
    ------
    ConfigError
        When there are fewer windows than `n_speakers` of the config.
    """
    labels, evidence = cluster_windows(voices.vectors, config, recording, backend)
    asked = config.clustering
    if backend is None or not _by_evidence(config) or asked.n_speakers is not None or asked.min_speakers > 1:
        return Labelled(voices.windows, labels, evidence)
    with one_blas_thread():
        labels, evidence = merge_one_voice(voices, labels, evidence, backend, config, heard)
    return Labelled(voices.windows, labels, evidence)


def cluster_windows(
    vectors: NDArray[np.float32], config: Config, recording: str, backend: Backend | None = None
) -> tuple[NDArray[np.int64], Evidence]:
    """Labels (n_windows,), and why there are so many, for vectors (n_windows, dim).

    The evidence of the back end chooses the number of speakers.
    Without a back end, with a given threshold or criterion, or by the config, the clusterer chooses.

    Raises
    ------
    ConfigError
        When there are fewer vectors than `n_speakers` of the config.
    """
    if not len(vectors):
        logger.warning("%s: no speech was found", recording)
        none = np.zeros(0, dtype=np.int64)
        return none, explain(none, "0 speakers: no speech was found")
    asked = config.clustering
    if message := too_few(len(vectors), asked.n_speakers, asked.min_speakers):
        logger.warning("%s: %s", recording, message)
        asked = asked.model_copy(update={"min_speakers": len(vectors)})
        config = config.model_copy(update={"clustering": asked})
    if not _by_evidence(config):
        backend = None
    clusterer = make_clusterer(config, backend is not None)
    try:
        # Sums over several threads are added in another order: one thread gives the same bytes everywhere.
        with one_blas_thread():
            if backend is None:
                labels = clusterer.fit_predict(vectors)
                return labels, clusterer.evidence_
            costs = Costs(asked, config.embedding.hop, len(vectors))
            return cluster_by_evidence(
                vectors,
                clusterer,
                backend,
                costs.weight,
                costs.speaker,
                costs.number_weight,
                asked.one_speaker_cost,
            )
    except ConfigError as error:
        raise ConfigError(f"{recording}: {error}") from error


def _by_evidence(config: Config) -> bool:
    """Whether a back end chooses the number, where there is one."""
    asked = config.clustering
    return asked.evidence and asked.threshold is None and "criterion" not in asked.options


def make_clusterer(config: Config, by_evidence: bool = False) -> Clusterer:
    """The clusterer of windows that the config asks for; `by_evidence`: to propose partitions to a back end.

    A given threshold of agglomerative clustering decides the number of speakers instead of the silhouette,
    for which windows that share audio do not count for each other.

    Raises
    ------
    ConfigError
        For an unknown method or parameter, or when the numbers of speakers contradict each other.
    """
    asked = config.clustering
    speaker_bounds(sys.maxsize, asked.n_speakers, asked.min_speakers, asked.max_speakers)
    settings = asked.model_dump(include={"threshold", "n_speakers", "min_speakers", "max_speakers"})
    if twice := sorted(settings.keys() & asked.options.keys()):
        raise ConfigError(f"setting 'clustering.options.{twice[0]}': it is called 'clustering.{twice[0]}'")
    options = dict(WINDOW_SETTINGS.get(asked.method, {}))
    if by_evidence:
        options |= EVIDENCE_SETTINGS.get(asked.method, {})
    if asked.method == "agglomerative":
        options["n_adjacent"] = math.ceil(config.embedding.window / config.embedding.hop) - 1
        if asked.threshold is not None:
            options["criterion"] = "threshold"
    return build_clusterer(asked.method, **settings, **options | asked.options)
