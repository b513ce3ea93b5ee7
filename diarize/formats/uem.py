"""UEM, the scored regions of each recording: lines of ``<recording> <channel> <start> <end>``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from diarize.files.text import Line, Text
from diarize.formats.nist import data_lines
from diarize.formats.rows import one_word, report_left_out
from diarize.formats.times import milliseconds, seconds
from diarize.segments import Segment, join_segments, normal_name


def parse(text: Text) -> dict[str, list[Segment]]:
    """The scored segments of each recording, of all channels, in order, with overlapping ones joined.

    Empty segments are left out with a warning; a recording with only empty segments has an empty list.

    Raises
    ------
    FormatError
        If a line is malformed; the message gives its number.
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
    """The scored segments of each recording as UEM, sorted, with three decimals."""
    rows = sorted((one_word(name), *milliseconds(s)) for name, segments in scored.items() for s in segments)
    return "".join(f"{recording} 1 {seconds(start)} {seconds(end)}\n" for recording, start, end in rows)
