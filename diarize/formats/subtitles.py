"""Subtitles, SubRip (SRT) and WebVTT: a cue a turn, its text the speaker's name.

The recording is the file's name.

References
----------
WebVTT: The Web Video Text Tracks Format, https://www.w3.org/TR/webvtt1/
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from diarize.formats.rows import collect_turns, to_rows
from diarize.formats.text import Line, read_lines, write_text
from diarize.formats.times import clock
from diarize.segments import Turn

_CLOCK = r"(?:([0-9]+):)?([0-9]{1,2}):([0-9]{2})[.,]([0-9]{3})"
_CUE = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")  # a voice tag, perhaps with classes: <v.loud Ann>


def read_srt(path: str | Path) -> list[Turn]:
    """The turns of SubRip subtitles whose cues hold a speaker's name and nothing else.

    Raises
    ------
    FormatError
        When the file cannot be read, or with the number of the line that is wrong.
    """

    def parse() -> Iterator[tuple[Line, str, float, float, str]]:
        for line, start, end, texts in _cues(_blocks(path)):
            if len(texts) != 1:
                raise line.error("a cue of one line is read: a speaker's name")
            yield line, Path(path).stem, start, end, texts[0].strip()

    return collect_turns(path, parse())


def read_vtt(path: str | Path) -> list[Turn]:
    """The turns of WebVTT subtitles: their voice tags ``<v Ann>``.

    Raises
    ------
    FormatError
        When the file cannot be read, or with the number of the line that is wrong.
    """

    def parse() -> Iterator[tuple[Line, str, float, float, str]]:
        header, *blocks = _blocks(path) or [[Line(path, 1, "")]]
        if not header[0].text.startswith("WEBVTT"):
            raise header[0].error("does not begin with WEBVTT")
        for line, start, end, texts in _cues(b for b in blocks if not _is_remark(b)):
            voices = _VOICE.findall("\n".join(texts))
            if not voices:
                raise line.error("a cue without a voice; <v Ann> names the speaker")
            for voice in voices:
                yield line, Path(path).stem, start, end, html.unescape(voice).strip()

    return collect_turns(path, parse())


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
        f"{number}\n{clock(row.start, ',')} --> {clock(row.end, ',')}\n{row.speaker}\n"
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


def _blocks(path: str | Path) -> list[list[Line]]:
    """The lines between blank lines."""
    blocks: list[list[Line]] = [[]]
    for line in read_lines(path):
        if line.text.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _cues(blocks: Iterable[list[Line]]) -> Iterator[tuple[Line, float, float, list[str]]]:
    """The time line of each cue, its start and end in seconds, and its lines of text."""
    for block in blocks:
        # A number or a name may stand above the times.
        times = 0 if "-->" in block[0].text else 1
        match = _CUE.fullmatch(block[times].text) if times < len(block) else None
        if match is None:
            raise block[min(times, len(block) - 1)].error("needs times such as 00:00:01.000 --> 00:00:02.500")
        yield (
            block[times],
            _seconds(*match.groups()[:4]),
            _seconds(*match.groups()[4:]),
            [line.text for line in block[times + 1 :]],
        )


def _seconds(hours: str | None, minutes: str, seconds: str, milliseconds: str) -> float:
    return (int(hours or 0) * 3_600_000 + int(minutes) * 60_000 + int(seconds + milliseconds)) / 1000


def _is_remark(block: list[Line]) -> bool:
    """Whether a block of WebVTT holds no cue."""
    return block[0].text.split()[0] in ("NOTE", "STYLE", "REGION") and "-->" not in block[0].text
