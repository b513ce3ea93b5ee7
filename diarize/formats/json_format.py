"""The diarization document: JSON with a version, described by ``docs/diarization.schema.json``.

It holds no times of day and no run times: the same recording and settings give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from diarize.errors import FormatError
from diarize.formats.rows import to_rows
from diarize.formats.text import read_text, write_text
from diarize.formats.times import milliseconds
from diarize.segments import Segment, Turn

VERSION = 1
KEYS = (
    *("format", "version", "recording", "duration", "speakers", "turns", "exclusive"),
    *("evidence", "settings", "model"),
)
"""What a document may hold, in the order in which it is written."""


def read_json(path: str | Path) -> list[Turn]:
    """The turns of a diarization document, sorted.

    Raises
    ------
    FormatError
        When the file cannot be read, has another version, or with the place of the item that is wrong.
    """
    try:
        document = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise FormatError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error
    if not isinstance(document, dict) or document.get("format") != "diarize":
        raise FormatError(f'{path}: no diarization; it begins with {{"format": "diarize"')
    if document.get("version") != VERSION:
        raise FormatError(f"{path}: version {document.get('version')!r}; version {VERSION} is read")
    recording = _get(path, document, "recording", "", str)
    items = _get(path, document, "turns", "", list)
    turns = []
    for number, item in enumerate(items):
        place = f"turns[{number}]"
        if not isinstance(item, dict):
            raise FormatError(f"{path}: {place} is no object: {item!r}")
        start = float(_get(path, item, "start", f"{place}.", int, float))
        end = float(_get(path, item, "end", f"{place}.", int, float))
        speaker = _get(path, item, "speaker", f"{place}.", str)
        if not 0 <= start < end < float("inf"):
            raise FormatError(f"{path}: {place} needs 0 <= start < end, it has {start:g} and {end:g}")
        turns.append(Turn(recording, Segment(start, end), speaker))
    return sorted(turns)


def format_json(document: Mapping[str, Any]) -> str:
    """A document as text: keys in the order of ``KEYS``, one turn a line, times in whole milliseconds.

    Values of numpy are written as the numbers and lists that they are.

    Raises
    ------
    ValueError
        For an unknown key or a number that JSON cannot hold.
    """
    document = {"format": "diarize", "version": VERSION, **document}
    if unknown := sorted(set(document) - set(KEYS)):
        raise ValueError(f"unknown keys {unknown}; known: {', '.join(KEYS)}")
    entries = []
    for key in KEYS:
        if key not in document:
            continue
        value = document[key]
        if key == "duration":
            value = round(float(value), 3)
        if key in ("speakers", "turns", "exclusive"):
            lines = ",".join(f"\n  {_dump(_with_whole_times(item))}" for item in value)
            text = f"[{lines}\n ]" if lines else "[]"
        else:
            text = _dump(value)
        entries.append(f" {_dump(key)}: {text}")
    return "{\n" + ",\n".join(entries) + "\n}\n"


def write_json(turns: Iterable[Turn], path: str | Path) -> None:
    """Write the turns of one recording as a document that holds nothing else.

    Raises
    ------
    FormatError
        For turns of several recordings.
    DiarizeError
        When the file cannot be written.
    """
    turns = sorted(turns)
    to_rows(turns, str, holder="a JSON document")
    document = {
        "recording": turns[0].recording if turns else Path(path).stem,
        "speakers": list_speakers(turns),
        "turns": list_turns(turns),
    }
    write_text(format_json(document), path)


def list_turns(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """The ``turns`` of a document: start and end in seconds, speaker; sorted."""
    return [
        {"start": turn.segment.start, "end": turn.segment.end, "speaker": turn.speaker}
        for turn in sorted(turns)
    ]


def list_speakers(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """The ``speakers`` of a document by first appearance: seconds of their turns, number of turns."""
    speakers: dict[str, list[int]] = {}
    for turn in sorted(turns):
        start, end = milliseconds(turn.segment)
        speakers.setdefault(turn.speaker, []).append(end - start)
    return [
        {"speaker": speaker, "seconds": sum(times) / 1000, "n_turns": len(times)}
        for speaker, times in speakers.items()
    ]


def _with_whole_times(item: Mapping[str, Any]) -> dict[str, Any]:
    item = dict(item)
    if "start" in item:
        start, end = milliseconds(Segment(float(item["start"]), float(item["end"])))
        item.update(start=start / 1000, end=end / 1000)
    for key in ("seconds", "confidence"):
        if key in item:
            item[key] = round(float(item[key]), 3)
    return item


def _dump(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=lambda array: array.tolist())
    # A name of undecodable bytes holds lone surrogates; JSON's escape for them is Python's.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _get(path: str | Path, item: Mapping[str, Any], key: str, place: str, *types: type) -> Any:
    """An item's value, which has to be of one of the types, and no empty string."""
    if key not in item:
        raise FormatError(f"{path}: {place}{key} is missing")
    value = item[key]
    if (
        not isinstance(value, types)
        or isinstance(value, bool)
        or (isinstance(value, str) and not value.strip())
    ):
        wanted = {str: "name", list: "list", int: "number"}[types[0]]
        raise FormatError(f"{path}: {place}{key} is no {wanted}: {value!r:.40}")
    return value
