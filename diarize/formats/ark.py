"""Tables of embeddings as Kaldi archives.

``x.ark`` and ``x.scp`` hold the vectors, ``x.segments`` their times, and ``x.utt2spk`` the speakers if known.
A key is the row's number and its recording, ``0000012-meeting``, so keys are sorted and unique. No data is
read from a key.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from diarize.errors import FormatError
from diarize.files.atomic import atomic_path
from diarize.files.text import read_lines, shorten, write_text
from diarize.formats.kaldi import read_scp
from diarize.formats.rows import is_one_word
from diarize.segments import normal_name

_NUMBERS = {b"\0BFV ": "<f4", b"\0BDV ": "<f8"}
_LONGEST_KEY = 1000  # bytes; a file with a longer key is not an archive


def read_ark(path: str | Path) -> dict[str, NDArray[Any]]:
    """A table (see ``vector_tables.py``) from ``x.ark`` or ``x.scp`` and the ``x.segments`` beside it.

    Rows are in the order of the segments.

    Raises
    ------
    FormatError
        If a file cannot be read, or vectors and segments do not fit each other.
    """
    path = Path(path)
    vectors: dict[str, NDArray[np.floating]] = {}
    for key, vector in _scp_vectors(path) if path.suffix.lower() == ".scp" else _ark_vectors(path):
        if key in vectors:
            raise FormatError(f"{path}: {shorten(key)!r} occurs twice")
        vectors[key] = vector
    beside = path.with_suffix(".segments")
    recordings, starts, ends = [], [], []
    rows: dict[str, NDArray[np.floating]] = {}
    for line in read_lines(beside):
        fields = [normal_name(field) for field in line.text.split()]
        if not fields:
            continue
        if len(fields) != 4:
            raise line.error(f"{len(fields)} fields, expected 4: key, recording, start, end")
        if fields[0] not in vectors:
            raise line.error(f"no vector {shorten(fields[0])!r} in {path}")
        if fields[0] in rows:
            raise line.error(f"{shorten(fields[0])!r} occurs twice")
        segment = line.segment(line.seconds(fields[2], "start"), line.seconds(fields[3], "end"))
        recordings.append(fields[1])
        starts.append(segment.start)
        ends.append(segment.end)
        rows[fields[0]] = vector = vectors[fields[0]]
        first = next(iter(rows.values()))
        if vector.shape != first.shape:
            raise FormatError(
                f"{path}: vector {shorten(fields[0])!r} has shape {vector.shape}, others {first.shape}"
            )
    if unplaced := sorted(vectors.keys() - rows.keys()):
        raise FormatError(f"{beside}: no segment for vector {shorten(unplaced[0])!r}")
    table = {
        "recording": np.array(recordings, dtype=np.str_),
        "start": np.array(starts, dtype=np.float64),
        "end": np.array(ends, dtype=np.float64),
        "vectors": np.array([*rows.values()]) if rows else np.empty((0, 0), dtype=np.float32),
    }
    labels = path.with_suffix(".utt2spk")
    if labels.exists():
        speakers = read_scp(labels)
        if missing := [key for key in rows if key not in speakers]:
            raise FormatError(f"{labels}: no speaker for {shorten(missing[0])!r}")
        table["speaker"] = np.array([speakers[key] for key in rows], dtype=np.str_)
    return table


def write_ark(table: Mapping[str, NDArray[Any]], path: str | Path) -> None:
    """Write a table as ``x.ark``, ``x.scp``, ``x.segments`` and, with speakers, ``x.utt2spk``.

    The keys are the utterances of the table, if it has them; other optional columns are left out.

    Raises
    ------
    FormatError
        If a name is empty or has blanks.
    DiarizeError
        If a file cannot be written.
    """
    ark = Path(path).with_suffix(".ark")
    for column in ("recording", "speaker", "utterance"):
        for name in sorted(set(table[column].tolist())) if column in table else ():
            if not is_one_word(name):
                raise FormatError(f"{path}: {column} {name!r} is empty or has blanks; write .npz or .parquet")
    recordings = table["recording"].tolist()
    keys = [f"{row:07d}-{recording}" for row, recording in enumerate(recordings)]
    if "utterance" in table:
        keys = table["utterance"].tolist()
        if len(set(keys)) < len(keys):
            raise FormatError(f"{path}: an utterance occurs twice; write .npz or .parquet")
    times = zip(keys, recordings, table["start"].tolist(), table["end"].tolist(), strict=True)
    offsets = []
    with atomic_path(ark) as temporary, temporary.open("wb") as file:
        for key, vector in zip(keys, table["vectors"], strict=True):
            offsets.append(file.tell() + len(f"{key} ".encode()))
            data = vector.astype("<f4")
            file.write(f"{key} ".encode() + b"\0BFV \4" + struct.pack("<i", len(data)) + data.tobytes())
    scp = (f"{key} {ark}:{offset}\n" for key, offset in zip(keys, offsets, strict=True))
    write_text("".join(scp), ark.with_suffix(".scp"))
    write_text(
        "".join(f"{key} {name} {start!r} {end!r}\n" for key, name, start, end in times),
        ark.with_suffix(".segments"),
    )
    if "speaker" in table:
        lines = (f"{key} {name}\n" for key, name in zip(keys, table["speaker"].tolist(), strict=True))
        write_text("".join(lines), ark.with_suffix(".utt2spk"))
    else:
        ark.with_suffix(".utt2spk").unlink(missing_ok=True)  # from an older archive of this name


def _ark_vectors(path: Path) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """The keys and vectors of an archive."""
    try:
        with path.open("rb") as file:
            while key := _read_key(file, path):
                yield key, _read_vector(file, path, key)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_key(file: BinaryIO, path: Path) -> str:
    """The characters up to the next blank; an empty text at the end of the file."""
    key = bytearray()
    while (byte := file.read(1)) not in (b" ", b""):
        key += byte
        if len(key) > _LONGEST_KEY:
            raise FormatError(f"{path}: not a Kaldi archive")
    try:
        return normal_name(key.decode())
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not a Kaldi archive") from error


def _scp_vectors(path: Path) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """The keys and vectors that a script file points to as ``<file>:<offset>``; commands are never run."""
    for key, entry in read_scp(path).items():
        name, _, offset = entry.rpartition(":")
        if not (
            offset.isascii() and offset.isdigit() and len(offset) < 19
        ):  # larger numbers are not file offsets
            raise FormatError(f"{path}: {shorten(entry)!r} is not <file>:<offset>")
        try:
            if not Path(name).is_file():  # nothing is waited for
                raise FormatError(f"{path}: {shorten(name, 200)} is no file")
            with Path(name).open("rb") as file:
                file.seek(int(offset))
                yield key, _read_vector(file, path, key)
        except OSError as error:
            reason = error.strerror or "damaged"
            raise FormatError(f"{path}: {shorten(name, 200)} cannot be read ({reason})") from error


def _read_vector(file: BinaryIO, path: Path, key: str) -> NDArray[np.floating]:
    """The binary vector at the file's position: a mark, FV or DV (float, double), 4, length, numbers."""
    mark, size = file.read(5), file.read(1)
    if mark[:2] == b"\0B" and mark[3:] == b"M ":
        raise FormatError(f"{path}: {shorten(key)!r} is a matrix, not a vector")
    length = file.read(4)
    if mark not in _NUMBERS or size != b"\4" or len(length) != 4:
        raise FormatError(f"{path}: {shorten(key)!r} is not a binary Kaldi vector of floats")
    dtype = np.dtype(_NUMBERS[mark])
    n_bytes = struct.unpack("<i", length)[0] * dtype.itemsize
    left = os.fstat(file.fileno()).st_size - file.tell()  # a wrong length could be gigabytes
    data = file.read(n_bytes) if 0 <= n_bytes <= left else b""
    if len(data) != n_bytes:
        raise FormatError(f"{path}: {shorten(key)!r} is cut off")
    return np.frombuffer(data, dtype=dtype)
