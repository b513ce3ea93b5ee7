"""JSON of other tools that says who speaks when, told apart by what it holds.

=======================  ==========================================================================
WhisperX                 ``{"segments": [{"start", "end", "text", "speaker"}]}``
SegLST (meeteval)        ``[{"session_id", "speaker", "start_time", "end_time", "words"}]``
pyannote.audio, -AI      ``{"diarization": [{"start", "end", "speaker"}]}``, also inside ``"output"``
pyannote.core            ``{"content": [{"segment": {"start", "end"}, "label"}]}``
=======================  ==========================================================================

References
----------
SegLST: https://github.com/fgnt/meeteval
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from diarize.files.text import Place, Text
from diarize.formats.json_text import list_of, name_of, object_of, time_of
from diarize.formats.rows import Found
from diarize.formats.speaker_names import is_nobody
from diarize.segments import normal_name

KINDS = "this program's, WhisperX's, pyannote's and SegLST (docs/formats.md)"
"""What JSON is read, for errors."""

_CLOCK = re.compile(r"([0-9]{1,4}):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]+)?)")


def find_segments(text: Text, document: Any) -> Iterator[Found] | None:
    """The segments of another tool's document; None where it is none of those known."""
    where = text.place("")
    if isinstance(document, list):
        items = [item for item in document if isinstance(item, dict)]
        if items and ("start_time" in items[0] or "session_id" in items[0]):
            return _seglst(text, document)
        if items and "segment" in items[0]:
            return _annotation(text, "", document, text.recording)
        return _segments(text, "", document) if not document or (items and "start" in items[0]) else None
    if not isinstance(document, dict) or "format" in document:
        return None
    if isinstance(document.get("output"), dict):
        return find_segments(text, document["output"])
    keys = [key for key in ("diarization", "segments") if key in document]
    if keys:
        key = next((key for key in keys if document[key] != []), keys[0])
        return _segments(text, key, list_of(where, document, key))
    if "content" in document:
        uri = document.get("uri")
        recording = uri if isinstance(uri, str) and uri.strip() else text.recording
        return _annotation(text, "content", list_of(where, document, "content"), recording)
    return None


def _segments(text: Text, key: str, items: list[Any]) -> Iterator[Found]:
    """Segments with start, end and perhaps a speaker; without one, its words may have speakers."""
    for place, item in _objects(text, key, items):
        start, end = time_of(place, item, "start"), time_of(place, item, "end")
        if _speaker(place, item, "speaker") or not isinstance(item.get("words"), list):
            yield place, text.recording, start, end, _speaker(place, item, "speaker")
            continue
        words = [
            (_speaker(at, word, "speaker"), time_of(at, word, "start"), time_of(at, word, "end"))
            for at, word in _objects(text, f"{place.name}.words", item["words"])
            if word.get("start") is not None and word.get("end") is not None
        ]
        if not any(who for who, _, _ in words):
            yield place, text.recording, start, end, None
            continue
        for who, run in groupby(words, key=lambda word: word[0]):
            times = list(run)
            yield place, text.recording, times[0][1], times[-1][2], who


def _annotation(text: Text, key: str, items: list[Any], recording: str) -> Iterator[Found]:
    """pyannote.core's tracks: a segment and a label."""
    for place, item in _objects(text, key, items):
        segment = object_of(text.place(f"{place.name}.segment"), item.get("segment"))
        times = time_of(place, segment, "start"), time_of(place, segment, "end")
        yield place, recording, *times, _speaker(place, item, "label")


def _seglst(text: Text, items: list[Any]) -> Iterator[Found]:
    """The segments of meeteval; times may be text, as in the CHiME challenges."""
    for place, item in _objects(text, "", items):
        recording = name_of(place, item, "session_id") if "session_id" in item else text.recording
        times = (_written_time(place, item, key) for key in ("start_time", "end_time"))
        yield place, recording, *times, _speaker(place, item, "speaker")  # type: ignore[misc]  # two times


def _written_time(place: Place, item: dict[str, Any], key: str) -> float:
    value = item.get(key)
    if not isinstance(value, str):
        return time_of(place, item, key)
    if match := _CLOCK.fullmatch(value):
        hours, minutes, seconds = match.groups()
        return round(int(hours) * 3600 + int(minutes) * 60 + float(seconds), 6)
    return place.seconds(value, key)


def _speaker(place: Place, item: dict[str, Any], key: str) -> str | None:
    """Who speaks; None where nobody is named. A number is a name, too."""
    value = item.get(key)
    if value is None or (isinstance(value, str) and is_nobody(normal_name(value))):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return str(value)
    return name_of(place, item, key)


def _objects(text: Text, key: str, items: list[Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    for number, value in enumerate(items):
        place = text.place(f"{key or 'segment'}[{number}]")
        yield place, object_of(place, value)
