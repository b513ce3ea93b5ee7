"""Label files: ``<start> <end> <label>`` a line, in seconds. The recording is the file's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from diarize.files.text import File, read_lines, write_text
from diarize.formats.rows import SILENCE, Found, collect_turns, one_word, refuse_names, to_rows
from diarize.formats.times import seconds
from diarize.segments import Segment, Turn, join_segments


def read_lab(path: File) -> list[Segment]:
    """The segments of speech of a label file, in order, overlapping ones joined.

    Raises
    ------
    FormatError
        When the file cannot be read, or with the number of the line that is wrong.
    """
    return join_segments(turn.segment for turn in read_lab_turns(path))


def read_lab_turns(path: File) -> list[Turn]:
    """The turns of a label file: each label that is not silence is a speaker.

    Raises
    ------
    FormatError
        When the file cannot be read, or with the number of the line that is wrong.
    """
    return collect_turns(path, _parse(path))


def write_lab(items: Iterable[Segment | Turn], path: str | Path) -> None:
    """Write turns under their speakers' names, or segments as ``speech``.

    Raises
    ------
    FormatError
        For turns of several recordings, or of a speaker whose name means silence.
    DiarizeError
        When the file cannot be written.
    """
    turns = (item if isinstance(item, Turn) else Turn("speech", item, "speech") for item in items)
    rows = to_rows(turns, one_word, holder="a label file")
    refuse_names(rows, SILENCE, path)
    write_text("".join(f"{seconds(row.start)} {seconds(row.end)} {row.speaker}\n" for row in rows), path)


def _parse(path: File) -> Iterator[Found]:
    for line in read_lines(path):
        fields = line.text.split(maxsplit=2)
        if not fields:
            continue
        if len(fields) != 3:
            raise line.error(f"{len(fields)} fields, a label file has 3: start, end, label")
        start, end, label = (
            line.seconds(fields[0], "start"),
            line.seconds(fields[1], "end"),
            fields[2].strip(),
        )
        if label.lower() not in SILENCE:
            yield line, Path(path).stem, start, end, label
