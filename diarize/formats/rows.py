"""From turns to the rows of a file and back: names that the format can hold, order, checks."""

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

# Characters that neither a line of text nor XML can hold: control characters, line and paragraph separators,
# surrogates, non-characters.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


Found = tuple[Place, str, float, float, str | None]
"""A turn that was read: its place in the file, recording, start and end (seconds), and speaker if known."""


class Row(NamedTuple):
    """A turn to write: times in milliseconds, names in the form that the format can hold."""

    recording: str
    start: int
    end: int
    speaker: str


def one_line(name: str) -> str:
    """A name for a format whose names may hold blanks."""
    return _UNPRINTABLE.sub("_", name).strip() or "_"


def one_word(name: str) -> str:
    """A name for a format whose fields are separated by blanks."""
    return re.sub(r"\s+", "_", _UNPRINTABLE.sub("_", name)) or "_"


def is_one_word(name: str) -> bool:
    """Whether such a format can hold a name unchanged: the name is not empty and has no blank and no NUL."""
    return name.split() == [name] and "\0" not in name


def refuse_nul(what: str, names: Iterable[str]) -> None:
    """Check that no name of recordings or speakers (`what`) holds a NUL, which no reader accepts.

    Raises
    ------
    FormatError
        If one does; the message shows the first such name.
    """
    for name in names:
        if "\0" in name:
            raise FormatError(f"{what} {name!r} has a NUL in its name; rename it")


def refuse_names(rows: Iterable[Row], reserved: Iterable[str], path: object) -> None:
    """Check that no speaker's name means something else in the format, such as silence.

    Raises
    ------
    FormatError
        If one does; the message shows the first such name.
    """
    for row in rows:
        if row.speaker.lower() in reserved:
            raise FormatError(
                f"{path}: in this format, {row.speaker!r} cannot be a speaker's name; rename it"
            )


def to_rows(
    turns: Iterable[Turn], clean: Callable[[str], str] = one_line, holder: str | None = None
) -> list[Row]:
    """The turns as sorted rows.

    Parameters
    ----------
    turns : iterable of Turn
    clean : callable
        Function from a name to the form in which it is written.
    holder : str, optional
        The file in words ("a TextGrid"), if it can hold one recording only.

    Raises
    ------
    FormatError
        If two names become the same, a name has a NUL, or there are several recordings and the file can hold
        only one.
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
    """The spans of each speaker in milliseconds; speakers are in order of first appearance.

    The intervals of a tier must not overlap, so overlapping turns of one speaker are joined.
    """
    tiers: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        tiers.setdefault(row.speaker, []).append((row.start, row.end))
    return {speaker: join_overlapping(spans) for speaker, spans in tiers.items()}


def collect_turns(
    found: Iterable[Found], *, speakers: str = "a name before the text of each segment"
) -> list[Turn]:
    """The turns that a parser found, checked and sorted.

    Turns of duration 0, which many corpora hold, and segments without a speaker (None) are left out with a
    warning.

    Parameters
    ----------
    found : iterable of tuple
    speakers : str
        What the file needs, for the error if no segment has a speaker.

    Raises
    ------
    FormatError
        If a start or duration is negative, a name is empty or has a NUL, or a transcript has no speakers.
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
    """Log a warning about items that a reader leaves out: their number and the place of the first."""
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
