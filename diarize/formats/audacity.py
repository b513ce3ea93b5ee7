r"""Audacity's label tracks: ``<start>\t<end>\t<label>`` a line. The recording is the file's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from diarize.files.text import File, Line, Text
from diarize.formats.rows import Found, collect_turns, refuse_names, to_rows
from diarize.formats.silence import SILENCE
from diarize.formats.speaker_names import is_numbered_speaker
from diarize.formats.times import seconds
from diarize.formats.transcripts import find_prefixes
from diarize.segments import Turn, normal_name


def parse(text: Text) -> list[Turn]:
    """The turns of a label track: each label that is not silence is a speaker, or names one before its text.

    Point labels, and labels of a transcript without a speaker, are left out with a warning.

    Raises
    ------
    FormatError
        With the number of the line that is wrong.
    """
    labels = list(_labels(text))
    speakers = _speakers([label for *_, label in labels])
    found: Iterator[Found] = (
        (line, recording, start, end, who)
        for (line, recording, start, end, _), who in zip(labels, speakers, strict=True)
    )
    return collect_turns(found)


def render(turns: Iterable[Turn], path: File = "") -> str:
    """The turns of one recording as a label track.

    Raises
    ------
    FormatError
        For turns of several recordings, of a speaker whose name means silence, or of speakers whose names
        would be read as a transcript.
    """
    rows = to_rows(turns, holder="a label track")
    labels = [row.speaker for row in rows]
    read = zip(labels, _speakers(labels), strict=True)
    refuse_names(rows, SILENCE | {label.lower() for label, who in read if label != who}, path)
    return "".join(f"{seconds(row.start)}\t{seconds(row.end)}\t{row.speaker}\n" for row in rows)


def _speakers(labels: list[str]) -> list[str | None]:
    """Who each label names: "Ann: good morning" Ann, where this is sure, else all that it says.

    It is sure in a transcript (``transcripts.py``) of numbered speakers, or of at least two, where three of
    four labels have a name: "Team: Ann" and "Team: Bob" are two speakers.
    """
    names = [found[0] if found else None for found in find_prefixes([[label] for label in labels])]
    before_text = {
        name
        for name, label in zip(names, labels, strict=True)
        if name and any(map(str.isalnum, label.partition(name)[2]))
    }
    sure = len(before_text) > 1 or (before_text and all(map(is_numbered_speaker, before_text)))
    return names if sure and 4 * sum(map(bool, names)) >= 3 * len(names) else [*labels]


def _labels(text: Text) -> Iterator[tuple[Line, str, float, float, str]]:
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
