"""Between turns and the rows of a file: names that the format can hold, order, checks."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from diarize.errors import FormatError
from diarize.formats.text import Line
from diarize.formats.times import join_overlapping, milliseconds
from diarize.segments import Turn

logger = logging.getLogger(__name__)

# Control characters, line and paragraph separators, surrogates, non-characters: what neither a line of
# text nor XML can hold.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


class Row(NamedTuple):
    """A turn as it is written: times in milliseconds, names that the format can hold."""

    recording: str
    start: int
    end: int
    speaker: str


def one_line(name: str) -> str:
    """A name for formats where it may hold blanks."""
    return _UNPRINTABLE.sub("_", name).strip() or "_"


def one_word(name: str) -> str:
    """A name for formats whose fields are separated by blanks."""
    return re.sub(r"\s+", "_", _UNPRINTABLE.sub("_", name)) or "_"


def to_rows(
    turns: Iterable[Turn], clean: Callable[[str], str] = one_line, holder: str | None = None
) -> list[Row]:
    """The turns as sorted rows.

    Parameters
    ----------
    turns : iterable of Turn
    clean : callable
        What a name is written as.
    holder : str, optional
        What the file is called when it can hold one recording only ("a TextGrid").

    Raises
    ------
    FormatError
        When two names would become the same, or for several recordings where the file holds one.
    """
    turns = list(turns)
    recordings = _clean_names({turn.recording for turn in turns}, clean)
    speakers = _clean_names({turn.speaker for turn in turns}, clean)
    if holder and len(recordings) > 1:
        raise FormatError(f"{len(recordings)} recordings, but {holder} holds one; write a file for each")
    return sorted(
        Row(recordings[turn.recording], *milliseconds(turn.segment), speakers[turn.speaker]) for turn in turns
    )


def to_tiers(rows: Iterable[Row]) -> dict[str, list[tuple[int, int]]]:
    """The spans of each speaker in milliseconds, speakers by first appearance.

    A tier holds one thing at a time, so overlapping turns of one speaker are joined.
    """
    tiers: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        tiers.setdefault(row.speaker, []).append((row.start, row.end))
    return {speaker: join_overlapping(spans) for speaker, spans in tiers.items()}


def collect_turns(path: str | Path, found: Iterable[tuple[Line, str, float, float, str]]) -> list[Turn]:
    """Sorted turns from lines parsed to recording, start, end (seconds) and speaker.

    Turns of duration 0, which many corpora hold, are left out with a warning.

    Raises
    ------
    FormatError
        For a negative start or duration and for a speaker without a name.
    """
    turns, left_out = [], []
    for line, recording, start, end, speaker in found:
        if not speaker.strip():
            raise line.error("a turn without a speaker's name")
        if start == end:
            left_out.append(line.number)
            continue
        turns.append(Turn(recording, line.segment(start, end), speaker))
    if left_out:
        logger.warning(
            "%s: turns of duration 0 left out: %d, the first in line %d", path, len(left_out), left_out[0]
        )
    return sorted(turns)


def _clean_names(names: set[str], clean: Callable[[str], str]) -> dict[str, str]:
    cleaned = {name: clean(name) for name in sorted(names)}
    first: dict[str, str] = {}
    for name, written in cleaned.items():
        other = first.setdefault(written, name)
        if other != name:
            raise FormatError(f"{other!r} and {name!r} would both be written as {written!r}; rename one")
    return cleaned
