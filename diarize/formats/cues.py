"""The cues of subtitles, shared by SubRip (``srt.py``) and WebVTT (``vtt.py``).

A cue that is written shows the speaker's name only. Such cues are read, and transcripts whose cues name
speakers (``transcripts.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from diarize.files.text import Line, Text
from diarize.formats.rows import Found
from diarize.segments import normal_name

_CLOCK = r"(?:([0-9]+):)?([0-9]{1,2}):([0-9]{2})[.,]([0-9]{1,3})"
TIMES = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
"""The line of times at the beginning of a cue."""
HOW = "names before the text, such as '[Ann]: Good morning.'"
"""For errors: how subtitles name their speakers."""

Cue = tuple[Line, float, float, list[str]]
"""A cue: the line of its times, start and end in seconds, and its lines of text."""


Block = list[Line]
"""Lines without a blank line between them."""


def find_blocks(text: Text) -> list[Block]:
    """The blocks of a text."""
    blocks: list[Block] = [[]]
    for line in text.lines():
        if line.text.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def has_times(block: Block) -> bool:
    """Whether a block can be a cue: one of its lines has the arrow between times."""
    return any("-->" in line.text for line in block)


def find_cues(blocks: Iterable[Block]) -> Iterator[Cue]:
    """The cues of the blocks, in order.

    Raises
    ------
    FormatError
        If times are missing; the message gives the line.
    """
    for block in (part for whole in blocks for part in _parts(whole)):
        # A number or a name may precede the times.
        times = 0 if "-->" in block[0].text else 1
        match = TIMES.fullmatch(block[times].text) if times < len(block) else None
        if match is None:
            raise block[min(times, len(block) - 1)].error("needs times such as 00:00:01.000 --> 00:00:02.500")
        line = block[times]
        start, end = _seconds(line, *match.groups()[:4]), _seconds(line, *match.groups()[4:])
        yield line, start, end, [normal_name(line.text) for line in block[times + 1 :]]


def cue_turns(text: Text, cues: Iterable[Cue], speakers: Iterable[list[str]]) -> Iterator[Found]:
    """A turn for each speaker of a cue, or one turn without a speaker."""
    for (line, start, end, _), names in zip(cues, speakers, strict=True):
        for name in dict.fromkeys(name.strip() for name in names) or [None]:
            yield line, text.recording, start, end, name


def _parts(block: Block) -> Iterator[Block]:
    """The cues of a block without blank lines. A cue begins with its number or its times."""
    times = [i for i, line in enumerate(block) if TIMES.fullmatch(line.text)]
    starts = [i - block[i - 1].text.strip().isdigit() for i in times[1:]]
    for start, end in pairwise([0, *starts, len(block)]):
        yield block[start:end]


def _seconds(line: Line, hours: str | None, minutes: str, seconds: str, milliseconds: str) -> float:
    whole = line.whole(hours or "0", "number of hours", 277_777)  # the hours of text.LONGEST
    return (whole * 3_600_000 + int(minutes) * 60_000 + int(seconds + milliseconds.ljust(3, "0"))) / 1000
