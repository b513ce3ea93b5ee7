"""Text files line by line, with errors that name the line. Content in memory is treated like a file."""

from __future__ import annotations

import codecs
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diarize.errors import FormatError, OutputError
from diarize.files.atomic import write_bytes
from diarize.segments import Segment

LONGEST = 1e9
"""Seconds, about 31 years: the largest time allowed in a file."""

# Stricter than float(), which also accepts '1_000', 'nan' and digits of any script.
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SHOWN = 40  # most characters of a line or field in an error message


class Place:
    """A place in a file, such as ``turns[3]``, which names itself in errors."""

    __slots__ = ("name", "path", "text")

    def __init__(self, path: str | os.PathLike[str], name: str, text: str = "") -> None:
        self.path, self.name, self.text = path, name, text

    def error(self, what: str) -> FormatError:
        """An error that names the file and the place, and shows how its text begins."""
        shown = shorten(self.text)
        return FormatError(f"{self.path}, {self.name}: {what}" + (f" ({shown})" if shown else ""))

    def real(self, field: str, name: str) -> float:
        """A field as a finite number; ``name`` is the word for it in errors."""
        value = float(field) if _NUMBER.fullmatch(field) else math.nan
        if not math.isfinite(value):
            raise self.error(f"{shorten(field)!r} is no {name}")
        return value

    def seconds(self, field: str, name: str) -> float:
        """A field as a time, at most `LONGEST`."""
        value = self.real(field, name)
        if not is_time(value):
            raise self.error(f"{shorten(field)!r} is no {name}; times are seconds, at most {LONGEST:g}")
        return value

    def limited(self, value: float, name: str) -> float:
        """The given time, after a check that it is at most `LONGEST`."""
        if not is_time(value):
            raise self.error(f"the {name} is {value:g}; times are seconds, at most {LONGEST:g}")
        return value

    def whole(self, field: str, name: str, most: float) -> int:
        """A field as a whole number from 0 to ``most``."""
        # Python refuses to read several thousand digits.
        digits = field.isascii() and field.isdigit() and len(field) < 100
        if not digits or int(field) > most:
            raise self.error(f"{shorten(field)!r} is no {name}")
        return int(field)

    def segment(self, start: float, end: float) -> Segment:
        """The segment between two times in seconds."""
        if start < 0:
            raise self.error(f"starts at {start:g}, before the recording")
        if end <= start:
            raise self.error(f"ends at {end:g}, not after its start {start:g}")
        return Segment(start, end)


class Line(Place):
    """One line of a file, counted from 1."""

    __slots__ = ("number",)

    def __init__(self, path: str | os.PathLike[str], number: int, text: str) -> None:
        super().__init__(path, f"line {number}", text)
        self.number = number


@dataclass(frozen=True)
class Content(os.PathLike[str]):
    """The content of an open file, with the file's name. Readers accept it in place of a path.

    Parameters
    ----------
    name : str
        Names the file in errors, and the recording if the format holds no id.
    data : bytes
    """

    name: str
    data: bytes

    def __fspath__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name or "text without a name"


File = str | os.PathLike[str]
"""A path, or the `Content` of an open file."""


def as_file(source: Any) -> File | None:
    """A path as it is, or the content of an open file or bytes; None for objects of other types."""
    if isinstance(source, str | os.PathLike):
        return source
    if isinstance(source, bytes | bytearray):
        return Content("", bytes(source)) if b"\n" in source else os.fsdecode(bytes(source))
    if not hasattr(source, "read"):
        return None
    data, name = source.read(), getattr(source, "name", "")
    data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
    return Content(name if isinstance(name, str) else "", data)


def is_time(value: float) -> bool:
    """Whether a number can be a time: at most `LONGEST` in magnitude, not nan."""
    return -LONGEST <= value <= LONGEST


def shorten(text: str, most: int = _SHOWN) -> str:
    """The beginning of a text, on one line, for messages."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most].rstrip()} ..."


@dataclass(frozen=True)
class Text:
    r"""A decoded text with the name of its file, the input of the parsers of formats.

    Parameters
    ----------
    content : str
        Lines separated by ``\n``.
    path : path
        Names the file in errors, and the recording if the format holds no id. It is not opened.
    """

    content: str
    path: File

    @property
    def recording(self) -> str:
        """The recording of a file that holds no id: the file's name without suffix."""
        return Path(self.path).stem

    def lines(self) -> list[Line]:
        """All lines, including blank ones."""
        # str.splitlines would also split at rare separators, which a name may hold.
        return [
            Line(self.path, number, text) for number, text in enumerate(self.content.split("\n"), start=1)
        ]

    def place(self, name: str) -> Place:
        """A place in the file, for its errors."""
        return Place(self.path, name)

    def error(self, what: str) -> FormatError:
        """An error that names only the file."""
        return FormatError(f"{self.path}: {what}")


def open_text(path: File) -> Text:
    """The text of a file. Errors are those of `read_text`."""
    return Text(read_text(path), path)


def read_text(path: File) -> str:
    r"""The content of a text file, with ``\n`` between the lines.

    The file is UTF-8, or UTF-16 with a byte order mark.

    Raises
    ------
    FormatError
        If it cannot be read or decoded, or holds a NUL.
    """
    content = path.data if isinstance(path, Content) else _read_bytes(path)
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # Praat writes UTF-16
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise FormatError(f"{path}, line {number}: not UTF-8 text; save it as UTF-8") from error
    if "\0" in text:
        number = text.count("\n", 0, text.index("\0")) + 1
        raise FormatError(f"{path}, line {number}: holds a NUL character; save it as UTF-8 text")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\n\ufeff", "\n")  # byte order marks of joined files


def refuse_missing(path: File) -> None:
    """Check that there is such a file, so that an error of its suffix is not that of a wrong path.

    Raises
    ------
    FormatError
        If there is none.
    """
    if not isinstance(path, Content) and not os.path.exists(path):  # noqa: PTH110, for a name that is too long
        raise FormatError(f"{path}: no such file; check the path")


def read_lines(path: File) -> list[Line]:
    """All lines of a text file, including blank ones.

    Raises
    ------
    FormatError
        If the file cannot be read or decoded.
    """
    return open_text(path).lines()


def write_text(text: str, path: str | Path) -> None:
    """Write a text file in UTF-8, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    write_bytes(text.encode(), path)


def append_text(text: str, path: str | Path) -> None:
    """Add lines to a text file in UTF-8. A process that is killed may leave a part of the last line.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _read_bytes(path: File) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # a NUL in the name, which no file can have
        raise FormatError(f"{str(path)!r}: cannot be read ({error})") from error
