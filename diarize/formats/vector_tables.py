"""Tables of embeddings as files: NumPy archives, Parquet and tab-separated text.

A table is a mapping of arrays: ``recording`` (n,) str, ``start`` and ``end`` (n,) float64 in seconds,
``vectors`` (n, dim) float32, and ``speaker`` (n,) str if speakers are known.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.errors import FormatError
from diarize.files.atomic import atomic_path
from diarize.files.text import read_lines, write_text

Table = Mapping[str, NDArray[Any]]

COLUMNS = ("recording", "start", "end", "vectors")


def read_npz(path: str | Path) -> Table:
    """A table from a NumPy archive, read without pickle.

    Raises
    ------
    FormatError
        If the file cannot be read or an array is missing.
    """
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in (*COLUMNS, "speaker") if name in archive.files}
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or 'damaged'})") from error
    except (ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        # NumPy returns an array, not a context manager, for .npy, and raises ValueError for pickled objects.
        raise FormatError(f"{path}: not a NumPy archive of plain arrays") from error


def write_npz(table: Table, path: str | Path) -> None:
    """Write a table as a NumPy archive.

    Raises
    ------
    DiarizeError
        If the file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **table)


def read_parquet(path: str | Path) -> Table:
    """A table from a Parquet file whose column ``vector`` is a list of fixed size.

    Raises
    ------
    FormatError
        If the file cannot be read, or a column is missing or of another type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with Path(path).open("rb") as file:
            columns = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
        raise FormatError(f"{path}: not a Parquet file") from error
    found = columns.column_names
    for name in ("recording", "start", "end", "vector"):
        if name not in found:
            raise FormatError(f"{path}: no column {name!r}; found: {', '.join(found)}")
    names = [name for name in ("recording", "start", "end", "speaker", "vector") if name in found]
    for name in names:
        if columns[name].null_count:
            raise FormatError(f"{path}: column {name!r} has {columns[name].null_count} missing values")
    kind = columns.schema.field("vector").type
    if not pa.types.is_fixed_size_list(kind):
        raise FormatError(f"{path}: column 'vector' is {kind}, not a list of floats of fixed size")
    table = {name: columns[name].to_numpy() for name in names if name != "vector"}
    flat = columns["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return {**table, "vectors": flat.reshape(len(columns), kind.list_size)}


def write_parquet(table: Table, path: str | Path) -> None:
    """Write a table as Parquet, with the vectors as one column of lists of fixed size.

    Raises
    ------
    DiarizeError
        If the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    vectors = table["vectors"]
    columns = {
        name: pa.array(table[name].tolist(), pa.string())
        for name in ("recording", "speaker")
        if name in table
    }
    columns |= {name: pa.array(table[name]) for name in ("start", "end")}
    columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def read_tsv(path: str | Path) -> Table:
    """A table from tab-separated text: a header, then rows of recording, start, end, [speaker,] v0, v1, ...

    Raises
    ------
    FormatError
        If the file cannot be read, or a line is malformed; the message gives its number.
    """
    header, *lines = read_lines(path)
    names = header.text.split("\t")
    labels = ["recording", "start", "end", *(["speaker"] if names[3:4] == ["speaker"] else [])]
    dim = len(names) - len(labels)
    if names != [*labels, *(f"v{index}" for index in range(dim))]:
        raise header.error("the header is not recording, start, end, [speaker,] v0, v1, ...")
    rows = [(line, line.text.split("\t")) for line in lines if line.text]
    vectors = np.empty((len(rows), dim), dtype=np.float32)
    for index, (line, fields) in enumerate(rows):
        if len(fields) != len(names):
            raise line.error(f"{len(fields)} fields, the header has {len(names)}")
        line.segment(line.seconds(fields[1], "start"), line.seconds(fields[2], "end"))
        vectors[index] = [line.real(field, "number") for field in fields[len(labels) :]]
    return {
        name: np.array(
            [fields[column] for _, fields in rows], dtype=np.str_ if name in _NAMES else np.float64
        )
        for column, name in enumerate(labels)
    } | {"vectors": vectors}


def write_tsv(table: Table, path: str | Path) -> None:
    """Write a table as tab-separated text that reads back exactly.

    Raises
    ------
    FormatError
        If a name has tabs or line breaks.
    DiarizeError
        If the file cannot be written.
    """
    labels = [name for name in ("recording", "start", "end", "speaker") if name in table]
    for name in set(labels) & _NAMES:
        for value in sorted(set(table[name].tolist())):
            if any(mark in value for mark in "\t\n\r\0"):
                raise FormatError(f"{path}: {name} {value!r} has tabs or line breaks; write .npz or .parquet")
    dim = table["vectors"].shape[1]
    lines = ["\t".join([*labels, *(f"v{index}" for index in range(dim))])]
    for vector, *values in zip(
        table["vectors"].tolist(), *(table[name].tolist() for name in labels), strict=True
    ):
        # Nine digits identify any float32, str of a Python float any float64.
        lines.append("\t".join([*map(str, values), *(f"{value:.9g}" for value in vector)]))
    write_text("\n".join(lines) + "\n", path)


_NAMES = {"recording", "speaker"}
