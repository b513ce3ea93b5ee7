"""The words of transcripts in JSON. The kind is recognised by the content.

=========================  =================================================================================
Whisper, faster-whisper    ``{"segments": [{"start", "end", "text", "words": [{"word", "start", "end"}]}]}``
WhisperX                   the same; words may have no times
OpenAI's verbose JSON      ``{"segments": [...], "words": [{"word", "start", "end"}]}``
whisper.cpp                ``{"transcription": [{"offsets": {"from", "to"}, "text", "tokens"}]}``
plain segments             ``[{"start", "end", "text"}]``
SegLST (meeteval)          ``[{"session_id", "start_time", "end_time", "words"}]``
=========================  =================================================================================

The ``speaker`` of a segment or of a word, a name or a number, is that of its words.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from diarize.errors import FormatError
from diarize.files.text import File, Place, Text, shorten
from diarize.formats.json_text import (
    is_number,
    list_of,
    load_json,
    object_of,
    objects_of,
    time_of,
    written_time,
)
from diarize.formats.speaker_names import is_nobody
from diarize.segments import normal_name
from diarize.words.word import Timed, Word, share_time

KINDS = (
    "Whisper's, faster-whisper's, whisper.cpp's, WhisperX's, OpenAI's verbose JSON, SegLST, plain segments"
)
_SPECIAL = re.compile(r"\[_[^\]]*\]|<\|[^|]*\|>")  # tokens of whisper that are no speech


def parse(text: Text, recording: str | None = None) -> list[Word]:
    """The words of a transcript in JSON, in its order.

    Raises
    ------
    FormatError
        If the kind is unknown, a segment is malformed, or there are several recordings, none of them the
        named one.
    """
    document = load_json(text)
    if isinstance(document, list):
        items = list(objects_of(text.path, "", document))
        names = list(dict.fromkeys(str(item["session_id"]) for _, item in items if "session_id" in item))
        if len(names) > 1:
            check_recording(text, names, recording)
            items = [(place, item) for place, item in items if str(item.get("session_id")) == recording]
        return _collect([_segment(place, item) for place, item in items])
    if isinstance(document, dict):
        if "transcription" in document:
            items = list_of(text.place(""), document, "transcription")
            return _collect(
                _whisper_cpp(place, item) for place, item in objects_of(text.path, "transcription", items)
            )
        segments, words = document.get("segments"), document.get("words")
        if isinstance(segments, list):
            found = [_segment(place, item) for place, item in objects_of(text.path, "segments", segments)]
            has_words = any(isinstance(item, dict) and item.get("words") for item in segments)
            if isinstance(words, list) and words and not has_words:
                return _by_time(_word_list(text.path, "words", words), [start for _, start, _ in found])
            return _collect(found)
        if isinstance(words, list):
            return share_time(_word_list(text.path, "words", words), 0.0, 0.0)
    raise FormatError(f"{text.path}: no transcript that is known; known are {KINDS}")


Segment = tuple[list[Timed], float, float]
"""The words of a segment, its start and its end."""


def _collect(segments: Iterator[Segment] | Sequence[Segment]) -> list[Word]:
    """The words of the segments, numbered by segment."""
    collected: list[Word] = []
    for number, (words, start, end) in enumerate(segments):
        numbered = [(replace(word, segment=number), begins, ends) for word, begins, ends in words]
        collected += share_time(numbered, start, end)
    return collected


def _by_time(words: list[Timed], starts: Sequence[float]) -> list[Word]:
    """Words that stand beside the segments, each in the last segment that has begun."""
    timed = share_time(words, 0.0, 0.0)
    numbers = [bisect_right(starts, (word.start + word.end) / 2) - 1 for word in timed]
    return [replace(word, segment=max(0, number)) for word, number in zip(timed, numbers, strict=True)]


def _segment(place: Place, item: dict[str, Any]) -> Segment:
    """A segment of Whisper and its relatives, a plain one, or one of SegLST."""
    if "start_time" in item:
        start, end = written_time(place, item, "start_time"), written_time(place, item, "end_time")
        return _spoken(split_words(_text(place, item, "words")), item), start, end
    start, end = time_of(place, item, "start"), time_of(place, item, "end")
    words = item.get("words")
    if not isinstance(words, list) or not words:
        return _spoken(split_words(_text(place, item, "text")), item), start, end
    found = _word_list(place.path, f"{place.name}.words", words)
    return _spoken(_with_blanks(found, item.get("text")), item), start, end


def _spoken(words: list[Timed], segment: dict[str, Any]) -> list[Timed]:
    """The words; those without a speaker of their own have the segment's."""
    who = _speaker(segment)
    return [(replace(word, speaker=word.speaker or who), begins, ends) for word, begins, ends in words]


def _speaker(item: dict[str, Any]) -> str | None:
    """The speaker of a segment or a word; None if there is none."""
    who = item.get("speaker")
    if isinstance(who, int) and not isinstance(who, bool) and abs(who) < 10**9:
        return str(who)
    name = normal_name(who) if isinstance(who, str) else ""
    return None if is_nobody(name) else name


def _word_list(path: File, key: str, items: list[Any]) -> list[Timed]:
    """The items of a list of words, with times where they have them."""
    words: list[Timed] = []
    for place, item in objects_of(path, key, items):
        written = _text(place, item, "word" if "word" in item else "text")
        if not written.strip():
            continue
        has_times = item.get("start") is not None and item.get("end") is not None
        times = (time_of(place, item, "start"), time_of(place, item, "end")) if has_times else (None, None)
        names = ("probability", "score", "confidence", "p")
        confidence = next((item[name] for name in names if is_number(item.get(name))), None)
        word = Word(written.strip(), 0.0, 0.0, _speaker(item), confidence=confidence)
        words.append((word, *times))
    return words


def _with_blanks(words: list[Timed], text: object) -> list[Timed]:
    """The words, each with a blank before it only where the segment's text has one."""
    if not isinstance(text, str):
        return words
    placed: list[Timed] = []
    at = 0
    for word, begins, ends in words:
        found = text.find(word.text, at)
        spaced = True
        if found >= 0:
            spaced = found == 0 or text[found - 1].isspace()
            at = found + len(word.text)
        placed.append((replace(word, spaced=spaced), begins, ends))
    return placed


def _whisper_cpp(place: Place, item: dict[str, Any]) -> Segment:
    """A segment of whisper.cpp: times in milliseconds; its tokens, if they are there, make the words."""
    start, end = _offsets(place, item)
    tokens = item.get("tokens")
    if not isinstance(tokens, list) or not tokens:
        return split_words(_text(place, item, "text")), start, end
    words: list[Timed] = []
    for at, token in objects_of(place.path, f"{place.name}.tokens", tokens):
        written = _SPECIAL.sub("", _text(at, token, "text"))
        if not written.strip():
            continue
        begins, ends = _offsets(at, token)
        if words and not written[0].isspace():
            word, first, _ = words[-1]
            words[-1] = (Word(word.text + written.rstrip(), 0.0, 0.0, spaced=word.spaced), first, ends)
        else:
            words.append((Word(written.strip(), 0.0, 0.0), begins, ends))
    return words, start, end


def _offsets(place: Place, item: dict[str, Any]) -> tuple[float, float]:
    offsets = object_of(Place(place.path, f"{place.name}.offsets"), item.get("offsets"))
    return time_of(place, offsets, "from") / 1000, time_of(place, offsets, "to") / 1000


def check_recording(text: Text, names: Sequence[str], recording: str | None) -> None:
    """Check that a transcript of several recordings has the one that is asked for.

    Raises
    ------
    FormatError
        If it has not; the message shows the first names.
    """
    if recording not in names:
        shown = ", ".join(map(shorten, names[:3]))
        raise FormatError(f"{text.path}: words of {len(names)} recordings ({shown}); write a file for each")


def split_words(text: str) -> list[Timed]:
    """The words of a text without times."""
    return [(Word(word, 0.0, 0.0), None, None) for word in text.split()]


def _text(place: Place, item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str):
        raise FormatError(f"{place.path}: {place.name}.{key} is no text: {value!r:.60}")
    return value
