"""CSV with the columns recording, start, end (seconds) and speaker.

Spreadsheets run a cell that begins with =, +, - or @ as a formula. A name that would be one, also behind a
semicolon or tab, at which some of them split, gets an apostrophe before that; reading takes it away.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from diarize.errors import FormatError
from diarize.files.text import File, Line, Text, shorten
from diarize.formats.rows import Found, collect_turns, to_rows
from diarize.formats.times import seconds
from diarize.segments import Turn

_FORMULA = re.compile(r"(^|[;\t])(?='*[=+\-@\uff1d\uff0b\uff0d\uff20])")  # also the wide forms of East Asia
_DISARMED = re.compile(_FORMULA.pattern.replace("(?=", "'(?="))
_NUMBER = re.compile(r"-?[0-9.]+")
COLUMNS = ("recording", "start", "end", "speaker")


def parse(text: Text) -> list[Turn]:
    """The turns of a CSV file. Columns may be in any order; other columns are ignored.

    Raises
    ------
    FormatError
        If a column is missing, or a line is malformed; the message gives its number.
    """
    return collect_turns(_rows(text))


def render(turns: Iterable[Turn], path: File = "") -> str:
    """The turns as CSV, sorted, with three decimals."""
    return render_csv(
        COLUMNS,
        ((row.recording, seconds(row.start), seconds(row.end), row.speaker) for row in to_rows(turns)),
    )


def render_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A header and rows as CSV."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([disarm(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return written.getvalue()


def disarm(name: str) -> str:
    """A name as the text of a cell that no spreadsheet runs; `rearm` gives the name again.

    Examples
    --------
    >>> disarm("=1+1"), disarm("a-b"), rearm(disarm("'=x"))
    ("'=1+1", 'a-b', "'=x")
    """
    return name if _NUMBER.fullmatch(name) else _FORMULA.sub(r"\1'", name)


def rearm(cell: str) -> str:
    """The name in a cell of `disarm`."""
    return _DISARMED.sub(r"\1", cell)


def _rows(text: Text) -> Iterator[Found]:
    reader = csv.DictReader(io.StringIO(text.content, newline=""), restval="", strict=True)
    try:
        found = reader.fieldnames or []
        for column in COLUMNS:
            if column not in found:
                known = shorten(", ".join(found), 200) or "none"
                raise FormatError(f"{text.path}, line 1: no column {column!r}; found: {known}")
        for row in reader:
            recording, start, end, speaker = (row[column] for column in COLUMNS)
            recording, speaker = rearm(recording), rearm(speaker)
            line = Line(text.path, reader.line_num, ",".join((recording, start, end, speaker)))
            if not recording.strip():
                raise line.error("a turn without a recording")
            yield line, recording, line.seconds(start, "start"), line.seconds(end, "end"), speaker
    except csv.Error as error:
        raise FormatError(f"{text.path}, line {reader.reader.line_num}: not CSV ({error})") from error
