"""`Embeddings`, a table of embeddings with their recordings and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diarize.errors import FormatError
from diarize.files.text import shorten
from diarize.segments import Segment

_FILES = {
    ".npz": ("vector_tables", "npz"),
    ".parquet": ("parquet_tables", "parquet"),
    ".tsv": ("vector_tables", "tsv"),
    ".ark": ("ark", "ark"),
    ".scp": ("ark", "ark"),
}


OPTIONAL: dict[str, type] = {
    "speaker": np.str_,
    "utterance": np.str_,
    "seconds": np.float64,
    "confidence": np.float64,
}
"""The columns that a table may have."""


@dataclass(frozen=True, eq=False)
class Embeddings:
    """A table with a row for each segment: recording, times, embedding and, if known, speaker and more.

    The table copies the given arrays.

    Parameters
    ----------
    recording : (n,) array of str
    start, end : (n,) array
        Seconds, ``0 <= start < end``; kept as float64.
    vectors : (n, dim) array
        The embeddings; finite, kept as float32.
    speaker : (n,) array of str, optional
    utterance : (n,) array of str, optional
        Ids.
    seconds : (n,) array, optional
        Seconds of clean speech that an embedding is made from, without overlapping speech.
    confidence : (n,) array, optional
        The probability that a turn is its speaker's.

    Raises
    ------
    ValueError
        If lengths differ, a time is impossible, or a vector is not finite.

    Examples
    --------
    >>> table = Embeddings(["a", "a"], [0, 1], [1, 2], [[1, 0], [0, 1]], speaker=["Ann", "Bob"])
    >>> len(table), table.dim
    (2, 2)
    """

    recording: NDArray[np.str_]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    vectors: NDArray[np.float32]
    speaker: NDArray[np.str_] | None = None
    utterance: NDArray[np.str_] | None = None
    seconds: NDArray[np.float64] | None = None
    confidence: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name, dtype in (("recording", np.str_), ("start", np.float64), ("end", np.float64)):
            self._set(name, dtype)
        self._set("vectors", np.float32)
        for name in self.optional:
            self._set(name, OPTIONAL[name])
        if self.vectors.ndim != 2:
            raise ValueError(f"vectors need the shape (n, dim), got {self.vectors.shape}")
        for name in ("recording", "start", "end", *self.optional):
            column = getattr(self, name)
            if column.shape != (len(self),):
                raise ValueError(f"{name} has the shape {column.shape}, expected ({len(self)},)")
        possible = (self.start >= 0) & (self.start < self.end) & (self.end < np.inf)
        if not possible.all():
            row = int(np.argmin(possible))
            raise ValueError(f"row {row} needs 0 <= start < end, got {self.start[row]} and {self.end[row]}")
        finite = np.isfinite(self.vectors).all(axis=1)
        if not finite.all():
            raise ValueError(f"the vector of row {int(np.argmin(finite))} is not finite")

    def __len__(self) -> int:
        return int(self.vectors.shape[0])

    def __getitem__(self, rows: slice | ArrayLike) -> Embeddings:
        """A table of the rows of a slice, a mask or an array of indices."""
        index = rows if isinstance(rows, slice) else _as_index(rows)
        return Embeddings(**{name: column[index] for name, column in self.columns().items()})

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        return int(self.vectors.shape[1])

    @property
    def optional(self) -> list[str]:
        """The names of the optional columns that the table has."""
        return [name for name in OPTIONAL if getattr(self, name) is not None]

    def columns(self) -> dict[str, NDArray[Any]]:
        """All columns by name."""
        return {
            name: getattr(self, name) for name in ("recording", "start", "end", "vectors", *self.optional)
        }

    def segments(self) -> list[Segment]:
        """The segment of each row."""
        return [
            Segment(start, end) for start, end in zip(self.start.tolist(), self.end.tolist(), strict=True)
        ]

    @classmethod
    def concatenate(cls, tables: Sequence[Embeddings]) -> Embeddings:
        """A table with the rows of several tables, one table after the other.

        Raises
        ------
        ValueError
            If there are no tables, they differ in dim, or only some of them have speakers.
        """
        if not tables:
            raise ValueError("no tables to concatenate")
        if len(dims := {table.dim for table in tables}) > 1:
            raise ValueError(f"tables differ in dim: {sorted(dims)}")
        for name in OPTIONAL:
            n = sum(name in table.optional for table in tables)
            if n not in (0, len(tables)):
                raise ValueError(f"{n} of {len(tables)} tables have the column {name}; all or none must")
        names = tables[0].columns()
        return cls(**{name: np.concatenate([getattr(table, name) for table in tables]) for name in names})

    def save(self, path: str | Path) -> None:
        """Write the table in the format of the suffix: .npz, .parquet, .tsv, or .ark with its .scp.

        Raises
        ------
        FormatError
            If the suffix is unknown, or the format cannot hold a name.
        DiarizeError
            If the file cannot be written.
        """
        module, name = find_table_format(path)
        getattr(import_module(f"diarize.formats.{module}"), f"write_{name}")(self.columns(), path)

    @classmethod
    def load(cls, path: str | Path) -> Embeddings:
        """The table of a file, in the format of its suffix: .npz, .parquet, .tsv, .ark or .scp.

        Raises
        ------
        FormatError
            If the suffix is unknown, or the file cannot be read or holds no table of embeddings.
        """
        module, name = find_table_format(path)
        table = getattr(import_module(f"diarize.formats.{module}"), f"read_{name}")(path)
        if missing := {"recording", "start", "end", "vectors"} - set(table):
            raise FormatError(
                f"{path}: no array {sorted(missing)[0]!r}; it needs recording, start, end, vectors"
            )
        try:
            return cls(**table)
        except (ValueError, TypeError) as error:
            raise FormatError(f"{path}: {shorten(str(error), 200)}") from error

    def _set(self, name: str, dtype: type) -> None:
        with np.errstate(over="ignore"):  # numbers beyond float32 are not finite, which is an error
            column: NDArray[Any] = np.array(getattr(self, name), dtype=dtype)
        object.__setattr__(self, name, column)  # the dataclass is frozen


def _as_index(rows: ArrayLike) -> NDArray[np.intp] | NDArray[np.bool_]:
    index = np.asarray(rows)
    if index.ndim != 1:
        raise TypeError(f"rows are chosen by a slice, a mask or an array of indices, got {rows!r}")
    return index.astype(np.intp) if index.size == 0 else index


def find_table_format(path: str | Path) -> tuple[str, str]:
    """The module and the name of a table's format, by its suffix.

    Raises
    ------
    FormatError
        If the suffix is unknown; the message lists the known ones.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in _FILES:
        raise FormatError(f"{path}: no format has the suffix {suffix!r}; known: {', '.join(_FILES)}")
    return _FILES[suffix.lower()]


def table_paths(path: str | Path) -> list[Path]:
    """The files that `Embeddings.save` writes, or removes because they would not agree: four for an archive.

    Raises
    ------
    FormatError
        If the suffix is unknown; the message lists the known ones.
    """
    if find_table_format(path)[0] == "ark":
        return [Path(path).with_suffix(suffix) for suffix in (".ark", ".scp", ".segments", ".utt2spk")]
    return [Path(path)]


def make_table(
    recording: str,
    spans: Sequence[Segment],
    vectors: NDArray[np.float32],
    speaker: ArrayLike | None = None,
    **columns: ArrayLike,
) -> Embeddings:
    """The table of segments (n,) of one recording and their embeddings (n, dim), with some of `OPTIONAL`."""
    return Embeddings(
        recording=np.full(len(spans), recording),
        start=np.array([span.start for span in spans], dtype=np.float64),
        end=np.array([span.end for span in spans], dtype=np.float64),
        vectors=vectors,
        speaker=None if speaker is None else np.array(speaker, np.str_),
        **{name: np.array(column, OPTIONAL[name]) for name, column in columns.items()},
    )
