"""Text files line by line, with errors that name the line."""

from __future__ import annotations

import codecs
import math
import re
from dataclasses import dataclass
from pathlib import Path

from diarize.errors import FormatError
from diarize.formats.atomic import atomic_path
from diarize.segments import Segment

# Stricter than float(), which also takes '1_000', 'nan' and digits of any script.
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SHOWN = 40  # characters of a line in an error message


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, counted from 1, that can say what is wrong with it."""

    path: str | Path
    number: int
    text: str

    def error(self, what: str) -> FormatError:
        """An error that names the file and the line, and shows how the line begins."""
        text = " ".join(self.text.split())
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN].rstrip()} ..."
        return FormatError(f"{self.path}, line {self.number}: {what}" + (f" ({shown})" if shown else ""))

    def seconds(self, field: str, name: str) -> float:
        """A field as a finite number; ``name`` says in the error what it should have been."""
        value = float(field) if _NUMBER.fullmatch(field) else math.nan
        if not math.isfinite(value):
            raise self.error(f"{field!r} is no {name}")
        return value

    def segment(self, start: float, end: float) -> Segment:
        """The segment between two times in seconds."""
        if start < 0:
            raise self.error(f"starts at {start:g}, before the recording")
        if end <= start:
            raise self.error(f"ends at {end:g}, not after its start {start:g}")
        return Segment(start, end)


def read_text(path: str | Path) -> str:
    r"""The content of a text file, UTF-8 or marked UTF-16, with ``\n`` between the lines.

    Raises
    ------
    FormatError
        When it cannot be read or decoded.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error})") from error
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as Praat saves
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise FormatError(f"{path}, line {number}: not UTF-8 text; save it as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: str | Path) -> list[Line]:
    """Every line of a text file, blank ones too.

    Raises
    ------
    FormatError
        When the file cannot be read or decoded.
    """
    # str.splitlines would also split at the rarer separators that a name may hold.
    return [Line(path, number, text) for number, text in enumerate(read_text(path).split("\n"), start=1)]


def write_text(text: str, path: str | Path) -> None:
    """Write a text file, UTF-8, whole or not at all.

    Raises
    ------
    DiarizeError
        When it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
