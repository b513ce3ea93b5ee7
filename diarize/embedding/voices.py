"""From the windows of speakers to their voices, without a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diarize.embedding.table import Embeddings
from diarize.segments import join_segments
from diarize.speakers.voice_table import VoiceTable


def voices_of(table: Embeddings, model: str, recording: str = "") -> VoiceTable:
    """The voices in a table of windows of one recording: the mean of each speaker's windows.

    Rows without a speaker are left out.
    """
    speakers = (
        [] if table.speaker is None else [each for each in dict.fromkeys(table.speaker.tolist()) if each]
    )
    rows = [table[np.flatnonzero(table.speaker == speaker)] for speaker in speakers]
    return VoiceTable(
        np.array(speakers, np.str_),
        np.full(len(rows), recording or (str(table.recording[0]) if len(table) else "")),
        np.array([sum(each.duration for each in join_segments(own.segments())) for own in rows]),
        np.array([own.vectors.mean(axis=0) for own in rows]).reshape(len(rows), table.dim),
        model,
    )


def join_voices(tables: Sequence[VoiceTable]) -> VoiceTable:
    """One table with the rows of several.

    Raises
    ------
    DiarizeError
        If one person has the same recording twice, or two names are one in RTTM.
    """
    joined = tables[0]
    for table in tables[1:]:
        joined = joined.with_rows(table)
    return joined
