"""Several models side by side: "campplus+voices" has the embeddings of both, one after the other.

Two networks that were trained on other speech make other mistakes, so their evidence adds up. The back end of
the joined model treats them as independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from scipy.linalg import block_diag

from diarize.embedding.protocol import Described
from diarize.speakers.enrolment import Verifier
from diarize.speakers.plda import Backend


@dataclass(frozen=True)
class JoinedModel:
    """The description of several models whose embeddings are joined to one of length 1."""

    name: str
    fingerprint: str
    """The first 12 hexadecimal digits of the SHA-256 of their fingerprints."""
    backend: Backend | None
    """None if one of them has none."""
    verifier: Verifier | None = None
    """That of the first model that has one, which looks at this model's part of an embedding alone."""


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
    backend = Backend(projection[:, order], spread[order])
    return JoinedModel(
        name, fingerprint, backend, _verifier(models, [len(each.projection) for each in backends])
    )


def _verifier(models: Sequence[Described], dims: Sequence[int]) -> Verifier | None:
    """The verifier of the first model that has one, for joined embeddings; 0 for other models."""
    behind = 0
    for model, dim in zip(models, dims, strict=True):
        if (own := model.verifier) is not None:
            length = np.sqrt(len(models))
            centre, projection = np.zeros(sum(dims)), np.zeros((sum(dims), len(own.backend.spread)))
            centre[behind : behind + dim] = own.centre / length
            projection[behind : behind + dim] = own.backend.projection * length
            return replace(own, centre=centre, backend=Backend(projection, own.backend.spread))
        behind += dim
    return None
