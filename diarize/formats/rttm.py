"""RTTM, the format of the NIST evaluations: one turn a line, ten fields.

::

    SPEAKER <recording> <channel> <start> <duration> <NA> <NA> <speaker> <NA> <NA>

The last one or two fields may be missing, as in older evaluations.

References
----------
NIST, The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan, appendix A.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from diarize.files.text import File, Line, as_file, read_lines, write_text
from diarize.formats.rows import (
    Found,
    collect_turns,
    one_word,
    refuse_names,
    report_left_out,
    to_rows,
    without_comment,
)
from diarize.formats.times import seconds
from diarize.segments import TOUCH, Segment, Turn, join_segments

_OTHER_TYPES = frozenset({
    "SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH",
    "FILLER", "EDIT", "IP", "SU", "CB", "A/P", "SPKR-INFO",
})  # fmt: skip


def read_rttm(path: File | IO[Any] | bytes) -> list[Turn]:
    """The turns of an RTTM file, which may be open, sorted.

    Comments (``;;``) and other types than SPEAKER are ignored; where there is nothing else, a warning says
    so. Turns of duration 0, and turns whose speaker is ``<NA>``, are left out with a warning.

    Raises
    ------
    FormatError
        When the file cannot be read, or with the number of the line that is wrong.
    """
    file = as_file(path)
    if file is None:
        raise TypeError(f"needs a path, an open file or bytes, got {path!r:.80}")
    named: Iterator[Found] = (
        (line, recording, start, end, None if who == "<NA>" else who)
        for line, recording, start, end, who in _parse(file)
    )
    return collect_turns(file, named, speakers="names in the eighth field")


def read_rttm_speech(path: File) -> dict[str, list[Segment]]:
    """Where anybody speaks, by recording, also where the speaker is ``<NA>``; errors as `read_rttm`."""
    speech: dict[str, list[Segment]] = {}
    for turn in collect_turns(path, _parse(path)):
        speech.setdefault(turn.recording, []).append(turn.segment)
    return {recording: join_segments(segments, TOUCH) for recording, segments in speech.items()}


def format_rttm(turns: Iterable[Turn]) -> str:
    """The turns as RTTM, three decimals, sorted; blanks in names become underscores.

    Raises
    ------
    FormatError
        When two names would become the same.
    """
    rows = to_rows(turns, one_word)
    refuse_names(rows, ("<na>",), "RTTM")
    return "".join(
        f"SPEAKER {row.recording} 1 {seconds(row.start)} {seconds(row.end - row.start)}"
        f" <NA> <NA> {row.speaker} <NA> <NA>\n"
        for row in rows
    )


def write_rttm(turns: Iterable[Turn], path: str | Path) -> None:
    """Write the turns as RTTM.

    Raises
    ------
    FormatError
        When two names would become the same.
    DiarizeError
        When the file cannot be written.
    """
    write_text(format_rttm(turns), path)


def _parse(path: File) -> Iterator[tuple[Line, str, float, float, str]]:
    others: list[Line] = []
    n_turns = 0
    for line in read_lines(path):
        fields = without_comment(line.text.split(), 8)
        if not fields:
            continue
        if fields[0] in _OTHER_TYPES:
            others.append(line)
            continue
        n_turns += 1
        if fields[0] != "SPEAKER":
            raise line.error(f"{fields[0]!r} is no type of RTTM")
        if len(fields) not in (8, 9, 10):
            raise line.error(f"{len(fields)} fields, RTTM has 10; names hold no blanks")
        # 0.1 + 0.2 is not 0.3 in binary: round back to the decimals of the file.
        start = round(line.seconds(fields[3], "start"), 6)
        duration = line.seconds(fields[4], "duration")
        if duration < 0:
            raise line.error(f"{fields[4]!r} is no duration")
        yield line, fields[1], start, line.limited(round(start + duration, 6), "end"), fields[7]
    if not n_turns:
        report_left_out(path, "lines of other types than SPEAKER", others)
