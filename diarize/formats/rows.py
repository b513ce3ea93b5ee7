"""Between turns and the rows of a file: names that the format can hold, order, checks."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from diarize.errors import FormatError
from diarize.files.text import Place, shorten
from diarize.formats.times import join_overlapping, milliseconds
from diarize.segments import Turn, normal_name

logger = logging.getLogger(__name__)

# Control characters, line and paragraph separators, surrogates, non-characters: what neither a line of
# text nor XML can hold.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


Found = tuple[Place, str, float, float, str | None]
"""Where a turn is in a file, its recording, start, end (seconds), and its speaker if one is named."""


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


def is_one_word(name: str) -> bool:
    """Whether a name can stand in such a format as it is: it has a character, no blank and no NUL."""
    return name.split() == [name] and "\0" not in name


def refuse_nul(what: str, names: Iterable[str]) -> None:
    """Refuse names of recordings or speakers (`what`) that no reader would take.

    Raises
    ------
    FormatError
        Naming the first one.
    """
    for name in names:
        if "\0" in name:
            raise FormatError(f"{what} {name!r} has a NUL in its name; rename it")


def refuse_names(rows: Iterable[Row], reserved: Iterable[str], path: object) -> None:
    """Refuse speakers whose names mean something else in a format, such as silence.

    Raises
    ------
    FormatError
        Naming the first one.
    """
    for row in rows:
        if row.speaker.lower() in reserved:
            raise FormatError(f"{path}: no speaker is called {row.speaker!r} in this format; rename it")


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
        When two names would become the same or one has a NUL, or for several recordings where the file holds
        one.
    """
    turns = list(turns)
    recordings = _clean_names("recording", {turn.recording for turn in turns}, clean)
    speakers = _clean_names("speaker", {turn.speaker for turn in turns}, clean)
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


def collect_turns(
    found: Iterable[Found], *, speakers: str = "a name before the text of each segment"
) -> list[Turn]:
    """Sorted turns from places parsed to recording, start, end (seconds) and speaker, None where unknown.

    Turns of duration 0, which many corpora hold, and segments without a speaker are left out with a warning.

    Parameters
    ----------
    found : iterable of tuple
    speakers : str
        What the error asks for when no segment has a speaker.

    Raises
    ------
    FormatError
        For a negative start or duration, for a speaker without a name, for a NUL in a name, and for a
        transcript in which no segment has a speaker.
    """
    turns: list[Turn] = []
    empty: list[Place] = []
    nameless: list[Place] = []
    for place, recording, start, end, speaker in found:
        speaker = speaker and normal_name(speaker)
        if speaker is not None and not speaker.strip():
            raise place.error("a turn without a speaker's name")
        for what, name in (("recording", recording), ("speaker", speaker or "")):
            if "\0" in name:
                raise place.error(f"{what} {shorten(name)!r} has a NUL in its name")
        if start == end:
            empty.append(place)
            continue
        segment = place.segment(start, end)
        if speaker is None:
            nameless.append(place)
        else:
            turns.append(Turn(recording, segment, speaker))
    report_left_out("turns of duration 0", empty)
    if nameless and not turns:
        what = f"a transcript without speakers (segments: {len(nameless)}); it needs {speakers}"
        raise FormatError(f"{nameless[0].path}: {what}")
    report_left_out("segments without a speaker", nameless)
    return sorted(turns)


def report_left_out(what: str, places: Sequence[Place]) -> None:
    """Warn of what a reader leaves out: how many, and where the first one is."""
    if places:
        first = places[0]
        logger.warning("%s: %s left out: %d, the first in %s", first.path, what, len(places), first.name)


def _clean_names(what: str, names: set[str], clean: Callable[[str], str]) -> dict[str, str]:
    refuse_nul(what, sorted(names))
    cleaned = {name: clean(name) for name in sorted(names)}
    first: dict[str, str] = {}
    for name, written in cleaned.items():
        other = first.setdefault(written, name)
        if other != name:
            raise FormatError(f"{other!r} and {name!r} would both be written as {written!r}; rename one")
    return cleaned
