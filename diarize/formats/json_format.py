"""The JSON document of a diarization, with a version; ``docs/diarization.schema.json`` describes it.

It holds no dates and no run times, so the same recording and settings give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from diarize.files.text import File, Text, shorten
from diarize.formats.json_text import is_number, list_of, load_json, name_of, object_of, time_of
from diarize.formats.json_transcripts import KINDS, find_segments
from diarize.formats.rows import Found, collect_turns, refuse_nul, to_rows
from diarize.formats.times import milliseconds
from diarize.segments import Segment, Turn

VERSION = 1
KEYS = (
    *("format", "version", "recording", "duration", "speakers", "turns", "exclusive", "doubtful"),
    *("evidence", "settings", "model"),
)
"""The keys of a document, in the order in which they are written."""


def parse(text: Text) -> list[Turn]:
    """The turns of a diarization document, or of another tool's JSON (``json_transcripts.py``), sorted.

    Turns of duration 0, and segments without a speaker, are left out with a warning.

    Raises
    ------
    FormatError
        If it is not JSON, has another version, or an item is malformed; the message names the item.
    """
    document = load_json(text)
    others = find_segments(text, document)
    if others is not None:
        return collect_turns(others, speakers="a speaker in its segments")
    if not is_diarization(document):
        raise text.error(f"not a known document; the formats read are {KINDS}")
    version = document.get("version")
    if not is_number(version) or version != VERSION:
        raise text.error(f"has version {shorten(f'{version!r:.60}')}; only version {VERSION} is read")
    return collect_turns(_turns(text, document))


def is_diarization(document: object) -> TypeGuard[dict[str, Any]]:
    """Whether a JSON document is a diarization of this project; `parse` also reads those of other tools."""
    return isinstance(document, dict) and document.get("format") == "diarize"


def format_json(document: Mapping[str, Any]) -> str:
    """A document as text: keys in the order of ``KEYS``, a line for each turn, times in whole milliseconds.

    NumPy numbers and arrays become numbers and lists.

    Raises
    ------
    ValueError
        If a key is unknown, or JSON cannot hold a number.
    FormatError
        If a name has a NUL.
    """
    document = {"format": "diarize", "version": VERSION, **document}
    if unknown := sorted(set(document) - set(KEYS)):
        raise ValueError(f"unknown keys {unknown}; known: {', '.join(KEYS)}")
    refuse_nul("recording", [document.get("recording", "")])
    turns = (*document.get("turns", ()), *document.get("doubtful", ()))
    refuse_nul("speaker", [turn["speaker"] for turn in turns])
    entries = []
    for key in KEYS:
        if key not in document:
            continue
        value = document[key]
        if key == "duration":
            value = round(float(value), 3)
        if key in ("speakers", "turns", "exclusive", "doubtful"):
            lines = ",".join(f"\n  {_dump(_with_whole_times(item))}" for item in value)
            text = f"[{lines}\n ]" if lines else "[]"
        else:
            text = _dump(value)
        entries.append(f" {_dump(key)}: {text}")
    return "{\n" + ",\n".join(entries) + "\n}\n"


def render(turns: Iterable[Turn], path: File = "") -> str:
    """The turns of one recording as a document without other content.

    If there are no turns, the recording is named after the file.

    Raises
    ------
    FormatError
        If the turns are of several recordings.
    """
    turns = sorted(turns)
    to_rows(turns, str, holder="a JSON document")
    document = {
        "recording": turns[0].recording if turns else Path(path).stem,
        "speakers": list_speakers(turns),
        "turns": list_turns(turns),
    }
    return format_json(document)


def list_turns(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """The ``turns`` of a document: start and end in seconds, speaker; sorted."""
    return [
        {"start": turn.segment.start, "end": turn.segment.end, "speaker": turn.speaker}
        for turn in sorted(turns)
    ]


def list_speakers(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """The ``speakers`` of a document by first appearance: total seconds and number of their turns."""
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
    # A name from undecodable bytes holds lone surrogates; JSON and Python have the same escape for them.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _turns(text: Text, document: Mapping[str, Any]) -> Iterator[Found]:
    recording = name_of(text.place(""), document, "recording")
    for number, value in enumerate(list_of(text.place(""), document, "turns")):
        place = text.place(f"turns[{number}]")
        item = object_of(place, value)
        start, end = time_of(place, item, "start"), time_of(place, item, "end")
        if not 0 <= start <= end:
            raise text.error(f"{place.name} needs 0 <= start < end, it has {start:g} and {end:g}")
        yield place, recording, start, end, name_of(place, item, "speaker")
