"""Several models side by side: "campplus+voices" has the embeddings of both, one after the other.

Two networks that were trained on other speech make other mistakes, so their evidence adds up. The back end of
the joined model treats them as independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from scipy.linalg import block_diag

from diarize.embedding.protocol import Described
from diarize.speakers.plda import Backend


@dataclass(frozen=True)
class JoinedModel:
    """The description of several models whose embeddings are joined to one of length 1."""

    name: str
    fingerprint: str
    """The first 12 hexadecimal digits of the SHA-256 of their fingerprints."""
    backend: Backend | None
    """None if one of them has none."""


def join_models(models: Sequence[Described]) -> JoinedModel:
    """The description of models whose embeddings are joined, in this order."""
    name = "+".join(model.name for model in models)
    fingerprint = sha256(" ".join(model.fingerprint for model in models).encode()).hexdigest()[:12]
    backends = [model.backend for model in models if model.backend is not None]
    if len(backends) < len(models):
        return JoinedModel(name, fingerprint, None)
    spread = np.concatenate([each.spread for each in backends])
    # A joined embedding has length 1, so each part is shorter by this factor.
    projection = np.sqrt(len(models)) * block_diag(*(each.projection for each in backends))
    order = np.argsort(-spread, kind="stable")
    return JoinedModel(name, fingerprint, Backend(projection[:, order], spread[order]))
