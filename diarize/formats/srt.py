"""SubRip subtitles: a cue for each turn, with the text ``[Ann]:``. The recording is the file's name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from diarize.files.text import File, Text
from diarize.formats.cues import HOW, Block, Cue, cue_turns, find_blocks, find_cues, has_times
from diarize.formats.rows import collect_turns, to_rows
from diarize.formats.times import clock
from diarize.formats.transcripts import find_prefixes
from diarize.segments import Turn

_OWN = re.compile(r"\[(.*)\]:")


def parse(text: Text) -> list[Turn]:
    """The turns of SubRip subtitles whose cues name their speakers.

    Lines after a blank line belong to the previous cue until the next times. Cues without a speaker are left
    out with a warning.

    Raises
    ------
    FormatError
        If the file names no speakers, or a line is malformed; the message gives its number.
    """
    cues = srt_cues(text)
    own = [_OWN.fullmatch(texts[0]) if len(texts) == 1 else None for *_, texts in cues]
    speakers = [
        [match[1]] for match in own if match
    ]  # the form that `render` writes; a name may hold any character
    if len(speakers) < len(cues):
        speakers = find_prefixes([texts for *_, texts in cues])
    return collect_turns(cue_turns(text, cues, speakers), speakers=HOW)


def srt_cues(text: Text) -> list[Cue]:
    """The cues of SubRip subtitles, in order.

    Raises
    ------
    FormatError
        If times are missing; the message gives the line.
    """
    return list(find_cues(_join_texts(find_blocks(text))))


def render(turns: Iterable[Turn], path: File = "") -> str:
    """The turns of one recording as SubRip subtitles.

    Raises
    ------
    FormatError
        If the turns are of several recordings.
    """
    rows = to_rows(turns, holder="a subtitle file")
    return "\n".join(
        f"{number}\n{clock(row.start, ',')} --> {clock(row.end, ',')}\n[{row.speaker}]:\n"
        for number, row in enumerate(rows, start=1)
    )


def _join_texts(blocks: Iterable[Block]) -> list[Block]:
    """The blocks, with those without times joined to the previous cue: a text may have blank lines."""
    joined: list[Block] = []
    for block in blocks:
        if joined and has_times(joined[-1]) and not has_times(block):
            joined[-1] = joined[-1] + block
        else:
            joined.append(block)
    return joined
