"""Label files: lines of ``<start> <end> <label>``, in seconds. The recording is the file's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from diarize.files.text import File, Text
from diarize.formats.rows import Found, collect_turns, one_word, refuse_names, to_rows
from diarize.formats.silence import SILENCE
from diarize.formats.times import seconds
from diarize.segments import Turn, normal_name


def parse(text: Text) -> list[Turn]:
    """The turns of a label file. Each label that does not mean silence is a speaker.

    Raises
    ------
    FormatError
        If a line is malformed; the message gives its number.
    """
    return collect_turns(_labels(text))


def render(turns: Iterable[Turn], path: File = "") -> str:
    """The turns of one recording as a label file; the labels are the speakers' names.

    Raises
    ------
    FormatError
        If the turns are of several recordings, or of a speaker whose name means silence.
    """
    rows = to_rows(turns, one_word, holder="a label file")
    refuse_names(rows, SILENCE, path)
    return "".join(f"{seconds(row.start)} {seconds(row.end)} {row.speaker}\n" for row in rows)


def _labels(text: Text) -> Iterator[Found]:
    for line in text.lines():
        fields = line.text.split(maxsplit=2)
        if not fields:
            continue
        if len(fields) != 3:
            raise line.error(f"{len(fields)} fields, a label file has 3: start, end, label")
        start, end = line.seconds(fields[0], "start"), line.seconds(fields[1], "end")
        label = normal_name(fields[2]).strip()
        if label.lower() not in SILENCE:
            yield line, text.recording, start, end, label
