"""CSV with the columns recording, start, end and speaker (seconds)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from diarize.errors import FormatError
from diarize.files.text import File, Line, read_text, write_text
from diarize.formats.rows import Found, collect_turns, to_rows
from diarize.formats.times import seconds
from diarize.segments import Turn

COLUMNS = ("recording", "start", "end", "speaker")


def read_csv(path: File) -> list[Turn]:
    """The turns of a CSV file. Columns may stand in any order; further ones are ignored.

    Raises
    ------
    FormatError
        When the file cannot be read, a column is missing, or with the number of the line that is wrong.
    """
    return collect_turns(path, _parse(path))


def write_csv(turns: Iterable[Turn], path: str | Path) -> None:
    """Write the turns as CSV, sorted, three decimals.

    Raises
    ------
    DiarizeError
        When the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        (row.recording, seconds(row.start), seconds(row.end), row.speaker) for row in to_rows(turns)
    )
    write_text(text.getvalue(), path)


def _parse(path: File) -> Iterator[Found]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), restval="", strict=True)
    try:
        found = reader.fieldnames or []
        for column in COLUMNS:
            if column not in found:
                raise FormatError(
                    f"{path}, line 1: no column {column!r}; found: {', '.join(found) or 'none'}"
                )
        for row in reader:
            recording, start, end, speaker = (row[column] for column in COLUMNS)
            line = Line(path, reader.line_num, ",".join((recording, start, end, speaker)))
            if not recording.strip():
                raise line.error("a turn without a recording")
            yield line, recording, line.seconds(start, "start"), line.seconds(end, "end"), speaker
    except csv.Error as error:
        raise FormatError(f"{path}, line {reader.reader.line_num}: not CSV ({error})") from error
