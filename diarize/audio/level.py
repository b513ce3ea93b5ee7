r"""Quiet recordings are made louder, as loud as those that the networks were trained on.

::

    samples     ..::::..  ....................  ::::::..     loud, a long quiet part, loud
    loudest     ---------\___________________/---------     within AROUND seconds of each second
    gain        _________/~~~~~~~~~~~~~~~~~~~\_________     up to TARGET, but at most MOST
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from diarize.audio.pieces import Samples
from diarize.audio.recordings import SAMPLE_RATE, regroup

TARGET = -20.0
"""dB of full scale; samples whose loudest seconds are below it are made louder."""

MOST = 40.0
"""dB; the largest gain."""

AROUND = 30
"""Seconds before and after a second in which a loud one keeps its gain low."""

_FRAME = 320  # samples: 20 ms
_QUIETER = 0.9  # share of the frames of a second that are not above its level


def raise_level(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """The samples, louder where they are quiet. The result does not depend on the size of the blocks.

    A recording that is loud enough, or is nowhere quiet for a minute, stays as it is.

    Parameters
    ----------
    blocks : iterable of arrays
        Mono samples (n,) at 16 kHz, in blocks of any size.
    """
    nothing = np.full(AROUND, -np.inf)
    before, levels, held = nothing, nothing, np.empty(0, np.float32)
    gain: float | None = None  # at the end of the block before
    for block in chain(regroup(blocks, AROUND * SAMPLE_RATE), [held]):
        following = _levels(block)
        if len(held):
            around = np.concatenate([before, levels, following, nothing])[: len(levels) + 2 * AROUND]
            loudest = np.lib.stride_tricks.sliding_window_view(around, 2 * AROUND + 1).max(axis=1)
            gains = np.clip(TARGET - loudest, 0, MOST)
            yield _louder(held, np.concatenate([gains[:1] if gain is None else [gain], gains]))
            gain, before = float(gains[-1]), levels
        held, levels = block, following


def _levels(block: Samples) -> NDArray[np.float64]:
    """The level of each second (n_seconds,) of samples (n,): that of its louder frames, in dB."""
    seconds = np.pad(block, (0, -len(block) % SAMPLE_RATE), mode="wrap").reshape(
        -1, SAMPLE_RATE // _FRAME, _FRAME
    )
    powers = np.einsum("ijk,ijk->ij", seconds, seconds) / np.float32(_FRAME)
    loud = int(powers.shape[1] * _QUIETER)
    return 10 * np.log10(np.partition(powers, loud, axis=1)[:, loud] + 1e-12)


def _louder(block: Samples, gains: NDArray[np.float64]) -> Samples:
    """The block with gains (n_seconds + 1,) in dB at the borders of its seconds."""
    if not gains.any():
        return block
    if (gains == gains[0]).all():
        return block * np.float32(10 ** (gains[0] / 20))
    at = np.arange(len(block), dtype=np.float32) / SAMPLE_RATE
    factors = 10 ** (np.interp(at, np.arange(len(gains)), gains) / 20)
    return block * factors.astype(np.float32)
