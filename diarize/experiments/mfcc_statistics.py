"""Mean and standard deviation of MFCC, the simplest embedding of a speaker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mfcc_statistics(parts: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Mean and standard deviation of the frames (n_frames, dim) of each part: (n_parts, 2 * dim).

    Each column is standardised over the parts, so an embedding describes how a part differs from the others.
    """
    frames = [np.asarray(part, dtype=np.float64) for part in parts]
    vectors = np.stack([np.concatenate([part.mean(axis=0), part.std(axis=0)]) for part in frames])
    spread = vectors.std(axis=0)
    standardised: NDArray[np.float64] = (vectors - vectors.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return standardised
