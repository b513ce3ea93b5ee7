"""A robust fingerprint of audio, which survives another level, another encoding and a cut beginning.

A word of 32 bits describes each frame of a quarter of a second, by the signs of how the differences of
neighbouring bands change from one frame to the next: a factor on all samples changes none of them, and an
encoding few. Recordings that share words at one offset are compared word by word.

References
----------
Haitsma, Kalker: A highly robust audio fingerprinting system, ISMIR 2002.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples

Words = NDArray[np.uint32]

LONGEST = 10.0
"""Seconds at the beginning of a recording that are compared."""

MOST_ERRORS = 0.3
"""Largest share of bits that differ in two copies of one sound; in different sounds about half of them do."""

SHORTEST = 40
"""Words that two copies have in common at least, 1.3 s."""

_FRAME, _HOP = 4096, 512  # samples
_BANDS = 33
_LOW, _HIGH = 300.0, 3400.0  # Hz, what a telephone carries
_QUIET = 1e-4  # of the loudest frame's power: such a frame is silence, and has the word 0
_MOST_ALIKE = 30  # a word in more places than this says nothing


class Copy(NamedTuple):
    """Two recordings that hold the same sound: their indices, and the share of bits that differ."""

    first: int
    second: int
    errors: float
    seconds: float
    """Seconds by which the second begins later in the sound."""


def fingerprint(samples: Samples) -> Words:
    """The words (n_frames - 1,) of the beginning of a recording, from mono samples (n,) at 16 kHz."""
    x = np.asarray(samples[: round(LONGEST * SAMPLE_RATE)], np.float32)
    if len(x) < _FRAME + _HOP:
        return np.empty(0, np.uint32)
    frames = np.lib.stride_tricks.sliding_window_view(x, _FRAME)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME).astype(np.float32), axis=1)) ** 2
    edges = np.geomspace(_LOW, _HIGH, _BANDS + 1) * _FRAME / SAMPLE_RATE
    bands = np.add.reduceat(power, np.round(edges).astype(int), axis=1)[:, :_BANDS]
    bits = np.diff(np.diff(bands, axis=1), axis=0) > 0  # (n_frames - 1, 32)
    words = np.packbits(bits, axis=1).view(">u4").astype(np.uint32)[:, 0]
    loudness = bands.sum(axis=1)
    words[loudness[1:] <= _QUIET * loudness.max()] = 0
    return words


def find_copies(fingerprints: Sequence[Words]) -> list[Copy]:
    """The pairs of recordings that hold the same sound, sorted by index."""
    lengths = np.array([len(words) for words in fingerprints])
    if not lengths.sum():
        return []
    words = np.concatenate(fingerprints)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(words)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    order = np.argsort(words, kind="stable")
    order = order[words[order] != 0]
    votes: list[NDArray[np.int64]] = []
    same = words[order]
    for step in range(1, _MOST_ALIKE):  # each place with the step-th place after it that has the same word
        both = np.flatnonzero(same[:-step] == same[step:])
        if not len(both):
            break
        if step == _MOST_ALIKE - 1:
            common = np.unique(same[both])
            votes = [each[~np.isin(each[:, 3], common)] for each in votes]
            break
        a, b = order[both], order[both + step]
        several = owner[a] != owner[b]
        a, b = a[several], b[several]
        votes.append(np.stack([owner[a], owner[b], place[a] - place[b], words[a].astype(np.int64)], axis=1))
    if not votes:
        return []
    pairs, n_votes = np.unique(np.concatenate(votes)[:, :3], axis=0, return_counts=True)
    found: dict[tuple[int, int], Copy] = {}
    for first, second, offset in pairs[n_votes > 1].tolist():
        errors = _errors(fingerprints[first], fingerprints[second], offset)
        known = found.get((first, second))
        if errors <= MOST_ERRORS and (known is None or errors < known.errors):
            found[first, second] = Copy(first, second, errors, offset * _HOP / SAMPLE_RATE)
    return [found[pair] for pair in sorted(found)]


def _errors(first: Words, second: Words, offset: int) -> float:
    """The share of differing bits where both have sound, if `second` begins `offset` words later."""
    a, b = first[max(0, offset) :], second[max(0, -offset) :]
    n = min(len(a), len(b))
    sound = (a[:n] != 0) & (b[:n] != 0)
    if sound.sum() < SHORTEST:
        return 1.0
    differing: float = np.unpackbits((a[:n][sound] ^ b[:n][sound]).view(np.uint8)).mean()
    return differing
