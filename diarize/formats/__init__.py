"""Annotation formats: readers and writers, and the choice of one by a file's name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from diarize.errors import FormatError
from diarize.files.text import Content, File, as_file, read_text
from diarize.segments import Turn


@dataclass(frozen=True, slots=True)
class Format:
    """A format of turns: its suffix, and where its reader and writer are; loaded when first used."""

    suffix: str
    module: str
    reader: str
    writer: str

    def read(self, path: File) -> list[Turn]:
        """The turns of a file, sorted."""
        turns: list[Turn] = self._load(self.reader)(path)
        return turns

    def write(self, turns: Iterable[Turn], path: str | Path) -> None:
        """Write the turns to a file."""
        self._load(self.writer)(turns, path)

    def _load(self, function: str) -> Any:
        return getattr(import_module(f"{__name__}.{self.module}"), function)


FORMATS = {
    "rttm": Format(".rttm", "rttm", "read_rttm", "write_rttm"),
    "json": Format(".json", "json_format", "read_json", "write_json"),
    "csv": Format(".csv", "csv_format", "read_csv", "write_csv"),
    "srt": Format(".srt", "subtitles", "read_srt", "write_srt"),
    "vtt": Format(".vtt", "subtitles", "read_vtt", "write_vtt"),
    "textgrid": Format(".TextGrid", "textgrid", "read_textgrid", "write_textgrid"),
    "eaf": Format(".eaf", "elan", "read_eaf", "write_eaf"),
    "audacity": Format(".txt", "audacity", "read_audacity", "write_audacity"),
    "lab": Format(".lab", "lab", "read_lab_turns", "write_lab"),
}
"""The formats by name. What each keeps and loses: ``docs/formats.md``."""

READ_ONLY = {
    "stm": Format(".stm", "stm", "read_stm", ""),
    "ctm": Format(".ctm", "stm", "read_ctm", ""),
}
"""Formats of transcripts, which are read and not written: a diarization has no words."""

READABLE = FORMATS | READ_ONLY


def find_format(path: File, name: str | None = None, *, reading: bool = False) -> Format:
    """The format of this name, or else the one that the suffix of ``path`` tells (in any case).

    The format of an open file without a suffix is recognised by how it begins.

    Parameters
    ----------
    path : path
    name : str, optional
    reading : bool
        Also find formats that are only read.

    Raises
    ------
    FormatError
        When neither is known; the message lists the known ones.
    """
    formats = READABLE if reading else FORMATS
    if name is not None:
        if name not in formats:
            raise FormatError(f"unknown format {name!r}; known: {', '.join(formats)}")
        return formats[name]
    suffix = Path(path).suffix
    if isinstance(path, Content) and not suffix:
        return formats[_guess(read_text(path))]
    for known in formats.values():
        if known.suffix.lower() == suffix.lower():
            return known
    listed = ", ".join(f"{name} ({known.suffix})" for name, known in formats.items())
    raise FormatError(f"{path}: no format has the suffix {suffix!r}; known: {listed}")


def read_turns(path: File | IO[Any] | bytes, format: str | None = None) -> list[Turn]:
    """The turns of a file, sorted, in the named format or the one of its suffix.

    An open file or bytes will do; without a suffix, the format is recognised by how they begin.

    Raises
    ------
    FormatError
        When the format is unknown, or the file cannot be read or does not follow it.
    """
    file = as_file(path)
    if file is None:
        raise TypeError(f"needs a path, an open file or bytes, got {path!r:.80}")
    return find_format(file, format, reading=True).read(file)


def convert_turns(
    source: str | Path, output: str | Path, *, source_format: str | None = None, format: str | None = None
) -> dict[Path, list[Turn]]:
    """The files to write for a conversion, and the turns of each; nothing is written.

    An existing folder, or a name without suffix or with a slash at its end, gets one file a recording, in the
    named format.

    Raises
    ------
    FormatError
        When a format is unknown, the source is malformed, a folder is given without a format, or a
        recording's id cannot name a file.
    """
    turns, is_folder = read_turns(source, source_format), str(output).endswith(("/", os.sep))
    output = Path(output)
    # os.path says no where pathlib raises: a name too long.
    if output.suffix and not is_folder and not os.path.isdir(output):  # noqa: PTH112
        find_format(output, format)
        return {output: turns}
    if format is None:
        raise FormatError(f"{output}: a folder needs --format; known: {', '.join(FORMATS)}")
    suffix = find_format(output, format).suffix
    by_recording: dict[Path, list[Turn]] = {}
    for turn in turns:
        if "/" in turn.recording:  # it would lead out of the folder
            raise FormatError(f"recording {turn.recording!r}: files are named by it; use an id without /")
        by_recording.setdefault(output / f"{turn.recording}{suffix}", []).append(turn)
    return by_recording


def write_turns(turns: Iterable[Turn], path: str | Path, format: str | None = None) -> None:
    """Write turns to a file, in the named format or the one of its suffix.

    Raises
    ------
    FormatError
        When the format is unknown or cannot hold these turns.
    DiarizeError
        When the file cannot be written.
    """
    find_format(path, format).write(turns, path)


def _guess(text: str) -> str:
    """The name of the format of a text, by how it begins."""
    text = text.lstrip()
    first = next((line for line in text.split("\n") if not line.startswith((";;", "#"))), "")
    signs = {
        "vtt": text.startswith("WEBVTT"),
        "eaf": text.startswith("<"),
        "json": text.startswith(("{", "[")),
        "textgrid": "ooTextFile" in first,
        "csv": "recording" in first and "speaker" in first,
        "srt": "-->" in text[:200],
        "audacity": first.count("\t") == 2,
        "lab": len(first.split()) == 3,
    }
    return next((name for name, found in signs.items() if found), "rttm")
