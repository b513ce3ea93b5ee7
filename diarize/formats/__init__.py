"""Annotation formats. Files are opened, decoded and written here; the modules of formats see text alone.

The module of a format has two pure functions: ``parse``, from a text (`diarize.files.text.Text`) to sorted
turns, and ``render``, from turns to text. A new format is such a module and its line in `FORMATS`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from diarize.errors import FormatError
from diarize.files.text import File, as_file, open_text, write_text
from diarize.formats.registry import FORMATS, READ_ONLY, READABLE, Format, find_format
from diarize.segments import Segment, Turn, join_segments

__all__ = [
    "FORMATS",
    "READABLE",
    "READ_ONLY",
    "Format",
    "convert_turns",
    "find_format",
    "read_lab",
    "read_rttm",
    "read_rttm_speech",
    "read_turns",
    "read_uem",
    "render_turns",
    "write_rttm",
    "write_turns",
    "write_uem",
]


def read_turns(path: File | IO[Any] | bytes, format: str | None = None) -> list[Turn]:
    r"""The turns of a file, sorted, in the named format or the one of its suffix.

    An open file or bytes will do; without a suffix, the format is recognised by how they begin.

    Raises
    ------
    FormatError
        When the format is unknown, or the file cannot be read or does not follow it.

    Examples
    --------
    >>> [turn.speaker for turn in read_turns(b"0.0 0.5 sil\n0.5 2.0 Ann\n", "lab")]
    ['Ann']
    """
    file = as_file(path)
    if file is None:
        raise TypeError(f"needs a path, an open file or bytes, got {path!r:.80}")
    return find_format(file, format, reading=True).parse(open_text(file))


def write_turns(turns: Iterable[Turn], path: str | Path, format: str | None = None) -> None:
    """Write turns to a file, in the named format or the one of its suffix.

    Raises
    ------
    FormatError
        When the format is unknown or cannot hold these turns.
    DiarizeError
        When the file cannot be written.
    """
    write_text(find_format(path, format).render(turns, path), path)


def render_turns(turns: Iterable[Turn], format: str, recording: str = "recording") -> str:
    r"""What `write_turns` would write to a file that is named after the recording.

    Raises
    ------
    FormatError
        When the format is unknown or cannot hold these turns.

    Examples
    --------
    >>> render_turns([Turn("meeting", Segment(0.5, 2), "Ann")], "lab")
    '0.500 2.000 Ann\n'
    """
    known = find_format("", format)
    return known.render(turns, f"{recording}{known.suffix}")


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


def read_rttm(path: File | IO[Any] | bytes) -> list[Turn]:
    """The turns of an RTTM file, which may be open, sorted.

    Comments (``;;``) and other types than SPEAKER are ignored; where there is nothing else, a warning says
    so. Turns of duration 0, and turns whose speaker is ``<NA>``, are left out with a warning.

    Raises
    ------
    FormatError
        When the file cannot be read, or with the number of the line that is wrong.
    """
    return read_turns(path, "rttm")


def write_rttm(turns: Iterable[Turn], path: str | Path) -> None:
    """Write the turns as RTTM, three decimals, sorted; blanks in names become underscores.

    Raises
    ------
    FormatError
        When two names would become the same, or one is ``<NA>``.
    DiarizeError
        When the file cannot be written.
    """
    write_turns(turns, path, "rttm")


def read_rttm_speech(path: File) -> dict[str, list[Segment]]:
    """Where anybody speaks, by recording, also where the speaker is ``<NA>``; errors as `read_rttm`."""
    from diarize.formats import rttm

    return rttm.parse_speech(open_text(path))


def read_lab(path: File) -> list[Segment]:
    """The segments of speech of a label file, in order, overlapping ones joined.

    Raises
    ------
    FormatError
        When the file cannot be read, or with the number of the line that is wrong.
    """
    return join_segments(turn.segment for turn in read_turns(path, "lab"))


def read_uem(path: File) -> dict[str, list[Segment]]:
    """The scored segments of each recording, in order, overlapping ones joined, those of all channels.

    Empty segments are left out with a warning; a recording that has no others has none to score.

    Raises
    ------
    FormatError
        When the file cannot be read, or with the number of the line that is wrong.
    """
    from diarize.formats import uem

    return uem.parse(open_text(path))


def write_uem(scored: Mapping[str, Iterable[Segment]], path: str | Path) -> None:
    """Write the scored segments of each recording, sorted, three decimals.

    Raises
    ------
    DiarizeError
        When the file cannot be written.
    """
    from diarize.formats import uem

    write_text(uem.render(scored), path)
