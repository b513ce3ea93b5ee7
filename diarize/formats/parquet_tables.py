"""Tables of embeddings as Parquet. What a table is, says ``vector_tables.py``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diarize.errors import FormatError
from diarize.files.arrays import refuse_bomb
from diarize.files.atomic import atomic_path
from diarize.files.text import shorten
from diarize.formats.vector_tables import OPTIONAL, TEXTS, Table

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_A_GROUP = 50_000
"""Rows of a row group of Parquet, about; so many are in memory when tables are written one by one."""


def read_parquet(path: str | Path) -> Table:
    """A table from a Parquet file whose column ``vector`` is a list of fixed size.

    Raises
    ------
    FormatError
        If the file cannot be read, or a column is missing or of another type.
    """
    columns = read_parquet_table(path)
    names = ["recording", "start", "end", *(name for name in OPTIONAL if name in columns.column_names)]
    return parquet_arrays(columns, names, path)


def read_parquet_table(path: str | Path) -> pa.Table:
    """The columns of a Parquet file.

    Raises
    ------
    FormatError
        If the file cannot be read.
    """
    import pyarrow.parquet as pq

    try:
        with Path(path).open("rb") as file:
            opened = pq.ParquetFile(file)
            opened.scan_contents()  # damaged statistics are an error here; in column(), they end the process
            groups = map(opened.metadata.row_group, range(opened.metadata.num_row_groups))
            refuse_bomb(path, 4 * sum(g.column(i).num_values for g in groups for i in range(g.num_columns)))
            return opened.read()
    except FormatError:
        raise
    except Exception as error:  # also UnicodeDecodeError, for names of columns
        if isinstance(error, OSError) and error.strerror:
            raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
        raise FormatError(f"{path}: not a Parquet file") from error


def parquet_arrays(columns: pa.Table, names: Sequence[str], path: str | Path) -> Table:
    """The named columns as arrays (n,) of text or numbers, and the column ``vector`` as ``vectors`` (n, dim).

    Raises
    ------
    FormatError
        If a column is missing, has missing values or another type.
    """
    import pyarrow as pa

    found = columns.column_names
    for name in (*names, "vector"):
        if found.count(name) != 1:
            what = f"two columns {name!r}" if name in found else f"no column {name!r}"
            raise FormatError(f"{path}: {what}; found: {shorten(', '.join(found), 200)}")
        if columns[name].null_count:
            raise FormatError(f"{path}: column {name!r} has {columns[name].null_count} missing values")
    arrays: dict[str, NDArray[Any]] = {}
    for name in names:
        what = "text" if name in TEXTS else "numbers"
        try:
            arrays[name] = columns[name].cast(pa.string() if name in TEXTS else pa.float64()).to_numpy()
        except (pa.ArrowException, ValueError) as error:
            raise FormatError(f"{path}: column {name!r} is {_kind(columns, name)}, not {what}") from error
    kind = columns.schema.field("vector").type
    if not (pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type)):
        raise FormatError(
            f"{path}: column 'vector' is {_kind(columns, 'vector')}, not a list of floats of fixed size"
        )
    numbers = columns["vector"].combine_chunks().flatten()
    if numbers.null_count:
        raise FormatError(f"{path}: column 'vector' has {numbers.null_count} missing numbers")
    flat = numbers.to_numpy(zero_copy_only=False)
    return {**arrays, "vectors": flat.reshape(len(columns), kind.list_size)}


def _kind(columns: pa.Table, name: str) -> str:
    return shorten(str(columns.schema.field(name).type))


def vector_column(vectors: NDArray[np.float32]) -> pa.Array:
    """An array (n, dim) as a column of lists of fixed size."""
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def write_parquet(table: Table, path: str | Path) -> None:
    """Write a table as Parquet, with the vectors as one column of lists of fixed size.

    Raises
    ------
    DiarizeError
        If the file cannot be written.
    """
    write_parquet_of([table], path)


def write_parquet_of(tables: Iterable[Table], path: str | Path) -> None:
    """Write tables of the same columns one after the other as one Parquet file, in bounded memory.

    Raises
    ------
    DiarizeError
        If the file cannot be written.
    ValueError
        If there are no tables.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer, held, n_rows = None, [], 0
    with atomic_path(path) as temporary:
        try:
            for table in tables:
                held.append(_arrow(table))
                n_rows += len(held[-1])
                writer = writer or pq.ParquetWriter(temporary, held[0].schema)
                if n_rows >= ROWS_A_GROUP:
                    writer.write_table(pa.concat_tables(held), row_group_size=2 * ROWS_A_GROUP)
                    held, n_rows = [], 0
            if writer is None:
                raise ValueError("no tables to write")
            if held:
                writer.write_table(pa.concat_tables(held), row_group_size=2 * ROWS_A_GROUP)
        finally:
            if writer is not None:
                writer.close()


def _arrow(table: Table) -> Any:
    """A table as one of Arrow."""
    import pyarrow as pa

    columns = {
        name: pa.array(table[name].tolist(), pa.string()) if name in TEXTS else pa.array(table[name])
        for name in ("recording", *OPTIONAL, "start", "end")
        if name in table
    }
    columns["vector"] = vector_column(table["vectors"])
    return pa.table(columns)
