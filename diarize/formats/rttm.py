"""RTTM, the format of the NIST evaluations: one turn on each line, ten fields.

::

    SPEAKER <recording> <channel> <start> <duration> <NA> <NA> <speaker> <NA> <NA>

The last one or two fields may be missing, as in files of older evaluations.

References
----------
NIST, The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan, appendix A.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from diarize.files.text import File, Line, Text, shorten
from diarize.formats.nist import data_lines, start_and_end
from diarize.formats.rows import Found, collect_turns, one_word, refuse_names, report_left_out, to_rows
from diarize.formats.times import seconds
from diarize.segments import TOUCH, Segment, Turn, join_segments, normal_name

_OTHER_TYPES = frozenset({
    "SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH",
    "FILLER", "EDIT", "IP", "SU", "CB", "A/P", "SPKR-INFO",
})  # fmt: skip


def parse(text: Text) -> list[Turn]:
    """The turns of an RTTM file, sorted.

    Comments (``;;``) and other types than SPEAKER are ignored; a warning follows if nothing else is found.
    Turns of duration 0, and turns whose speaker is ``<NA>``, are left out with a warning.

    Raises
    ------
    FormatError
        If a line is malformed; the message gives its number.
    """
    named: Iterator[Found] = (
        (line, recording, start, end, None if normal_name(who) == "<NA>" else who)
        for line, recording, start, end, who in _turns(text)
    )
    return collect_turns(named, speakers="names in the eighth field")


def parse_speech(text: Text) -> dict[str, list[Segment]]:
    """The segments of speech of each recording, unknown speakers (``<NA>``) included. Errors as `parse`."""
    speech: dict[str, list[Segment]] = {}
    for turn in collect_turns(_turns(text)):
        speech.setdefault(turn.recording, []).append(turn.segment)
    return {recording: join_segments(segments, TOUCH) for recording, segments in speech.items()}


def render(turns: Iterable[Turn], path: File = "") -> str:
    """The turns as RTTM, sorted, with three decimals; blanks in names become underscores.

    Raises
    ------
    FormatError
        If two names become the same, or one is ``<NA>``.
    """
    rows = to_rows(turns, one_word)
    refuse_names(rows, ("<na>",), "RTTM")
    return "".join(
        f"SPEAKER {row.recording} 1 {seconds(row.start)} {seconds(row.end - row.start)}"
        f" <NA> <NA> {row.speaker} <NA> <NA>\n"
        for row in rows
    )


def _turns(text: Text) -> Iterator[tuple[Line, str, float, float, str]]:
    others: list[Line] = []
    n_turns = 0
    for line, fields in data_lines(text, 8):
        if fields[0] in _OTHER_TYPES:
            others.append(line)
            continue
        n_turns += 1
        if fields[0] != "SPEAKER":
            raise line.error(f"{shorten(fields[0])!r} is not a type of RTTM line")
        if len(fields) not in (8, 9, 10):
            raise line.error(f"{len(fields)} fields, RTTM has 10; names hold no blanks")
        yield line, fields[1], *start_and_end(line, fields[3], fields[4]), fields[7]
    if not n_turns:
        report_left_out("lines of other types than SPEAKER", others)
