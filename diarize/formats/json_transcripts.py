"""JSON of other tools that says who speaks when. The kind is recognised by the content.

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

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from diarize.files.text import Place, Text
from diarize.formats.json_text import list_of, name_of, object_of, objects_of, time_of, written_time
from diarize.formats.rows import Found, report_left_out
from diarize.formats.speaker_names import is_nobody
from diarize.segments import normal_name

KINDS = "this program's, WhisperX's, pyannote's and SegLST (docs/formats.md)"
"""For errors: the kinds of JSON that are read."""

_UNTIMED = "segments without times"


def find_segments(text: Text, document: Any) -> Iterator[Found] | None:
    """The segments of another tool's document; None if its kind is unknown."""
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
    """Segments with start, end and perhaps a speaker. If a segment has none, its words may have speakers."""
    untimed: list[Place] = []
    unaligned: list[Place] = []
    for place, item in objects_of(text.path, key, items):
        words, without = [], []
        if _speaker(place, item, "speaker") is None and isinstance(item.get("words"), list):
            for at, word in objects_of(text.path, f"{place.name}.words", item["words"]):
                if word.get("start") is None or word.get("end") is None:
                    without.append(at)
                    continue
                times = time_of(at, word, "start"), time_of(at, word, "end")
                words.append((_speaker(at, word, "speaker"), *times))
        if any(who for who, _, _ in words):
            unaligned += without
            for who, run in groupby(words, key=lambda word: word[0]):
                spoken = list(run)
                yield place, text.recording, spoken[0][1], spoken[-1][2], who
        elif _is_untimed(item, "start", "end"):
            untimed.append(place)
        else:
            times = time_of(place, item, "start"), time_of(place, item, "end")
            yield place, text.recording, *times, _speaker(place, item, "speaker")
    report_left_out(_UNTIMED, untimed)
    report_left_out("words without times", unaligned)


def _annotation(text: Text, key: str, items: list[Any], recording: str) -> Iterator[Found]:
    """pyannote.core's tracks: a segment and a label."""
    untimed: list[Place] = []
    for place, item in objects_of(text.path, key, items):
        segment = object_of(text.place(f"{place.name}.segment"), item.get("segment"))
        if _is_untimed(segment, "start", "end"):
            untimed.append(place)
            continue
        times = time_of(place, segment, "start"), time_of(place, segment, "end")
        yield place, recording, *times, _speaker(place, item, "label")
    report_left_out(_UNTIMED, untimed)


def _seglst(text: Text, items: list[Any]) -> Iterator[Found]:
    """The segments of meeteval; times may be text, as in the CHiME challenges."""
    untimed: list[Place] = []
    for place, item in objects_of(text.path, "", items):
        recording = _number_or_name(place, item, "session_id") or text.recording
        if _is_untimed(item, "start_time", "end_time"):
            untimed.append(place)
            continue
        times = written_time(place, item, "start_time"), written_time(place, item, "end_time")
        yield place, recording, *times, _speaker(place, item, "speaker")
    report_left_out(_UNTIMED, untimed)


def _is_untimed(item: dict[str, Any], *keys: str) -> bool:
    """Whether a time is null, for example because words could not be aligned with the sound."""
    return any(key in item and item[key] is None for key in keys)


def _speaker(place: Place, item: dict[str, Any], key: str) -> str | None:
    """The speaker of an item; None if there is none."""
    value = item.get(key)
    if isinstance(value, str) and is_nobody(normal_name(value)):
        return None
    return _number_or_name(place, item, key)


def _number_or_name(place: Place, item: dict[str, Any], key: str) -> str | None:
    """The name in an item, which may be a whole number; None if there is none."""
    value = item.get(key)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return str(value)
    return name_of(place, item, key)
