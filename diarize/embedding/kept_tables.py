"""Tables of recordings that are kept beside the output until all are there, and then become one table."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from diarize.embedding.table import Embeddings, find_table_format
from diarize.errors import DiarizeError
from diarize.files.folders import refuse_outside
from diarize.files.text import write_text
from diarize.formats.parquet_tables import write_parquet_of
from diarize.formats.vector_tables import Table, write_projector, write_tsv_of

STREAMED = {"parquet": write_parquet_of, "tsv": write_tsv_of}
"""Formats that are written without all rows in memory."""


class KeptTables:
    """A folder beside a table, ``x.parquet.parts``, with a table for each recording.

    Parameters
    ----------
    output : path
        The table to write at the end.
    settings : mapping
        Whatever the embeddings depend on, fit for JSON. Tables of an earlier call are used only if it had the
        same settings.
    anew : bool
        Whether to remove those first.

    Raises
    ------
    DiarizeError
        If the folder is of other settings, or cannot be read or written.
    """

    def __init__(self, output: Path, settings: Mapping[str, Any], *, anew: bool = False) -> None:
        self.output = output
        self.folder = output.with_name(output.name + ".parts")
        if anew:
            self.remove()
        head = self.folder / "settings.json"
        refuse_outside([head], output.parent)
        text = json.dumps(settings, indent=1, sort_keys=True, default=str) + "\n"
        try:
            before = head.read_text(encoding="utf-8") if head.exists() else None
        except OSError as error:
            raise DiarizeError(f"{head}: cannot be read ({error.strerror})") from error
        if before is None:
            write_text(text, head)
        elif before != text:
            raise DiarizeError(
                f"{self.folder}: embeddings of a call with other settings that did not end; "
                "delete it, or give --force"
            )

    def __contains__(self, key: str) -> bool:
        """Whether the table of a recording is there, by a text that names it."""
        return self._path(key).exists()

    def __getitem__(self, key: str) -> Embeddings:
        """The table of a recording."""
        return Embeddings.load(self._path(key))

    def __setitem__(self, key: str, table: Embeddings) -> None:
        table.save(self._path(key))

    def finish(self, keys: Sequence[str], projector: Path | None = None) -> None:
        """Write the table with those of recordings in this order, then remove the folder.

        Parquet and TSV are written in bounded memory.

        Raises
        ------
        DiarizeError
            If a file cannot be written.
        """
        _, name = find_table_format(self.output)
        if name in STREAMED:
            STREAMED[name](self._tables(keys), self.output)
        else:
            Embeddings.concatenate([self[key] for key in keys]).save(self.output)
        if projector is not None:
            write_projector(self._tables(keys), projector)
        self.remove()

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _tables(self, keys: Sequence[str]) -> Iterator[Table]:
        return (self[key].columns() for key in keys)

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"
