"""Words with speakers as the text of a file.

========  ================================================================================
srt       cues of one speaker, ``[Ann]: Good morning.``
vtt       the same with voice tags, ``<v Ann>Good morning.``
json      WhisperX's layout: segments of one speaker with their words
seglst    meeteval's layout: segments of one speaker
ctm       NIST's words; the speaker is the last field
md        Markdown, a paragraph for each time that somebody speaks
txt       the same as plain text
========  ================================================================================
"""

from __future__ import annotations

import html
import json
import re
import textwrap
from collections.abc import Callable, Sequence

from diarize.errors import FormatError
from diarize.formats.rows import one_line, one_word
from diarize.formats.times import clock
from diarize.words.word import Word

NOBODY = "unknown"
"""Written where a format needs a speaker and nobody was found."""

CUE_LETTERS, CUE_SECONDS, LINE_LETTERS = 84, 7.0, 42
"""The longest cue, in letters and seconds, and its longest line: two lines, as subtitles have."""

_PAUSE = 1.0  # seconds of silence that end a cue or segment
_LONG_PAUSE = 5.0  # seconds of silence that end a paragraph

Group = list[Word]
"""Words of one speaker in a row."""


def join_words(words: Sequence[Word]) -> str:
    """The text of words, with blanks where they have one before them."""
    return "".join((" " if word.spaced else "") + word.text for word in words).strip()


def group_words(
    words: Sequence[Word], pause: float, letters: float = float("inf"), seconds: float = float("inf")
) -> list[Group]:
    """Words in a row of one speaker, until a pause or until there are too many letters or seconds."""
    groups: list[Group] = []
    length = 0
    for word in words:
        group = groups[-1] if groups else None
        length += len(word.text) + word.spaced
        if (
            group is None
            or word.speaker != group[-1].speaker
            or word.start - group[-1].end >= pause
            or length > letters + 1  # with the blank before the first word
            or word.end - group[0].start > seconds
        ):
            groups.append([word])
            length = len(word.text) + word.spaced
        else:
            group.append(word)
    return groups


def render_words(words: Sequence[Word], format: str, recording: str) -> str:
    """The words of a recording as the text of a file; `format` is one of `WRITERS`.

    Raises
    ------
    FormatError
        If the format is unknown.
    """
    if format not in WRITERS:
        raise FormatError(f"unknown format {format!r} of words; known: {', '.join(WRITERS)}")
    return WRITERS[format](words, recording)


def _srt(words: Sequence[Word], recording: str) -> str:
    cues = []
    for number, cue in enumerate(_cues(words), start=1):
        start, end = _times(cue)
        name = f"[{one_line(cue[0].speaker)}]: " if cue[0].speaker is not None else ""
        text = _wrap(name + join_words(cue))
        cues.append(f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{text}\n")
    return "\n".join(cues)


def _vtt(words: Sequence[Word], recording: str) -> str:
    cues = ["WEBVTT\n"]
    for cue in _cues(words):
        start, end = _times(cue)
        text = html.escape(_wrap(join_words(cue)), quote=False)
        if cue[0].speaker is not None:
            text = f"<v {html.escape(one_line(cue[0].speaker), quote=False)}>{text}</v>"
        cues.append(f"{clock(start, '.')} --> {clock(end, '.')}\n{text}\n")
    return "\n".join(cues)


def _json(words: Sequence[Word], recording: str) -> str:
    segments = []
    for group in group_words(words, _PAUSE):
        segment = {"start": _round(group[0].start), "end": _round(group[-1].end), "text": join_words(group)}
        segments.append(segment | _speaker(group[0]) | {"words": [_word(word) for word in group]})
    return json.dumps({"segments": segments}, ensure_ascii=False, indent=1) + "\n"


def _word(word: Word) -> dict[str, object]:
    item: dict[str, object] = {"word": word.text, "start": _round(word.start), "end": _round(word.end)}
    if word.confidence is not None:
        item["score"] = word.confidence
    return item | _speaker(word)


def _speaker(word: Word) -> dict[str, object]:
    return {} if word.speaker is None else {"speaker": word.speaker}


def _seglst(words: Sequence[Word], recording: str) -> str:
    segments = [
        {
            "session_id": recording,
            "speaker": NOBODY if group[0].speaker is None else group[0].speaker,
            "start_time": _round(group[0].start),
            "end_time": _round(group[-1].end),
            "words": join_words(group),
        }
        for group in group_words(words, _PAUSE)
    ]
    return json.dumps(segments, ensure_ascii=False, indent=1) + "\n"


def _ctm(words: Sequence[Word], recording: str) -> str:
    lines = []
    for word in words:
        confidence = "NA" if word.confidence is None else f"{word.confidence:.3f}"
        times = f"{word.start:.3f} {max(0.0, word.end - word.start):.3f}"
        speaker = NOBODY if word.speaker is None else one_word(word.speaker)
        lines.append(f"{one_word(recording)} 1 {times} {one_word(word.text)} {confidence} lex {speaker}\n")
    return "".join(lines)


def _markdown(words: Sequence[Word], recording: str) -> str:
    return "\n".join(
        f"**{_plain(_name(group))}** ({_clock(group[0].start)})\n{_plain(join_words(group))}\n"
        for group in group_words(words, _LONG_PAUSE)
    )


def _plain(text: str) -> str:
    """Text for Markdown, in which no character of it means anything else."""
    text = re.sub(r"([\\`*_\[\]<>#|~&])", r"\\\1", text)
    return re.sub(r"^(\d*)([-+.)])(?=\s)", r"\1\\\2", text)  # not a list


def _text(words: Sequence[Word], recording: str) -> str:
    return "".join(
        f"[{_clock(group[0].start)}] {_name(group)}: {join_words(group)}\n"
        for group in group_words(words, _LONG_PAUSE)
    )


def _name(group: Group) -> str:
    return NOBODY if group[0].speaker is None else one_line(group[0].speaker)


def _cues(words: Sequence[Word]) -> list[Group]:
    return group_words(words, _PAUSE, CUE_LETTERS, CUE_SECONDS)


def _times(group: Group) -> tuple[int, int]:
    """Start and end in milliseconds, at least one apart."""
    start = round(1000 * group[0].start)
    return start, max(start + 1, round(1000 * max(word.end for word in group)))


def _wrap(text: str) -> str:
    lines = textwrap.wrap(text, LINE_LETTERS, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) if len(lines) > 1 else text


def _round(seconds: float) -> float:
    return round(seconds, 3)


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


WRITERS: dict[str, Callable[[Sequence[Word], str], str]] = {
    "srt": _srt,
    "vtt": _vtt,
    "json": _json,
    "seglst": _seglst,
    "ctm": _ctm,
    "md": _markdown,
    "txt": _text,
}
"""The formats by name, which is the suffix of a file as well."""
