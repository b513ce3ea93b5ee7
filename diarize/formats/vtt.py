"""WebVTT subtitles: a cue with a voice tag, ``<v Ann>Ann</v>``, for each turn.

The recording is the file's name.

References
----------
WebVTT: The Web Video Text Tracks Format, https://www.w3.org/TR/webvtt1/
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from diarize.files.text import File, Line, Text
from diarize.formats.cues import HOW, TIMES, Block, Cue, cue_turns, find_blocks, find_cues, has_times
from diarize.formats.rows import collect_turns, report_left_out, to_rows
from diarize.formats.times import clock
from diarize.formats.transcripts import VOICE, find_prefixes
from diarize.segments import Turn, normal_name


def parse(text: Text) -> list[Turn]:
    """The turns of WebVTT subtitles, by their voice tags ``<v Ann>`` or the names before their texts.

    Cues without a speaker, and blocks that are neither cues nor comments, are left out with a warning.

    Raises
    ------
    FormatError
        If the file names no speakers, or a line is malformed; the message gives its number.
    """
    cues = vtt_cues(text)
    texts = [texts for *_, texts in cues]
    speakers = [[html.unescape(voice) for voice in VOICE.findall("\n".join(lines))] for lines in texts]
    if not any(speakers):
        speakers = find_prefixes([[normal_name(html.unescape(line)) for line in lines] for lines in texts])
    return collect_turns(cue_turns(text, cues, speakers), speakers=f"voices such as <v Ann>, or {HOW}")


def vtt_cues(text: Text) -> list[Cue]:
    """The cues of WebVTT subtitles, in order; blocks that are neither cues nor comments are left out.

    Raises
    ------
    FormatError
        If the header or times are missing; the message gives the line.
    """
    blocks = find_blocks(text) or [[Line(text.path, 1, "")]]
    if not re.match(r"WEBVTT(\s|$)", blocks[0][0].text):
        raise blocks[0][0].error("does not begin with WEBVTT")
    header = next((i for i, line in enumerate(blocks[0]) if TIMES.fullmatch(line.text)), len(blocks[0]))
    blocks[0] = blocks[0][header:]  # a cue may follow the header without a blank line
    blocks = [block for block in blocks if block and not _is_remark(block)]
    # As in browsers, a blank line ends a cue.
    report_left_out("blocks without times", [block[0] for block in blocks if not has_times(block)])
    return list(find_cues(block for block in blocks if has_times(block)))


def render(turns: Iterable[Turn], path: File = "") -> str:
    """The turns of one recording as WebVTT subtitles with voice tags.

    Raises
    ------
    FormatError
        If the turns are of several recordings.
    """
    cues = ["WEBVTT\n"]
    for row in to_rows(turns, holder="a subtitle file"):
        name = html.escape(row.speaker, quote=False)
        cues.append(f"{clock(row.start, '.')} --> {clock(row.end, '.')}\n<v {name}>{name}</v>\n")
    return "\n".join(cues)


def _is_remark(block: Block) -> bool:
    """Whether a block is a comment or style and not a cue."""
    kind = block[0].text.split()[0]
    is_cue = any(TIMES.fullmatch(line.text) for line in block[:2])  # also a cue whose name is such a word
    return kind in ("NOTE", "STYLE", "REGION") and not (is_cue or "-->" in block[0].text)
