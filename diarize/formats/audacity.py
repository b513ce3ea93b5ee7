r"""Audacity's label tracks: lines of ``<start>\t<end>\t<label>``. The recording is the file's name."""

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
    """The turns of a label track.

    A label that does not mean silence is a speaker, or text after the name of one. Point labels, and labels
    of a transcript without a speaker, are left out with a warning.

    Raises
    ------
    FormatError
        If a line is malformed; the message gives its number.
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
        If the turns are of several recordings, a speaker's name means silence, or the names would be read as
        a transcript.
    """
    rows = to_rows(turns, holder="a label track")
    labels = [row.speaker for row in rows]
    read = zip(labels, _speakers(labels), strict=True)
    refuse_names(rows, SILENCE | {label.lower() for label, who in read if label != who}, path)
    return "".join(f"{seconds(row.start)}\t{seconds(row.end)}\t{row.speaker}\n" for row in rows)


def _speakers(labels: list[str]) -> list[str | None]:
    """The speaker of each label: the name before a transcript's text ("Ann: good morning"), else all of it.

    The labels are a transcript (``transcripts.py``) if three of four have a name, and the speakers are
    numbered or at least two. "Team: Ann" and "Team: Bob" are two speakers, not a transcript.
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
        if not line.text.strip() or line.text.startswith("\\"):  # a line with the label's frequency range
            continue
        fields = line.text.split("\t", maxsplit=2)
        if len(fields) != 3:
            raise line.error("needs start, end and label, separated by tabs")
        start, end = line.seconds(fields[0].strip(), "start"), line.seconds(fields[1].strip(), "end")
        label = normal_name(fields[2]).strip()
        if label.lower() not in SILENCE:
            yield line, text.recording, start, end, label
