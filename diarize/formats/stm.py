"""STM and CTM, NIST's transcripts of segments and of words; read, not written.

::

    <recording> <channel> <speaker> <start> <end> [<label>] <words ...>                          STM
    <recording> <channel> <start> <duration> <word> [<confidence> [<type> [<speaker>]]]          CTM

References
----------
NIST, SCTK documentation, "infmts".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from diarize.files.text import File, Line, read_lines
from diarize.formats.rows import Found, collect_turns, report_left_out, without_comment
from diarize.formats.speaker_names import is_nobody, is_numbered_speaker, may_be_name
from diarize.segments import Turn

_NOT_SCORED = frozenset({"inter_segment_gap", "excluded_region"})
_IGNORED = "ignore_time_segment_in_scoring"
_TYPES = frozenset(
    {"lex", "frag", "fp", "un-lex", "for-lex", "non-lex", "misc", "noscore", "other", "null", "na"}
)
_CONFIDENCE = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")
_NO_SPEAKERS = frozenset({"ch", "ihm", "l", "left", "mdm", "mix", "mono", "r", "right", "sdm", "stereo"})
"""Channels that are named by where they come from."""


def read_stm(path: File) -> list[Turn]:
    """The segments of an STM file as turns. Segments that are not to be scored are left out with a warning.

    Raises
    ------
    FormatError
        When the file cannot be read, or with the number of the line that is wrong.
    """

    def parse() -> Iterator[Found]:
        ignored: list[Line] = []
        for line in read_lines(path):
            fields = without_comment(line.text.split(), 5)
            if not fields:
                continue
            if len(fields) < 5:
                raise line.error(f"{len(fields)} fields, STM has 5: recording, channel, speaker, start, end")
            recording, _, who, *times = fields[:5]
            start, end = line.seconds(times[0], "start"), line.seconds(times[1], "end")
            if who.lower() in _NOT_SCORED or _IGNORED in map(str.lower, fields[5:]):
                ignored.append(line)
            else:
                yield line, recording, start, end, None if is_nobody(who) else who
        report_left_out(path, "segments that are not scored", ignored)

    return collect_turns(path, parse(), speakers="names in the third field")


def read_ctm(path: File) -> list[Turn]:
    """The words of a CTM file as turns of the speaker in its last field, or of the channel's.

    A channel is a speaker where it is named like one, or where the channels are A and B, the sides of
    telephone calls. Words without a speaker are left out with a warning.

    Raises
    ------
    FormatError
        When the file cannot be read or has no speakers, or with the number of the line that is wrong.
    """
    lines = [(line, without_comment(line.text.split(), 5)) for line in read_lines(path)]
    words = list(_first_alternatives(lines))
    for line, fields in words:
        if not 5 <= len(fields) <= 8:
            raise line.error(f"{len(fields)} fields, CTM has 5 to 8: recording, channel, start, ...")
    call = {fields[1] for _, fields in words} == {"A", "B"}

    def parse() -> Iterator[Found]:
        for line, fields in words:
            start = round(line.seconds(fields[2], "start"), 6)
            duration = line.seconds(fields[3], "duration")
            if duration < 0:
                raise line.error(f"{fields[3]!r} is no duration")
            who = _speaker(fields) or (fields[1] if call or _is_name(fields[1]) else None)
            yield line, fields[0], start, line.limited(round(start + duration, 6), "end"), who

    return collect_turns(path, parse(), speakers="a speaker in the eighth field of each word")


def _first_alternatives(lines: list[tuple[Line, list[str]]]) -> Iterator[tuple[Line, list[str]]]:
    """The lines of words; of several readings (``<ALT_BEGIN>``, ``<ALT>``, ``<ALT_END>``) the first."""
    first = True
    for line, fields in lines:
        mark = fields[-1] if fields else ""
        if mark.startswith("<ALT"):
            first = mark != "<ALT>"
        elif fields and first:
            yield line, fields


def _speaker(fields: list[str]) -> str | None:
    """The name in the eighth field; in an earlier one where that is no confidence and no type of words."""
    if len(fields) == 5:
        return None
    who = fields[-1]
    known = is_nobody(who) or (len(fields) < 8 and who.lower() in _TYPES)
    return None if known or (len(fields) == 6 and _CONFIDENCE.fullmatch(who)) else who


def _is_name(channel: str) -> bool:
    """Whether a channel is named like a speaker: SPEAKER_00, Ann; not 1, A or NA."""
    if is_numbered_speaker(channel):
        return True
    if is_nobody(channel):
        return False
    return len(channel) > 1 and channel.lower() not in _NO_SPEAKERS and may_be_name(channel)
