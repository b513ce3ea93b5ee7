"""Tables of embeddings as files: NumPy archives and tab-separated text.

A table is a mapping of arrays: ``recording`` (n,) str, ``start`` and ``end`` (n,) float64 in seconds,
``vectors`` (n, dim) float32, and of `OPTIONAL` those that are known, (n,).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.errors import FormatError
from diarize.files.arrays import read_arrays
from diarize.files.atomic import atomic_path
from diarize.files.text import Line, read_lines
from diarize.formats.csv_format import disarm, rearm

Table = Mapping[str, NDArray[Any]]

COLUMNS = ("recording", "start", "end", "vectors")
OPTIONAL = ("speaker", "utterance", "seconds", "confidence")
TEXTS = {"recording", "speaker", "utterance", "name"}
"""The columns of names; the others are numbers."""


def read_npz(path: str | Path) -> Table:
    """A table from a NumPy archive, read without pickle.

    Raises
    ------
    FormatError
        If the file cannot be read or an array is missing.
    """
    return read_arrays(path, (*COLUMNS, *OPTIONAL))


def write_npz(table: Table, path: str | Path) -> None:
    """Write a table as a NumPy archive.

    Raises
    ------
    DiarizeError
        If the file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **table)


def read_tsv(path: str | Path) -> Table:
    """A table from tab-separated text: a header, then recording, start, end, optional columns, v0, v1, ...

    Raises
    ------
    FormatError
        If the file cannot be read, or a line is malformed; the message gives its number.
    """
    header, *lines = read_lines(path)
    names = header.text.split("\t")
    labels = ["recording", "start", "end", *(name for name in OPTIONAL if name in names)]
    dim = len(names) - len(labels)
    if names != [*labels, *(f"v{index}" for index in range(dim))]:
        optional = " ".join(f"[{name},]" for name in OPTIONAL)
        raise header.error(f"the header is not recording, start, end, {optional} v0, v1, ...")
    columns: list[list[Any]] = [[] for _ in labels]
    vectors = []
    for line in lines:
        if not line.text:
            continue
        fields = line.text.split("\t")
        if len(fields) != len(names):
            raise line.error(f"{len(fields)} fields, the header has {len(names)}")
        line.segment(line.seconds(fields[1], "start"), line.seconds(fields[2], "end"))
        for name, field, column in zip(labels, fields, columns, strict=False):
            column.append(rearm(field) if name in TEXTS else _number(line, field, name))
        with np.errstate(over="ignore"):  # numbers beyond float32 are not finite, which is an error
            vectors.append(
                np.array([line.real(each, "number") for each in fields[len(labels) :]], np.float32)
            )
    return {
        name: np.array(column, np.str_ if name in TEXTS else np.float64)
        for name, column in zip(labels, columns, strict=True)
    } | {"vectors": np.array(vectors, np.float32).reshape(len(vectors), dim)}


def _number(line: Line, field: str, name: str) -> float:
    """A number of an optional column; nan if nobody knows it."""
    return math.nan if field == "nan" else line.real(field, f"number of {name}")


def write_tsv(table: Table, path: str | Path) -> None:
    """Write a table as tab-separated text that reads back exactly.

    Raises
    ------
    FormatError
        If a name has tabs or line breaks.
    DiarizeError
        If the file cannot be written.
    """
    write_tsv_of([table], path)


def write_tsv_of(tables: Iterable[Table], path: str | Path) -> None:
    """Write tables of the same columns one after the other as one text. Errors are those of `write_tsv`."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for number, table in enumerate(tables):
            labels = _labels(table, path)
            if not number:
                dim = table["vectors"].shape[1]
                file.write("\t".join([*labels, *(f"v{index}" for index in range(dim))]) + "\n")
            for vector, values in _lines(table, labels):
                file.write(f"{values}\t{vector}\n" if vector else f"{values}\n")


def write_projector(tables: Iterable[Table], folder: str | Path) -> None:
    """Write tables for the embedding projector of TensorBoard: ``vectors.tsv`` and ``metadata.tsv``.

    Raises
    ------
    FormatError
        If a name has tabs or line breaks.
    DiarizeError
        If a file cannot be written.
    """
    vectors, metadata = Path(folder, "vectors.tsv"), Path(folder, "metadata.tsv")
    with (
        atomic_path(vectors) as one,
        atomic_path(metadata) as other,
        one.open("w", encoding="utf-8", newline="\n") as numbers,
        other.open("w", encoding="utf-8", newline="\n") as names,
    ):
        for number, table in enumerate(tables):
            labels = _labels(table, folder)
            if not number:
                names.write("\t".join(labels) + "\n")
            for vector, values in _lines(table, labels):
                numbers.write(f"{vector}\n")
                names.write(f"{values}\n")


def _labels(table: Table, path: str | Path) -> list[str]:
    """The columns but the vectors, after a check of the names."""
    labels = [name for name in ("recording", "start", "end", *OPTIONAL) if name in table]
    for name in set(labels) & TEXTS:
        for value in sorted(set(table[name].tolist())):
            if any(mark in value for mark in "\t\n\r\0"):
                raise FormatError(f"{path}: {name} {value!r} has tabs or line breaks; write .npz or .parquet")
    return labels


def _lines(table: Table, labels: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The vector and the other values of each row, tab-separated."""
    columns = [table[name].tolist() for name in labels]
    columns = [
        [*map(disarm, values)] if name in TEXTS else values
        for name, values in zip(labels, columns, strict=True)
    ]
    for vector, *values in zip(table["vectors"].tolist(), *columns, strict=True):
        # Nine digits identify any float32, str of a Python float any float64.
        yield "\t".join(f"{value:.9g}" for value in vector), "\t".join(map(str, values))
