"""UEM: the parts of each recording that are scored, ``<recording> <channel> <start> <end>`` a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from diarize.formats.rows import one_word
from diarize.formats.text import read_lines, write_text
from diarize.formats.times import milliseconds, seconds
from diarize.segments import Segment, join_segments


def read_uem(path: str | Path) -> dict[str, list[Segment]]:
    """The scored segments of each recording, in order, overlapping ones joined.

    Raises
    ------
    FormatError
        When the file cannot be read, or with the number of the line that is wrong.
    """
    scored: dict[str, list[Segment]] = {}
    for line in read_lines(path):
        fields = line.text.split()
        if not fields or fields[0].startswith(";;"):
            continue
        if len(fields) != 4:
            raise line.error(f"{len(fields)} fields, UEM has 4: recording, channel, start, end")
        recording, channel, start, end = fields
        if channel not in ("1", "NA", "<NA>"):
            raise line.error(f"channel {channel!r}; recordings are scored as channel 1")
        segment = line.segment(line.seconds(start, "start"), line.seconds(end, "end"))
        scored.setdefault(recording, []).append(segment)
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
