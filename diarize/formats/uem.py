"""UEM: the parts of each recording that are scored, ``<recording> <channel> <start> <end>`` a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from diarize.files.text import Line, Text
from diarize.formats.nist import data_lines
from diarize.formats.rows import one_word, report_left_out
from diarize.formats.times import milliseconds, seconds
from diarize.segments import Segment, join_segments, normal_name


def parse(text: Text) -> dict[str, list[Segment]]:
    """The scored segments of each recording, in order, overlapping ones joined, those of all channels.

    Empty segments are left out with a warning; a recording that has no others has none to score.

    Raises
    ------
    FormatError
        With the number of the line that is wrong.
    """
    scored: dict[str, list[Segment]] = {}
    empty: list[Line] = []
    for line, fields in data_lines(text, 4):
        if len(fields) != 4:
            raise line.error(f"{len(fields)} fields, UEM has 4: recording, channel, start, end")
        start, end = line.seconds(fields[2], "start"), line.seconds(fields[3], "end")
        segments = scored.setdefault(normal_name(fields[0]), [])
        if start == end:
            empty.append(line)
        else:
            segments.append(line.segment(start, end))
    report_left_out("empty segments", empty)
    return {recording: join_segments(segments) for recording, segments in scored.items()}


def render(scored: Mapping[str, Iterable[Segment]]) -> str:
    """The scored segments of each recording as UEM, sorted, three decimals."""
    rows = sorted((one_word(name), *milliseconds(s)) for name, segments in scored.items() for s in segments)
    return "".join(f"{recording} 1 {seconds(start)} {seconds(end)}\n" for recording, start, end in rows)
