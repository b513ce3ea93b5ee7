"""Transcripts of other tools, read as words: JSON (`json_words`), SubRip, WebVTT and CTM."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterable
from pathlib import Path

from diarize.errors import FormatError
from diarize.files.text import File, Text, open_text, refuse_missing
from diarize.formats.ctm import first_alternatives, speaker_of
from diarize.formats.cues import Cue
from diarize.formats.nist import data_lines, start_and_end
from diarize.formats.srt import srt_cues
from diarize.formats.vtt import vtt_cues
from diarize.words import json_words
from diarize.words.word import Timed, Word, share_time

logger = logging.getLogger(__name__)

SUFFIXES = (".json", ".srt", ".vtt", ".ctm")
"""Suffixes of the transcripts that are read."""

_PIECE = re.compile(r"<[^<>]{0,1000}>|\{\\[^{}]{0,200}\}|<|[^<{]+|\{")  # a tag, styling, or text
_TIME = re.compile(r"<(?:([0-9]+):)?([0-9]{2}):([0-9]{2})\.([0-9]{3})>")
_NAME = re.compile(r"\[[^\[\]]{1,80}\]:\s*")  # a speaker, as this program writes it


def read_words(path: File, recording: str | None = None) -> list[Word]:
    """The words of a transcript, in its order; the suffix names the format.

    Words without times get a share of the time of their segment, which a warning reports. In JSON and CTM,
    words have the speakers that the file names.

    Parameters
    ----------
    path : path
        A transcript: .json, .srt, .vtt or .ctm.
    recording : str, optional
        The recording to read from a CTM or SegLST file that has several.

    Raises
    ------
    FormatError
        If the format is unknown, the file is malformed, or it has no words.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        refuse_missing(path)
        raise FormatError(f"{path}: no transcript has the suffix {suffix!r}; known: {', '.join(SUFFIXES)}")
    text = open_text(path)
    if suffix == ".json":
        words = json_words.parse(text, recording)
    elif suffix == ".ctm":
        words = _ctm_words(text, recording)
    else:
        words = _words_of_cues(vtt_cues(text) if suffix == ".vtt" else srt_cues(text), suffix == ".vtt")
    if not words:
        raise FormatError(f"{path}: no words")
    if n := sum(word.estimated for word in words):
        told = "%s: %d of %d words have no times; each gets a share of the time of its segment"
        logger.warning(told, path, n, len(words))
    return words


def _words_of_cues(cues: Iterable[Cue], is_vtt: bool) -> list[Word]:
    """The words of subtitles, without speakers' names, tags and styling."""
    words: list[Word] = []
    for number, (_, start, end, lines) in enumerate(cues):
        line = _NAME.sub("", " ".join(lines), count=1)
        words += share_time(_words_of_line(line, number, is_vtt), start, end)
    return words


def _words_of_line(line: str, number: int, is_vtt: bool) -> list[Timed]:
    """The words of a cue. In WebVTT, the time at which a word begins may stand before it."""
    words: list[Timed] = []
    begins: float | None = None
    text = ""

    def flush() -> None:
        nonlocal begins, text
        for written in (html.unescape(text) if is_vtt else text).split():
            words.append((Word(written, 0.0, 0.0, segment=number), begins, None))
            begins = None
        text = ""

    for piece in _PIECE.findall(line):
        if time := _TIME.fullmatch(piece):
            flush()
            hours, minutes, seconds, thousandths = (int(field or 0) for field in time.groups())
            begins = 3600 * hours + 60 * minutes + seconds + thousandths / 1000
        elif len(piece) == 1 or piece[0] not in "<{":
            text += piece
    flush()
    return words


def _ctm_words(text: Text, recording: str | None) -> list[Word]:
    """The words of one recording of a CTM file, by time."""
    found: dict[str, list[Word]] = {}
    for line, fields in first_alternatives(data_lines(text, 5)):
        if len(fields) < 5:
            raise line.error(f"{len(fields)} fields, CTM has 5 to 8: recording, channel, start, ...")
        start, end = start_and_end(line, fields[2], fields[3])
        has_confidence = len(fields) > 5 and re.fullmatch(r"[01]?\.?[0-9]+", fields[5])
        confidence = line.real(fields[5], "confidence") if has_confidence else None
        found.setdefault(fields[0], []).append(
            Word(fields[4], start, end, speaker_of(fields), confidence=confidence)
        )
    if len(found) > 1:
        json_words.check_recording(text, list(found), recording)
    words = found.get(recording or "", next(iter(found.values()), []))
    return sorted(words, key=lambda word: word.start)
