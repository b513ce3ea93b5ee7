"""Annotation formats. This package opens and writes files; the module of a format works on text only.

The module of a format has two pure functions: ``parse``, from a text (`diarize.files.text.Text`) to sorted
turns, and ``render``, from turns to text. To add a format, write such a module and add it to `FORMATS`.

Formats of turns and regions:

- ``rttm``: RTTM
- ``uem``: UEM, the scored regions
- ``lab``: label files
- ``json_format``: the JSON document of a diarization
- ``json_transcripts``: JSON of WhisperX, meeteval and pyannote
- ``csv_format``: CSV
- ``srt``: SubRip subtitles
- ``vtt``: WebVTT subtitles
- ``textgrid``: Praat's TextGrid
- ``elan``: ELAN's annotation files
- ``audacity``: Audacity's label tracks
- ``stm``: STM, read only
- ``ctm``: CTM, read only
- ``svg``: a timeline as a drawing, written only

Data folders and tables of embeddings:

- ``kaldi``: Kaldi's data folders
- ``ark``: tables of embeddings as Kaldi archives
- ``vector_tables``: tables of embeddings as NumPy archives and TSV
- ``parquet_tables``: tables of embeddings as Parquet
- ``voice_tables``: tables of voices

Objects of other libraries:

- ``objects``: tables of pandas, annotations of pyannote, supervisions of lhotse

What they share:

- ``registry``: the formats by name
- ``rows``: from turns to the rows of a file and back
- ``times``: times in whole milliseconds
- ``nist``: lines of RTTM, UEM, STM and CTM
- ``cues``: the cues of SubRip and WebVTT
- ``transcripts``: the speakers of a transcript's cues
- ``tiers``: the speakers of Praat's and ELAN's tiers
- ``speaker_names``: which words name a speaker
- ``silence``: which labels mean silence
- ``json_text``: JSON, with errors of one line
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from diarize.errors import FormatError
from diarize.files.folders import check_file_name, refuse_outside
from diarize.files.text import File, as_file, open_text, shorten, write_text
from diarize.formats.objects import (
    from_annotation,
    from_dataframe,
    from_supervisions,
    to_annotation,
    to_dataframe,
    to_supervisions,
)
from diarize.formats.registry import FORMATS, READ_ONLY, READABLE, Format, find_format
from diarize.formats.rows import one_word
from diarize.segments import Segment, Turn, join_segments

__all__ = [
    "FORMATS",
    "READABLE",
    "READ_ONLY",
    "Format",
    "convert_turns",
    "find_format",
    "from_annotation",
    "from_dataframe",
    "from_supervisions",
    "read_lab",
    "read_recording",
    "read_rttm",
    "read_rttm_speech",
    "read_turns",
    "read_uem",
    "render_turns",
    "to_annotation",
    "to_dataframe",
    "to_supervisions",
    "write_rttm",
    "write_turns",
    "write_uem",
]

logger = logging.getLogger(__name__)


def read_turns(path: File | IO[Any] | bytes, format: str | None = None) -> list[Turn]:
    r"""The turns of a file, sorted. The format is the named one, otherwise that of the suffix.

    `path` may also be an open file or bytes; without a suffix, the format is recognised by the beginning.

    Raises
    ------
    FormatError
        If the format is unknown, or the file cannot be read or does not follow it.

    Examples
    --------
    >>> [turn.speaker for turn in read_turns(b"0.0 0.5 sil\n0.5 2.0 Ann\n", "lab")]
    ['Ann']
    """
    file = as_file(path)
    if file is None:
        raise TypeError(f"needs a path, an open file or bytes, got {path!r:.80}")
    return find_format(file, format, reading=True).parse(open_text(file))


def read_recording(path: str | Path, recording: str, what: str = "the file") -> list[Turn]:
    """The turns of a file that are of one recording: of the named one, if there are several.

    `what` has this name, for messages.

    Raises
    ------
    FormatError
        If the file cannot be read, or none of its recordings has this name.
    """
    turns = read_turns(path)
    names = list(dict.fromkeys(turn.recording for turn in turns))
    if len(names) > 1 and recording not in names:
        shown = ", ".join(map(shorten, names[:3]))
        raise FormatError(
            f"{path}: turns of {len(names)} recordings ({shown}), none is {recording}; "
            f"name {what} like its recording"
        )
    if len(names) == 1 and one_word(names[0]) != one_word(recording):
        logger.warning("%s: turns of %s are taken for those of %s", path, names[0], recording)
    return [turn for turn in turns if len(names) == 1 or turn.recording == recording]


def write_turns(turns: Iterable[Turn], path: str | Path, format: str | None = None) -> None:
    """Write turns to a file, in the named format, otherwise in that of its suffix.

    Raises
    ------
    FormatError
        If the format is unknown or cannot hold these turns.
    DiarizeError
        If the file cannot be written.
    """
    write_text(find_format(path, format).render(turns, path), path)


def render_turns(turns: Iterable[Turn], format: str, recording: str = "recording") -> str:
    r"""The text that `write_turns` writes to a file named after the recording.

    Raises
    ------
    FormatError
        If the format is unknown or cannot hold these turns.

    Examples
    --------
    >>> render_turns([Turn("meeting", Segment(0.5, 2), "Ann")], "lab")
    '0.500 2.000 Ann\n'
    """
    known = find_format("", format)
    return known.render(turns, f"{recording}{known.suffix}")


def convert_turns(
    source: str | Path,
    output: str | Path,
    *,
    source_format: str | None = None,
    format: str | None = None,
    per_speaker: bool = False,
) -> dict[Path, list[Turn]]:
    """The files of a conversion, and the turns of each. Nothing is written yet.

    If the output is an existing folder, or a name that has no suffix or ends in a slash, it is a folder with
    one file for each recording, in the named format; with `per_speaker`, one for each speaker of each
    recording, which is a track of its own in Audacity: ``meeting.SPEAKER_00.txt``.

    Raises
    ------
    FormatError
        If a format is unknown, the source is malformed, or a folder is given without a format.
    DiarizeError
        If the id of a recording or speaker cannot name a file, or a link leads out of the folder.
    """
    turns, is_folder = read_turns(source, source_format), str(output).endswith(("/", os.sep))
    output = Path(output)
    # For a name that is too long, os.path returns False where pathlib raises.
    if output.suffix and not is_folder and not os.path.isdir(output):  # noqa: PTH112
        if per_speaker:
            raise FormatError(f"{output}: --per-speaker writes several files; give a folder")
        find_format(output, format)
        return {output: turns}
    if format is None:
        raise FormatError(f"{output}: a folder needs --format; known: {', '.join(FORMATS)}")
    suffix = find_format(output, format).suffix
    by_recording: dict[Path, list[Turn]] = {}
    for turn in turns:
        names = [turn.recording]
        check_file_name(turn.recording)
        if per_speaker:
            names.append(turn.speaker)
            check_file_name(turn.speaker, "speaker")
        by_recording.setdefault(output / f"{'.'.join(names)}{suffix}", []).append(turn)
    refuse_outside(by_recording, output)
    return by_recording


def read_rttm(path: File | IO[Any] | bytes) -> list[Turn]:
    """The turns of an RTTM file, sorted. The file may be open.

    Comments (``;;``) and other types than SPEAKER are ignored; a warning follows if nothing else is found.
    Turns of duration 0, and turns whose speaker is ``<NA>``, are left out with a warning.

    Raises
    ------
    FormatError
        If the file cannot be read, or a line is malformed; the message gives its number.
    """
    return read_turns(path, "rttm")


def write_rttm(turns: Iterable[Turn], path: str | Path) -> None:
    """Write the turns as RTTM, sorted, with three decimals; blanks in names become underscores.

    Raises
    ------
    FormatError
        If two names become the same, or one is ``<NA>``.
    DiarizeError
        If the file cannot be written.
    """
    write_turns(turns, path, "rttm")


def read_rttm_speech(path: File) -> dict[str, list[Segment]]:
    """The segments of speech of each recording, unknown speakers (``<NA>``) included.

    Errors are those of `read_rttm`.
    """
    from diarize.formats import rttm

    return rttm.parse_speech(open_text(path))


def read_lab(path: File) -> list[Segment]:
    """The segments of speech of a label file, in order, with overlapping ones joined.

    Raises
    ------
    FormatError
        If the file cannot be read, or a line is malformed; the message gives its number.
    """
    return join_segments(turn.segment for turn in read_turns(path, "lab"))


def read_uem(path: File) -> dict[str, list[Segment]]:
    """The scored segments of each recording, of all channels, in order, with overlapping ones joined.

    Empty segments are left out with a warning; a recording with only empty segments has an empty list.

    Raises
    ------
    FormatError
        If the file cannot be read, or a line is malformed; the message gives its number.
    """
    from diarize.formats import uem

    return uem.parse(open_text(path))


def write_uem(scored: Mapping[str, Iterable[Segment]], path: str | Path) -> None:
    """Write the scored segments of each recording, sorted, with three decimals.

    Raises
    ------
    DiarizeError
        If the file cannot be written.
    """
    from diarize.formats import uem

    write_text(uem.render(scored), path)
