"""Lines of NIST's formats (RTTM, UEM, STM, CTM): comments, and times as start and duration."""

from __future__ import annotations

from collections.abc import Iterator

from diarize.files.text import Line, Text, shorten


def data_lines(text: Text, n_needed: int) -> Iterator[tuple[Line, list[str]]]:
    """The lines that hold data, each with its fields. Blank lines and comments are left out.

    A comment begins with ``;;`` or, at the beginning of a line, with ``#``. After data it begins only behind
    the first `n_needed` fields, because a name may begin with these characters.
    """
    for line in text.lines():
        fields = line.text.split()
        if not fields or fields[0].startswith((";;", "#")):
            continue
        end = next((i for i, field in enumerate(fields) if i >= n_needed and field.startswith(";;")), None)
        yield line, fields[:end]


def start_and_end(line: Line, start: str, duration: str) -> tuple[float, float]:
    """Start and end in seconds, from the fields of start and duration.

    Raises
    ------
    FormatError
        If one is not a time, or the duration is negative.
    """
    # 0.1 + 0.2 is not 0.3 in binary, so the sum is rounded to the decimals of the file.
    begin = round(line.seconds(start, "start"), 6)
    length = line.seconds(duration, "duration")
    if length < 0:
        raise line.error(f"{shorten(duration)!r} is no duration")
    return begin, line.limited(round(begin + length, 6), "end")
