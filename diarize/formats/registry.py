"""The formats of turns by name, and the choice of one by name, suffix or content."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from diarize.errors import FormatError
from diarize.files.text import Content, File, Text, read_text, refuse_missing
from diarize.segments import Turn


@dataclass(frozen=True, slots=True)
class Format:
    """A format of turns: its suffix and its module, which is loaded on first use.

    The module has ``parse(text)``, from a `Text` to sorted turns, and ``render(turns, path)``, from turns to
    the content of a file. Neither opens a file.
    """

    suffix: str
    module: str

    def parse(self, text: Text) -> list[Turn]:
        """The turns of a text, sorted."""
        turns: list[Turn] = self._load().parse(text)
        return turns

    def render(self, turns: Iterable[Turn], path: File = "") -> str:
        """The turns as the text of a file. `path` is only shown in errors; no file is opened."""
        text: str = self._load().render(turns, path)
        return text

    def _load(self) -> Any:
        return import_module(self.module)


FORMATS = {
    "rttm": Format(".rttm", "diarize.formats.rttm"),
    "json": Format(".json", "diarize.formats.json_format"),
    "csv": Format(".csv", "diarize.formats.csv_format"),
    "srt": Format(".srt", "diarize.formats.srt"),
    "vtt": Format(".vtt", "diarize.formats.vtt"),
    "textgrid": Format(".TextGrid", "diarize.formats.textgrid"),
    "eaf": Format(".eaf", "diarize.formats.elan"),
    "audacity": Format(".txt", "diarize.formats.audacity"),
    "lab": Format(".lab", "diarize.formats.lab"),
}
"""The formats by name. ``docs/formats.md`` says what each one keeps and loses."""

READ_ONLY = {
    "stm": Format(".stm", "diarize.formats.stm"),
    "ctm": Format(".ctm", "diarize.formats.ctm"),
}
"""Formats of transcripts, which are only read, because a diarization has no words."""

READABLE = ChainMap(READ_ONLY, FORMATS)  # a ChainMap lists its last mapping first
"""All formats; those that can be written are listed first."""


def find_format(path: File, name: str | None = None, *, reading: bool = False) -> Format:
    """The named format, otherwise the one of the suffix of ``path`` (upper or lower case).

    The format of an open file without a suffix is recognised by its beginning.

    Parameters
    ----------
    path : path
    name : str, optional
    reading : bool
        Whether to include formats that are only read.

    Raises
    ------
    FormatError
        If neither is known; the message lists the known formats.
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
    if reading:
        refuse_missing(path)
    listed = ", ".join(f"{name} ({known.suffix})" for name, known in formats.items())
    raise FormatError(f"{path}: no format has the suffix {suffix!r}; known: {listed}")


def _guess(text: str) -> str:
    """The name of a text's format, recognised by its beginning."""
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
