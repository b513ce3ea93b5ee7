"""Turns and scored regions by recording, from paths, folders, open files and objects."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from diarize.errors import DiarizeError, FormatError
from diarize.files.folders import find_files
from diarize.files.text import Content, File, as_file
from diarize.formats import READABLE, find_format, from_annotation, read_turns, read_uem
from diarize.segments import Segment, Turn, normal_name

UNNAMED = ""
"""The recording of an object that does not name one, such as an Annotation without uri."""

_MANY = {READABLE[name].suffix for name in ("rttm", "csv", "stm", "ctm")}  # formats of several recordings


def list_turns(source: Any) -> list[Turn]:
    """The turns of any source that `turns_by_recording` takes, sorted."""
    return sorted(turn for turns in turns_by_recording(source).values() for turn in turns)


def turns_by_recording(source: Any) -> dict[str, list[Turn]]:
    """The turns of each recording; a recording without turns has an empty list.

    Parameters
    ----------
    source : path, open file, bytes, Turn, Diarization, Annotation, mapping by recording, or iterable of these
        A path is an annotation file or a folder of such files.

    Raises
    ------
    FormatError
        If a file cannot be read, or a folder has no annotation files.
    TypeError
        If the source is of another type.
    """
    if isinstance(source, Turn):
        return {source.recording: [source]}
    if (file := as_file(source)) is not None:
        return _of_file(file)
    if hasattr(source, "turns") and hasattr(source, "recording"):  # a Diarization
        return {normal_name(source.recording): list(source.turns)}
    if hasattr(source, "itertracks"):  # pyannote's Annotation
        return {normal_name(str(source.uri or UNNAMED)): from_annotation(source)}
    found: dict[str, list[Turn]] = defaultdict(list)
    if isinstance(source, Mapping):
        for name, value in source.items():
            name = normal_name(str(name))
            found[name] += [Turn(name, turn.segment, turn.speaker) for turn in list_turns(value)]
    elif isinstance(source, Iterable):
        for item in source:
            for name, turns in turns_by_recording(item).items():
                found[name] += turns
    else:
        raise TypeError(
            f"needs a path, an open file, turns, a Diarization or an Annotation, got {source!r:.80}"
        )
    return dict(found)


def regions_by_recording(source: Any) -> dict[str, list[Segment]]:
    """The scored segments of each recording.

    Parameters
    ----------
    source : path, open file, bytes, mapping from recording to segments, or segments
        A path is a UEM file or a folder of such files; segments may be a Timeline of pyannote.core.

    Raises
    ------
    FormatError
        If a file cannot be read, or a folder has no UEM files.
    """
    regions: dict[str, list[Segment]] = defaultdict(list)
    if (file := as_file(source)) is not None:
        for one in _files(file, [".uem"]):
            for name, segments in read_uem(one).items():
                regions[name] += segments
    elif isinstance(source, Mapping):
        for name, segments in source.items():
            regions[normal_name(str(name))] += _segments(segments)
    else:
        regions[normal_name(str(getattr(source, "uri", None) or UNNAMED))] += _segments(source)
    return dict(regions)


def share_names(*tables: dict[str, list[Any]]) -> None:
    """Give a recording without a name the name of the only other recording, in place.

    Raises
    ------
    DiarizeError
        If there are several others.
    """
    if not any(UNNAMED in table for table in tables):
        return
    names = {name for table in tables for name in table if name != UNNAMED}
    if len(names) > 1:
        raise DiarizeError(
            f"a recording without a name beside {len(names)} with names; name it (an Annotation by its uri)"
        )
    for table in tables:
        if UNNAMED in table:
            name = next(iter(names), "recording")
            table[name] = [*table.pop(UNNAMED), *table.get(name, [])]


def _segments(source: Iterable[Any]) -> list[Segment]:
    return [Segment(float(segment.start), float(segment.end)) for segment in source]


def _of_file(path: File) -> dict[str, list[Turn]]:
    """The turns of a file, or of the annotation files in a folder, by recording."""
    found: dict[str, list[Turn]] = defaultdict(list)
    in_folder = _is_folder(path)
    for file in _files(path, [known.suffix for known in READABLE.values()]):
        format = find_format(file, reading=True)
        turns = read_turns(file)
        for turn in turns:
            found[turn.recording].append(turn)
        if not turns and (in_folder or format.suffix not in _MANY):
            found.setdefault(normal_name(Path(file).stem), [])  # a recording without turns
    return dict(found)


def _files(path: File, suffixes: Sequence[str]) -> list[File]:
    """The file itself, or the files of a folder that have the first suffix found there.

    Only one suffix is used, because a folder of results may hold the same turns in several formats.
    """
    if not _is_folder(path):
        return [path]
    there = find_files(Path(path), below=False)
    for suffix in suffixes:
        files = [file for file in there if file.suffix.lower() == suffix.lower()]
        if files:
            return [*files]
    raise FormatError(f"{path}: no file in this folder ends in {', '.join(suffixes)}")


def _is_folder(path: File) -> bool:
    # For a name that is too long, os.path returns False where pathlib raises.
    return not isinstance(path, Content) and os.path.isdir(path)  # noqa: PTH112
