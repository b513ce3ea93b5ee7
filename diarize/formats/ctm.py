"""CTM, NIST's transcripts of words. Read, not written.

::

    <recording> <channel> <start> <duration> <word> [<confidence> [<type> [<speaker>]]]

References
----------
NIST, SCTK documentation, "infmts".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from diarize.files.text import Line, Text
from diarize.formats.nist import data_lines, start_and_end
from diarize.formats.rows import Found, collect_turns
from diarize.formats.speaker_names import is_nobody, is_numbered_speaker, may_be_name
from diarize.segments import Turn, normal_name

_TYPES = frozenset(
    {"lex", "frag", "fp", "un-lex", "for-lex", "non-lex", "misc", "noscore", "other", "null", "na"}
)
_CONFIDENCE = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")
_NO_SPEAKERS = frozenset({"ch", "ihm", "l", "left", "mdm", "mix", "mono", "r", "right", "sdm", "stereo"})
"""Channels that are named after their source, not after a speaker."""


def parse(text: Text) -> list[Turn]:
    """The words of a CTM file as turns. The speaker is in the last field, otherwise the channel.

    A channel is a speaker if it is named like one, or if the channels are A and B, the sides of a telephone
    call. Words without a speaker are left out with a warning.

    Raises
    ------
    FormatError
        If the file has no speakers, or a line is malformed; the message gives its number.
    """
    words = list(first_alternatives(data_lines(text, 5)))
    for line, fields in words:
        if not 5 <= len(fields) <= 8:
            raise line.error(f"{len(fields)} fields, CTM has 5 to 8: recording, channel, start, ...")
    return collect_turns(_words(words), speakers="a speaker in the eighth field of each word")


def _words(words: list[tuple[Line, list[str]]]) -> Iterator[Found]:
    call = {normal_name(fields[1]) for _, fields in words} == {"A", "B"}
    for line, fields in words:
        start, end = start_and_end(line, fields[2], fields[3])
        channel = normal_name(fields[1])
        who = speaker_of(fields) or (channel if call or _is_name(channel) else None)
        yield line, fields[0], start, end, who


def first_alternatives(lines: Iterable[tuple[Line, list[str]]]) -> Iterator[tuple[Line, list[str]]]:
    """The lines of words; of alternatives (``<ALT_BEGIN>``, ``<ALT>``, ``<ALT_END>``), the first one."""
    first = True
    for line, fields in lines:
        if fields[-1].startswith("<ALT"):
            first = fields[-1] != "<ALT>"
        elif first:
            yield line, fields


def speaker_of(fields: list[str]) -> str | None:
    """The name in the eighth field, or in the last one if that is not a confidence or a type of word."""
    if len(fields) == 5:
        return None
    who = normal_name(fields[-1])
    known = is_nobody(who) or (len(fields) < 8 and who.lower() in _TYPES)
    return None if known or (len(fields) == 6 and _CONFIDENCE.fullmatch(who)) else who


def _is_name(channel: str) -> bool:
    """Whether a channel is named like a speaker: SPEAKER_00, Ann; not 1, A or NA."""
    if is_numbered_speaker(channel):
        return True
    if is_nobody(channel):
        return False
    return len(channel) > 1 and channel.lower() not in _NO_SPEAKERS and may_be_name(channel)
