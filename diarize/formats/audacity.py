r"""Audacity's label tracks: ``<start>\t<end>\t<label>`` a line. The recording is the file's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from diarize.files.text import File, Text
from diarize.formats.rows import Found, collect_turns, refuse_names, to_rows
from diarize.formats.silence import SILENCE
from diarize.formats.times import seconds
from diarize.segments import Turn, normal_name


def parse(text: Text) -> list[Turn]:
    """The turns of a label track: each label that is not silence is a speaker.

    Point labels are left out with a warning.

    Raises
    ------
    FormatError
        With the number of the line that is wrong.
    """
    return collect_turns(_labels(text))


def render(turns: Iterable[Turn], path: File = "") -> str:
    """The turns of one recording as a label track.

    Raises
    ------
    FormatError
        For turns of several recordings, or of a speaker whose name means silence.
    """
    rows = to_rows(turns, holder="a label track")
    refuse_names(rows, SILENCE, path)
    return "".join(f"{seconds(row.start)}\t{seconds(row.end)}\t{row.speaker}\n" for row in rows)


def _labels(text: Text) -> Iterator[Found]:
    for line in text.lines():
        if not line.text.strip() or line.text.startswith("\\"):  # the label's range of frequencies
            continue
        fields = line.text.split("\t", maxsplit=2)
        if len(fields) != 3:
            raise line.error("needs start, end and label, separated by tabs")
        start, end = line.seconds(fields[0].strip(), "start"), line.seconds(fields[1].strip(), "end")
        label = normal_name(fields[2]).strip()
        if label.lower() not in SILENCE:
            yield line, text.recording, start, end, label
