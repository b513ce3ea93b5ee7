"""Kaldi's data folders: wav.scp, segments, utt2spk, spk2utt and reco2num_spk.

References
----------
https://kaldi-asr.org/doc/data_prep.html
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from diarize.errors import FormatError
from diarize.files.text import Line, Text, open_text, shorten, write_text
from diarize.formats.rows import is_one_word
from diarize.segments import MOST_SPEAKERS, Segment, normal_name

FILES = ("wav.scp", "segments", "utt2spk", "spk2utt", "reco2num_spk")
"""The files of a data folder; only wav.scp is required."""


@dataclass(frozen=True)
class DataFolder:
    """The content of a data folder; a file that it lacks is an empty mapping.

    Parameters
    ----------
    wav_scp : dict
        Recording to file name, or to a command that ends in a pipe.
    utt2spk : dict
        Utterance to speaker.
    segments : dict
        Utterance to its recording and segment. If empty, utterances are whole recordings.
    reco2num_spk : dict
        Recording to number of speakers.
    """

    wav_scp: dict[str, str]
    utt2spk: dict[str, str] = field(default_factory=dict)
    segments: dict[str, tuple[str, Segment]] = field(default_factory=dict)
    reco2num_spk: dict[str, int] = field(default_factory=dict)


def read_scp(path: str | Path, allow_pipes: bool = False) -> dict[str, str]:
    """The keys and file names of a script file, in its order.

    Raises
    ------
    FormatError
        If the file cannot be read, a key occurs twice, or an entry is a command and `allow_pipes` is false.
    """
    return _entries(_parse_table(open_text(path)), allow_pipes)


def read_data_folder(path: str | Path, allow_pipes: bool = False) -> DataFolder:
    """A data folder, checked: sorted in the C locale, no key occurs twice, and the files agree.

    Raises
    ------
    FormatError
        If a file is malformed; the message gives file and line.
    """
    folder = Path(path)
    names = [name for name in FILES if name == "wav.scp" or (folder / name).exists()]
    return parse_data_folder({name: open_text(folder / name) for name in names}, allow_pipes)


def parse_data_folder(texts: Mapping[str, Text], allow_pipes: bool = False) -> DataFolder:
    """A data folder from the texts of its files by name. Errors are those of `read_data_folder`."""
    tables = {name: _parse_table(text) for name, text in texts.items()}
    for table in tables.values():
        _check_sorted(table)
    wav_scp = _entries(tables["wav.scp"], allow_pipes)
    segments = {key: _segment(line, wav_scp) for key, line in tables.get("segments", {}).items()}
    utterances: Mapping[str, object] = segments if "segments" in tables else wav_scp
    utt2spk = {}
    if "utt2spk" in tables:
        for key, line in tables["utt2spk"].items():
            utt2spk[key] = _values(line, 1)[0]
            if key not in utterances:
                raise line.error(f"utterance {shorten(key)!r} is unknown")
        for key, line in tables["segments" if "segments" in tables else "wav.scp"].items():
            if key not in utt2spk:
                raise line.error(f"utterance {shorten(key)!r} has no speaker in utt2spk")
    if "spk2utt" in tables:
        _check_inverse(tables["spk2utt"], utt2spk, texts["spk2utt"])
    n_speakers = {}
    for key, line in tables.get("reco2num_spk", {}).items():
        count = _values(line, 1)[0]
        if line.whole(count, "number of speakers", MOST_SPEAKERS) == 0:
            raise line.error(f"{shorten(count)!r} is no number of speakers")
        if key not in wav_scp:
            raise line.error(f"recording {shorten(key)!r} is not in wav.scp")
        n_speakers[key] = int(count)
    return DataFolder(wav_scp, utt2spk, segments, n_speakers)


def read_whole_recordings(path: str | Path) -> DataFolder:
    """A data folder whose utterances are whole recordings with speakers.

    Raises
    ------
    FormatError
        If it has segments or no speakers, and as `read_data_folder`.
    """
    data = read_data_folder(path)
    if data.segments or not data.utt2spk:
        raise FormatError(f"{path}: needs whole recordings (no segments) with their speakers (utt2spk)")
    return data


def read_corpora(path: str | Path, utterances: Iterable[str]) -> dict[str, str]:
    """The corpus of each utterance from utt2corpus; without this file, all are of one corpus.

    Raises
    ------
    FormatError
        As `read_utt2spk`.
    """
    corpora = dict.fromkeys(utterances, "all")
    table = Path(path) / "utt2corpus"
    return corpora | read_utt2spk(table) if table.exists() else corpora


def read_utt2spk(path: str | Path) -> dict[str, str]:
    """Utterance to speaker, from lines of `utterance speaker`.

    Raises
    ------
    FormatError
        If the file cannot be read, or a line is malformed; the message gives its number.
    """
    return {utterance: _values(line, 1)[0] for utterance, line in _parse_table(open_text(path)).items()}


def write_data_folder(
    path: str | Path,
    wav_scp: Mapping[str, str],
    utt2spk: Mapping[str, str] | None = None,
    segments: Mapping[str, tuple[str, Segment]] | None = None,
    reco2num_spk: Mapping[str, int] | None = None,
) -> None:
    """Write a data folder, sorted in the C locale. With utt2spk, spk2utt is written, too.

    If an older folder has any of the five files that is not given, it is removed, because it would not agree.

    Raises
    ------
    FormatError
        If a key or a speaker has blanks.
    DiarizeError
        If a file cannot be written.
    """
    for name, text in render_data_folder(wav_scp, utt2spk, segments, reco2num_spk).items():
        if text is None:
            (Path(path) / name).unlink(missing_ok=True)
        else:
            write_text(text, Path(path) / name)


def render_data_folder(
    wav_scp: Mapping[str, str],
    utt2spk: Mapping[str, str] | None = None,
    segments: Mapping[str, tuple[str, Segment]] | None = None,
    reco2num_spk: Mapping[str, int] | None = None,
) -> dict[str, str | None]:
    """The texts of a data folder's files by name; None for a file that it does not have.

    Raises
    ------
    FormatError
        If a key or a speaker has blanks, or a file name a line break.
    """
    speakers: dict[str, list[str]] = {}
    for utterance, speaker in sorted((utt2spk or {}).items()):
        speakers.setdefault(_word(speaker), []).append(utterance)
    spans = {
        utterance: f"{_word(recording)} {float(segment.start)!r} {float(segment.end)!r}"
        for utterance, (recording, segment) in (segments or {}).items()
    }
    tables: dict[str, Mapping[str, object] | None] = {
        "wav.scp": wav_scp,
        "segments": spans if segments is not None else None,
        "utt2spk": utt2spk,
        "spk2utt": {name: " ".join(keys) for name, keys in speakers.items()} if utt2spk is not None else None,
        "reco2num_spk": reco2num_spk,
    }
    return {name: None if table is None else _render_table(table) for name, table in tables.items()}


def is_command(entry: str) -> bool:
    """Whether an entry of a script file is a command and not a file name."""
    return entry.rstrip().endswith("|")


def run_command(entry: str) -> bytes:
    """The standard output of the command in an entry of a script file.

    Call it only if the user has allowed commands.

    Raises
    ------
    FormatError
        If the command fails.
    """
    command = entry.rstrip().removesuffix("|")
    done = subprocess.run(command, shell=True, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        reason = f"fails with {done.returncode}" + (f": {said[0]}" if said else "")
        raise FormatError(f"command '{command.strip()}' {reason}")
    return done.stdout


def _render_table(table: Mapping[str, object]) -> str:
    for value in table.values():
        if any(mark in str(value) for mark in "\n\r\0"):
            raise FormatError(f"{value!r} cannot be written to a Kaldi data folder; it has a line break")
    return "".join(f"{_word(key)} {value}\n" for key, value in sorted(table.items()))


def _parse_table(text: Text) -> dict[str, Line]:
    """The lines of a file by their first field, in Unicode's normal form C."""
    table: dict[str, Line] = {}
    for line in text.lines():
        if not line.text.strip():
            continue
        key, *rest = line.text.split(maxsplit=1)
        key = normal_name(key)
        if not rest:
            raise line.error("a key without a value")
        if key in table:
            raise line.error(f"{shorten(key)!r} occurs twice, first in line {table[key].number}")
        table[key] = line
    return table


def _values(line: Line, count: int) -> list[str]:
    values = [normal_name(value) for value in line.text.split()[1:]]
    if len(values) != count:
        raise line.error(f"{len(values) + 1} fields, expected {count + 1}")
    return values


def _entries(table: Mapping[str, Line], allow_pipes: bool) -> dict[str, str]:
    entries = {key: line.text.split(maxsplit=1)[1].strip() for key, line in table.items()}
    for key, entry in entries.items():
        if is_command(entry) and not allow_pipes:
            raise table[key].error("a command; give --allow-pipes to run it")
    return entries


def _segment(line: Line, wav_scp: Mapping[str, str]) -> tuple[str, Segment]:
    recording, start, end = _values(line, 3)
    if recording not in wav_scp:
        raise line.error(f"recording {shorten(recording)!r} is not in wav.scp")
    return recording, line.segment(line.seconds(start, "start"), line.seconds(end, "end"))


def _check_sorted(table: Mapping[str, Line]) -> None:
    # The C locale compares bytes. UTF-8 bytes sort like code points, which Python compares.
    before = ""
    for line in table.values():
        key = line.text.split(maxsplit=1)[0]  # as written, in any normal form
        if key < before:
            raise line.error(f"{shorten(key)!r} comes after {shorten(before)!r}; sort with LC_ALL=C")
        before = key


def _check_inverse(spk2utt: Mapping[str, Line], utt2spk: Mapping[str, str], text: Text) -> None:
    listed = set()
    for speaker, line in spk2utt.items():
        for utterance in map(normal_name, line.text.split()[1:]):
            if utt2spk.get(utterance) != speaker:
                raise line.error(
                    f"utterance {shorten(utterance)!r} is not of speaker {shorten(speaker)!r} in utt2spk"
                )
            listed.add(utterance)
    missing = sorted(utt2spk.keys() - listed)
    if missing:
        raise text.error(f"utterance {shorten(missing[0])!r} of utt2spk is not listed")


def _word(name: str) -> str:
    if not is_one_word(name):
        raise FormatError(f"{name!r} cannot be written to a Kaldi data folder; names must not hold blanks")
    return name
