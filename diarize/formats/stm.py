"""STM, NIST's transcripts of segments. Read, not written.

::

    <recording> <channel> <speaker> <start> <end> [<label>] <words ...>

References
----------
NIST, SCTK documentation, "infmts".
"""

from __future__ import annotations

from collections.abc import Iterator

from diarize.files.text import Line, Text
from diarize.formats.nist import data_lines
from diarize.formats.rows import Found, collect_turns, report_left_out
from diarize.formats.speaker_names import is_nobody
from diarize.segments import Turn, normal_name

_NOT_SCORED = frozenset({"inter_segment_gap", "excluded_region"})
_IGNORED = "ignore_time_segment_in_scoring"


def parse(text: Text) -> list[Turn]:
    """The segments of an STM file as turns. Segments excluded from scoring are left out with a warning.

    Raises
    ------
    FormatError
        If a line is malformed; the message gives its number.
    """
    return collect_turns(_segments(text), speakers="names in the third field")


def _segments(text: Text) -> Iterator[Found]:
    ignored: list[Line] = []
    for line, fields in data_lines(text, 5):
        if len(fields) < 5:
            raise line.error(f"{len(fields)} fields, STM has 5: recording, channel, speaker, start, end")
        recording, _, who, *times = fields[:5]
        who = normal_name(who)
        start, end = line.seconds(times[0], "start"), line.seconds(times[1], "end")
        if who.lower() in _NOT_SCORED or _IGNORED in map(str.lower, fields[5:]):
            ignored.append(line)
        else:
            yield line, recording, start, end, None if is_nobody(who) else who
    report_left_out("segments that are not scored", ignored)
