"""Embeddings of turns and of speakers, from the time in which nobody else speaks.

::

    turns     |======A======|                   |==A==|
                         |=====B=====|
    mixed                                        --
    clean     |====A====|    |===B===|          |=| |=|    one embedding for each turn
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from diarize.audio import Samples
from diarize.audio.progress import Hook, ignore
from diarize.embedding.embedder import Embedder
from diarize.embedding.protocol import Vectors
from diarize.segments import Segment, Turn, join_segments
from diarize.timelines import without

LEAST_CLEAN = 0.2
"""Seconds; a turn with less clean speech is embedded with the overlapping speech."""


def embed_turns(
    blocks: Iterable[Samples],
    turns: Sequence[Turn],
    mixed: Sequence[Segment],
    embedder: Embedder,
    hook: Hook = ignore,
) -> tuple[Vectors, NDArray[np.float64]]:
    """The embedding of each turn (n_turns, dim), of length 1, and its seconds of clean speech (n_turns,).

    Parameters
    ----------
    blocks : iterable of arrays
        Mono samples (n,) at 16 kHz.
    turns : sequence of Turn
        Of one recording, sorted.
    mixed : sequence of Segment
        Where several speakers may talk at once, also within a turn.
    embedder : Embedder
    hook : callable, optional
        Gets the number of turns done and in total.

    Raises
    ------
    AudioError
        If a turn begins after the end of the samples.
    """
    clean = clean_parts(turns, mixed)
    seconds = np.array([sum(part.duration for part in parts) for parts in clean])
    parts = [
        own if total >= LEAST_CLEAN else [turn.segment]
        for turn, own, total in zip(turns, clean, seconds, strict=True)
    ]
    order = sorted(range(len(turns)), key=lambda i: turns[i].segment)
    vectors = np.empty((len(turns), embedder.dim), np.float32)
    spans = [turns[i].segment for i in order]
    vectors[order] = embedder.windows(blocks, spans, hook, parts=[parts[i] for i in order])
    return vectors, seconds.reshape(-1)


def clean_parts(turns: Sequence[Turn], mixed: Sequence[Segment] = ()) -> list[list[Segment]]:
    """The parts of each turn in which no other speaker has a turn and the speech is not mixed."""
    found = []
    for turn in turns:
        others = [
            each.segment
            for each in turns
            if each.speaker != turn.speaker and each.segment.intersection(turn.segment)
        ]
        found.append(without([turn.segment], join_segments([*others, *mixed])))
    return found


def speaker_means(
    turns: Sequence[Turn], vectors: Vectors, seconds: NDArray[np.float64]
) -> tuple[list[str], Vectors, NDArray[np.float64]]:
    """The speakers in order of first appearance, their embeddings (n, dim) and seconds of clean speech (n,).

    An embedding is the mean of those of the turns, weighted by their clean speech, of length 1.
    """
    speakers = list(dict.fromkeys(turn.speaker for turn in turns))
    of = np.array([speakers.index(turn.speaker) for turn in turns], np.intp)
    total = np.bincount(of, seconds, len(speakers)).astype(float)
    # A speaker who never speaks alone has the mean of all turns.
    weight = np.where(total[of] > 0, seconds, 1.0)
    means = np.zeros((len(speakers), vectors.shape[1]))
    np.add.at(means, of, weight[:, None] * vectors)
    length = np.linalg.norm(means, axis=1, keepdims=True)
    return speakers, (means / np.maximum(length, 1e-12)).astype(np.float32), total
