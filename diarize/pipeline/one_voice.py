"""Comparison of the speakers found with one speaker, in short windows.

With few windows, the best of many possible cuts always looks good on the windows it was chosen on, so nearly
every short recording of one speaker would be split. Therefore the speakers are compared with one speaker
again, in the short windows of the resegmentation, which had no part in the cut::

    windows   [----A----][----B----][----B----]      clustered; the cut is the best of many
    pieces    AAAAAAAAAAAAAAAABBBBBBBBBBBBBBAAAAA      if one speaker was cut, A and B differ less here
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.partitions import Labels, count, number_by_first_appearance
from diarize.clustering.reasons import Evidence, explain
from diarize.config import Config
from diarize.embedding.record import Voices
from diarize.pipeline.resegmentation import label_pieces
from diarize.speakers.number import Costs, window_weight
from diarize.speakers.plda import Backend
from diarize.speech.detect import Heard

WINDOWS_COUNT = 0.5
"""Weight of the evidence of the windows; that of the pieces has weight 1."""


def merge_one_voice(
    voices: Voices, labels: Labels, evidence: Evidence, backend: Backend, config: Config, heard: Heard
) -> tuple[Labels, Evidence]:
    """The labels (n_windows,) and the reason, or one label if the speakers are one speaker after all.

    The longer one speaker talks, the more the voice varies, so several speakers must gain more over one.
    Overlapping speech is a sign of several speakers, so they need to gain less.
    """
    if count(labels) < 2:
        return labels, evidence
    costs = Costs(config.clustering, config.embedding.hop, len(labels))
    won = nats_above_one(voices, labels, backend, config)
    needed = costs.second_speaker(*heard.seconds)
    if won > needed:
        if count(labels) > 2:
            return labels, evidence
        why = f"{evidence['reason']}, {won:.1f} nats above 1 in shorter windows, {needed:.1f} are needed"
        return labels, {**evidence, "reason": why}
    one = np.zeros_like(labels)
    speech, overlap = heard.seconds
    reason = (
        f"1 speaker: the evidence of {count(labels)} is {won:.1f} nats above 1 in shorter windows, "
        f"{needed:.1f} are needed with {speech:.1f} s of speech and {overlap:.1f} s of overlap"
    )
    scores = [(each["n_speakers"], each["score"]) for each in evidence["candidates"]]
    return one, explain(one, reason, scores, evidence["absorbed"])


def nats_above_one(voices: Voices, labels: Labels, backend: Backend, config: Config) -> float:
    """What speakers 0, 1, ... (n_windows,) gain over one speaker, in nats, in pieces and in windows.

    Without pieces, only the windows count.
    """
    costs = Costs(config.clustering, config.embedding.hop, len(labels))
    weight, cost = costs.number_weight, costs.speaker * (count(labels) - 1)
    windows = _above_one(voices.vectors, labels, backend, weight) - cost
    if not voices.pieces:
        return windows
    of_pieces = number_by_first_appearance(label_pieces(voices, labels, backend, config))
    weight *= window_weight(config.clustering, config.resegmentation.hop) / costs.weight
    return _above_one(voices.piece_vectors, of_pieces, backend, weight) + WINDOWS_COUNT * windows


def _above_one(vectors: NDArray[np.float32], labels: Labels, backend: Backend, weight: float) -> float:
    Y = backend.whiten(vectors)
    return backend.evidence(Y, labels, weight) - backend.evidence(Y, np.zeros_like(labels), weight)
