"""Results of `diarize run` and other annotation files: found, read, and written back after corrections."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from diarize.errors import DiarizeError, FormatError
from diarize.files.folders import find_files
from diarize.files.text import Content, Text, open_text, write_text
from diarize.formats import FORMATS, READABLE, find_format, read_turns
from diarize.formats.json_format import format_json, is_diarization, list_speakers, list_turns, parse
from diarize.formats.json_text import is_number, list_of, load_json, name_of, object_of, time_of
from diarize.pipeline.records import Certainty
from diarize.segments import Segment, Turn, exclusive_turns, normal_name

KEPT = ("duration", "evidence", "settings", "model")
"""Keys of a JSON document that a correction of the turns leaves as they are."""


@dataclass(frozen=True)
class Result:
    """The turns of one recording, and what its file says beside them.

    Attributes
    ----------
    path : Path
        The file.
    recording : str
    turns : list of Turn
        Sorted.
    confidence : list of float or None
        Of each turn, from 0 to 1; None where the file has none.
    document : mapping
        The entries of `KEPT` that the file has; only JSON has any.
    can_save : bool
        Whether corrections can be written to the file: it is RTTM, or JSON of this project.
    alternatives : list of str or None
        Of each turn, the speaker who is next in likelihood; empty if the file has none.
    doubtful : mapping from Turn to Certainty
        The turns that were left out of the result.
    """

    path: Path
    recording: str
    turns: list[Turn]
    confidence: list[float | None]
    document: Mapping[str, Any] = field(default_factory=dict)
    can_save: bool = False
    alternatives: Sequence[str | None] = ()
    doubtful: Mapping[Turn, Certainty] = field(default_factory=dict)


def find_results(inputs: Iterable[str | Path]) -> list[Path]:
    """The annotation files that are named, and those in folders that are named.

    Of a folder and its subfolders, only the files of one format are taken, because `diarize run` writes the
    same turns in several: JSON, otherwise the first of the formats that is there.

    Raises
    ------
    FormatError
        If a folder holds no annotation files.
    DiarizeError
        If there is no such file, or a folder cannot be read.
    """
    suffixes = dict.fromkeys([FORMATS["json"].suffix, *(known.suffix for known in READABLE.values())])
    found: dict[Path, None] = {}
    for item in inputs:
        if not os.path.isdir(item):  # noqa: PTH112, for a name that is too long
            if not os.path.exists(item):  # noqa: PTH110, for a name that is too long
                raise DiarizeError(f"{item}: no such file or folder; check the path")
            found[Path(item)] = None
            continue
        there = find_files(item)
        by_suffix = ([f for f in there if f.suffix.lower() == suffix.lower()] for suffix in suffixes)
        first = next((files for files in by_suffix if files), None)
        if first is None:
            raise FormatError(f"{item}: no file in this folder ends in {', '.join(suffixes)}")
        found |= dict.fromkeys(first)
    return list(found)


def read_results(path: Path) -> list[Result]:
    """The result of each recording of a file; a file without turns is a result without turns.

    Raises
    ------
    FormatError
        If the file cannot be read, or an entry of it is malformed.
    """
    format = find_format(path, reading=True)
    if format is FORMATS["json"]:
        text = open_text(path)
        document = load_json(text)
        if is_diarization(document):
            turns = parse(text)
            kept = {key: document[key] for key in KEPT if key in document}
            if "duration" in kept:
                kept["duration"] = time_of(text.place(""), document, "duration")
            try:
                json.dumps(kept, allow_nan=False)
            except ValueError as error:
                raise text.error("a number is too large") from error
            recording = normal_name(str(document["recording"]))
            sure = _certainty(text, document, "turns")
            return [
                Result(
                    path,
                    recording,
                    turns,
                    [sure[turn].confidence if turn in sure else None for turn in turns],
                    kept,
                    can_save=True,
                    alternatives=[sure[turn].alternative if turn in sure else None for turn in turns],
                    doubtful=_certainty(text, document, "doubtful"),
                )
            ]
    by_recording: dict[str, list[Turn]] = {}
    for turn in read_turns(path):
        by_recording.setdefault(turn.recording, []).append(turn)
    return [
        Result(path, recording, turns, [None] * len(turns), can_save=format is FORMATS["rttm"])
        for recording, turns in (by_recording or {normal_name(path.stem): []}).items()
    ]


def version_of(path: Path) -> str:
    """A text that changes whenever the content of the file does.

    Raises
    ------
    DiarizeError
        If the file cannot be read.
    """
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DiarizeError(f"{path}: cannot be read ({error.strerror})") from error


def save_correction(result: Result, document: bytes) -> list[Path]:
    """Write corrected turns to the file of a result; the files written.

    Other recordings of an RTTM file, and the entries of `KEPT`, stay as they are. A file of the same name in
    another format is written as well if it holds exactly the turns that are replaced, as `diarize run` has
    written it: otherwise the two would contradict each other.

    Parameters
    ----------
    result : Result
        As it was last read.
    document : bytes
        A JSON document of the corrected turns.

    Raises
    ------
    FormatError
        If the document is malformed or of another recording, or a format cannot hold a name.
    DiarizeError
        If a file cannot be written.
    """
    source = Content("the corrections", document)
    entries = load_json(open_text(source))
    if not is_diarization(entries):
        raise FormatError(f"{source}: not a document of diarize")
    turns, recording = parse(open_text(source)), entries["recording"]
    if normal_name(recording) != result.recording:
        raise FormatError(f"the corrections are of {recording!r:.80}, not of {result.recording!r}")
    turns = [Turn(result.recording, turn.segment, turn.speaker) for turn in turns]
    if find_format(result.path) is FORMATS["json"]:
        sure = _certainty(open_text(source), entries, "turns")
        confidence = [sure[turn].confidence if turn in sure else None for turn in turns]
        texts = {result.path: _document(result, turns, confidence)}
    else:
        others = [turn for turn in read_turns(result.path) if turn.recording != result.recording]
        texts = {result.path: find_format(result.path).render([*others, *turns], result.path)}
    for path in _same_names(result.path):
        if _holds(path, result.turns):
            texts[path] = find_format(path).render(turns, path)
    for path, text in texts.items():  # all are rendered by now, so an impossible name changes no file
        write_text(text, path)
    return list(texts)


def _document(result: Result, turns: Sequence[Turn], confidence: Sequence[float | None]) -> str:
    listed = list_turns(turns)
    for entry, sure in zip(listed, confidence, strict=True):
        if sure is not None:
            entry["confidence"] = sure
    return format_json(
        {
            "recording": result.recording,
            "speakers": list_speakers(turns),
            "turns": listed,
            "exclusive": list_turns(exclusive_turns(turns)),
            **result.document,
        }
    )


def _certainty(text: Text, document: Mapping[str, Any], key: str) -> dict[Turn, Certainty]:
    """The certainty of those turns in a list of a document that have a confidence."""
    found: dict[Turn, Certainty] = {}
    for number, value in enumerate(list_of(text.place(""), document, key) if key in document else ()):
        place = text.place(f"{key}[{number}]")
        item = object_of(place, value)
        if (sure := item.get("confidence")) is None:
            continue
        if not is_number(sure) or not 0 <= sure <= 1:
            raise FormatError(f"{text.path}: {place.name}.confidence is no number from 0 to 1: {sure!r:.60}")
        start, end = time_of(place, item, "start"), time_of(place, item, "end")
        if 0 <= start < end:
            other = None if item.get("alternative") is None else name_of(place, item, "alternative")
            turn = Turn(document["recording"], Segment(start, end), name_of(place, item, "speaker"))
            found[turn] = Certainty(float(sure), other)
    return found


def _same_names(path: Path) -> list[Path]:
    """The files beside a file that have its name and the suffix of another format."""
    names = [path.with_suffix(known.suffix) for name, known in FORMATS.items() if name != "json"]
    return [name for name in names if name.suffix != path.suffix and name.is_file()]


def _holds(path: Path, turns: Sequence[Turn]) -> bool:
    """Whether the content of a file is what `write_turns` writes for these turns, to the byte."""
    try:
        rendered = find_format(path).render(turns, path)
    except FormatError:  # the format cannot hold them
        return False
    return path.read_bytes() == rendered.encode()
