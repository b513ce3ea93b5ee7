"""The stage `label`: a clusterer proposes partitions of the windows, and the evidence chooses one."""

from __future__ import annotations

import logging
import math
import sys
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.clustering import build_clusterer
from diarize.clustering.bounds import speaker_bounds, too_few
from diarize.clustering.contract import Clusterer
from diarize.clustering.dominant_sets import WINDOWS
from diarize.clustering.reasons import Evidence, explain
from diarize.config import Config
from diarize.embedding.record import Voices
from diarize.errors import ConfigError
from diarize.machine.threads import one_blas_thread
from diarize.pipeline.one_voice import merge_one_voice
from diarize.pipeline.records import Labelled
from diarize.speakers.enrolment import Verifier
from diarize.speakers.novelty import novelty
from diarize.speakers.number import Costs, cluster_by_evidence, cost_of_likeness
from diarize.speakers.plda import Backend
from diarize.speech.detect import Heard

logger = logging.getLogger(__name__)

WINDOW_SETTINGS: dict[str, dict[str, Any]] = {
    "agglomerative": {"linkage": "average", "criterion": "silhouette", "one_speaker": 0.2},
    "dominant-sets": WINDOWS,
    "spectral": {"min_neighbors": 12, "max_neighbors": 0.4},
    "density": {"min_cluster_size": 5, "min_samples": 5},
}
"""Defaults of clusterers that differ for the windows of a recording (docs/choices.md)."""

EVIDENCE_SETTINGS: dict[str, dict[str, Any]] = {
    "agglomerative": {"linkage": "ward"},
    "dominant-sets": {"affinity": "gaussian"},
}
"""Defaults that override these if the evidence of a back end chooses among a clusterer's partitions."""


def label(
    voices: Voices,
    heard: Heard,
    backend: Backend | None,
    config: Config,
    recording: str = "recording",
    verifier: Verifier | None = None,
) -> Labelled:
    """A speaker for each window. The windows are clustered; a second check decides between one and several.

    Parameters
    ----------
    voices : Voices
    heard : Heard
        Gives the seconds of speech and overlap.
    backend : Backend, optional
        The back end of the network that made the embeddings. Without it, the clusterer chooses the number.
    config : Config
    recording : str
        Id for messages.
    verifier : Verifier, optional
        The verifier of that network: a second opinion on the number, and the novelty of the recording.

    Raises
    ------
    ConfigError
        If there are fewer windows than `n_speakers` of the config.
    """
    asked = config.clustering
    again = _by_evidence(config) and asked.n_speakers is None and asked.min_speakers == 1
    labels, evidence = cluster_windows(voices.vectors, config, recording, backend, verifier, several=again)
    with one_blas_thread():
        if backend is not None and again:
            labels, evidence = merge_one_voice(voices, labels, evidence, backend, config, heard)
        if backend is not None and verifier is not None and asked.novelty_limit is not None:
            score = novelty(voices.vectors, labels, heard.seconds[0], backend, verifier)
            if score is not None:
                evidence["novelty"] = {"score": round(score, 4), "limit": asked.novelty_limit}
    return Labelled(voices.windows, labels, evidence)


def cluster_windows(
    vectors: NDArray[np.float32],
    config: Config,
    recording: str,
    backend: Backend | None = None,
    verifier: Verifier | None = None,
    *,
    several: bool = False,
) -> tuple[NDArray[np.int64], Evidence]:
    """Labels (n_windows,), and the reason for their number, for vectors (n_windows, dim).

    The evidence of the back end chooses the number of speakers, and the verifier, if there is one, tells
    against two speakers who sound like one person. The clusterer chooses the number if there is no back end,
    a threshold or criterion is given, or the config disables the evidence. With `several`, the evidence finds
    one speaker only where no partition has more.

    Raises
    ------
    ConfigError
        If there are fewer vectors than `n_speakers` of the config.
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
        # Several threads add sums in another order; with one thread, the bytes are the same everywhere.
        with one_blas_thread():
            if backend is None:
                labels = clusterer.fit_predict(centre(vectors) if asked.centre else vectors)
                return labels, clusterer.evidence_
            costs = Costs(asked, config.embedding.hop, len(vectors))
            likeness = None
            if verifier is not None:
                likeness = partial(
                    cost_of_likeness, vectors, verifier, asked.one_person_weight, config.embedding.hop
                )
            return cluster_by_evidence(
                vectors,
                clusterer,
                backend,
                costs.weight,
                costs.speaker,
                costs.number_weight,
                several,
                likeness,
            )
    except ConfigError as error:
        raise ConfigError(f"{recording}: {error}") from error


def centre(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (n_windows, dim) less their mean, of length 1. A vector that is the mean stays as it is."""
    centred = vectors - vectors.mean(axis=0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.where(length > 1e-6, centred / np.maximum(length, 1e-6), vectors).astype(np.float32)


def _by_evidence(config: Config) -> bool:
    """Whether the back end chooses the number of speakers, if there is one."""
    asked = config.clustering
    return asked.evidence and asked.threshold is None and "criterion" not in asked.options


def make_clusterer(config: Config, by_evidence: bool = False) -> Clusterer:
    """The clusterer of windows from the config; with `by_evidence`, one that proposes to a back end.

    If a threshold is given, agglomerative clustering finds the number of speakers with it instead of the
    silhouette. In the silhouette, windows that share audio are ignored.

    Raises
    ------
    ConfigError
        If the method or a parameter is unknown, or the numbers of speakers contradict each other.
    """
    asked = config.clustering
    speaker_bounds(sys.maxsize, asked.n_speakers, asked.min_speakers, asked.max_speakers)
    settings = asked.model_dump(include={"threshold", "n_speakers", "min_speakers", "max_speakers"})
    if twice := sorted(settings.keys() & asked.options.keys()):
        raise ConfigError(f"setting 'clustering.options.{twice[0]}': write 'clustering.{twice[0]}' instead")
    options = dict(WINDOW_SETTINGS.get(asked.method, {}))
    if by_evidence:
        options |= EVIDENCE_SETTINGS.get(asked.method, {})
    if asked.method == "agglomerative":
        options["n_adjacent"] = math.ceil(config.embedding.window / config.embedding.hop) - 1
        if asked.threshold is not None:
            options["criterion"] = "threshold"
    return build_clusterer(asked.method, **settings, **options | asked.options)
