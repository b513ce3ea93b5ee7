"""Subtitles, SubRip (SRT) and WebVTT: a cue a turn. The recording is the file's name.

Written cues show the speaker's name alone, ``[Ann]:`` in SRT and ``<v Ann>Ann</v>`` in WebVTT. Read are
these, and transcripts whose cues name speakers (``transcripts.py``).

References
----------
WebVTT: The Web Video Text Tracks Format, https://www.w3.org/TR/webvtt1/
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from diarize.files.text import File, Line, read_lines, write_text
from diarize.formats.rows import Found, collect_turns, to_rows
from diarize.formats.times import clock
from diarize.formats.transcripts import VOICE, find_prefixes
from diarize.segments import Turn

_CLOCK = r"(?:([0-9]+):)?([0-9]{1,2}):([0-9]{2})[.,]([0-9]{1,3})"
_CUE = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
_OWN = re.compile(r"\[(.*)\]:")
_HOW = "names before the text, such as '[Ann]: Good morning.'"

Cue = tuple[Line, float, float, list[str]]


def read_srt(path: File) -> list[Turn]:
    """The turns of SubRip subtitles whose cues name their speakers.

    Cues without a speaker are left out with a warning.

    Raises
    ------
    FormatError
        When the file cannot be read or names no speakers, or with the number of the line that is wrong.
    """
    cues = list(_cues(_blocks(path)))
    own = [_OWN.fullmatch(texts[0]) if len(texts) == 1 else None for *_, texts in cues]
    speakers = [[match[1]] for match in own if match]  # as write_srt writes; a name may hold anything
    if len(speakers) < len(cues):
        speakers = find_prefixes([texts for *_, texts in cues])
    return collect_turns(path, _turns(path, cues, speakers), speakers=_HOW)


def read_vtt(path: File) -> list[Turn]:
    """The turns of WebVTT subtitles: their voice tags ``<v Ann>``, or the names before their texts.

    Cues without a speaker are left out with a warning.

    Raises
    ------
    FormatError
        When the file cannot be read or names no speakers, or with the number of the line that is wrong.
    """
    blocks = _blocks(path) or [[Line(path, 1, "")]]
    if not re.match(r"WEBVTT(\s|$)", blocks[0][0].text):
        raise blocks[0][0].error("does not begin with WEBVTT")
    header = next((i for i, line in enumerate(blocks[0]) if _CUE.fullmatch(line.text)), len(blocks[0]))
    blocks[0] = blocks[0][header:]  # a cue that no blank line parts from the header
    cues = list(_cues(b for b in blocks if b and not _is_remark(b)))
    texts = [texts for *_, texts in cues]
    speakers = [[html.unescape(voice) for voice in VOICE.findall("\n".join(lines))] for lines in texts]
    if not any(speakers):
        speakers = find_prefixes([[html.unescape(line) for line in lines] for lines in texts])
    return collect_turns(path, _turns(path, cues, speakers), speakers=f"voices such as <v Ann>, or {_HOW}")


def write_srt(turns: Iterable[Turn], path: str | Path) -> None:
    """Write the turns of one recording as SubRip subtitles.

    Raises
    ------
    FormatError
        For turns of several recordings.
    DiarizeError
        When the file cannot be written.
    """
    rows = to_rows(turns, holder="a subtitle file")
    cues = (
        f"{number}\n{clock(row.start, ',')} --> {clock(row.end, ',')}\n[{row.speaker}]:\n"
        for number, row in enumerate(rows, start=1)
    )
    write_text("\n".join(cues), path)


def write_vtt(turns: Iterable[Turn], path: str | Path) -> None:
    """Write the turns of one recording as WebVTT subtitles with voice tags.

    Raises
    ------
    FormatError
        For turns of several recordings.
    DiarizeError
        When the file cannot be written.
    """
    cues = ["WEBVTT\n"]
    for row in to_rows(turns, holder="a subtitle file"):
        name = html.escape(row.speaker, quote=False)
        cues.append(f"{clock(row.start, '.')} --> {clock(row.end, '.')}\n<v {name}>{name}</v>\n")
    write_text("\n".join(cues), path)


def _blocks(path: File) -> list[list[Line]]:
    """The lines between blank lines."""
    blocks: list[list[Line]] = [[]]
    for line in read_lines(path):
        if line.text.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _cues(blocks: Iterable[list[Line]]) -> Iterator[Cue]:
    """The time line of each cue, its start and end in seconds, and its lines of text."""
    for block in (part for whole in blocks for part in _parts(whole)):
        # A number or a name may stand above the times.
        times = 0 if "-->" in block[0].text else 1
        match = _CUE.fullmatch(block[times].text) if times < len(block) else None
        if match is None:
            raise block[min(times, len(block) - 1)].error("needs times such as 00:00:01.000 --> 00:00:02.500")
        line = block[times]
        start, end = _seconds(line, *match.groups()[:4]), _seconds(line, *match.groups()[4:])
        yield line, start, end, [line.text for line in block[times + 1 :]]


def _parts(block: list[Line]) -> Iterator[list[Line]]:
    """The cues of a block, which blank lines may not part: each begins with its times, or a number above."""
    times = [i for i, line in enumerate(block) if _CUE.fullmatch(line.text)]
    starts = [i - block[i - 1].text.strip().isdigit() for i in times[1:]]
    for start, end in pairwise([0, *starts, len(block)]):
        yield block[start:end]


def _turns(path: File, cues: Iterable[Cue], speakers: Iterable[list[str]]) -> Iterator[Found]:
    """A turn for each speaker of a cue, or one without a speaker."""
    for (line, start, end, _), names in zip(cues, speakers, strict=True):
        for name in dict.fromkeys(name.strip() for name in names) or [None]:
            yield line, Path(path).stem, start, end, name


def _seconds(line: Line, hours: str | None, minutes: str, seconds: str, milliseconds: str) -> float:
    whole = line.whole(hours or "0", "number of hours", 277_777)  # of text.LONGEST
    return (whole * 3_600_000 + int(minutes) * 60_000 + int(seconds + milliseconds.ljust(3, "0"))) / 1000


def _is_remark(block: list[Line]) -> bool:
    """Whether a block of WebVTT holds no cue."""
    kind = block[0].text.split()[0]
    is_cue = any(_CUE.fullmatch(line.text) for line in block[:2])  # also one of that name
    return kind in ("NOTE", "STYLE", "REGION") and not (is_cue or "-->" in block[0].text)
