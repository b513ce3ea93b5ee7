"""UEM: the parts of each recording that are scored, ``<recording> <channel> <start> <end>`` a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from diarize.files.text import File, Line, read_lines, write_text
from diarize.formats.rows import one_word, report_left_out, without_comment
from diarize.formats.times import milliseconds, seconds
from diarize.segments import Segment, join_segments, normal_name


def read_uem(path: File) -> dict[str, list[Segment]]:
    """The scored segments of each recording, in order, overlapping ones joined, those of all channels.

    Empty segments are left out with a warning; a recording that has no others has none to score.

    Raises
    ------
    FormatError
        When the file cannot be read, or with the number of the line that is wrong.
    """
    scored: dict[str, list[Segment]] = {}
    empty: list[Line] = []
    for line in read_lines(path):
        fields = without_comment(line.text.split(), 4)
        if not fields:
            continue
        if len(fields) != 4:
            raise line.error(f"{len(fields)} fields, UEM has 4: recording, channel, start, end")
        start, end = line.seconds(fields[2], "start"), line.seconds(fields[3], "end")
        segments = scored.setdefault(normal_name(fields[0]), [])
        if start == end:
            empty.append(line)
        else:
            segments.append(line.segment(start, end))
    report_left_out(path, "empty segments", empty)
    return {recording: join_segments(segments) for recording, segments in scored.items()}


def write_uem(scored: Mapping[str, Iterable[Segment]], path: str | Path) -> None:
    """Write the scored segments of each recording, sorted, three decimals.

    Raises
    ------
    DiarizeError
        When the file cannot be written.
    """
    rows = sorted((one_word(name), *milliseconds(s)) for name, segments in scored.items() for s in segments)
    lines = (f"{recording} 1 {seconds(start)} {seconds(end)}\n" for recording, start, end in rows)
    write_text("".join(lines), path)
