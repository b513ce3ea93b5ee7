"""Tables of voices as Parquet: an embedding of each person in each recording, the model, and a note.

A table is a mapping of arrays: ``name`` and ``recording`` (n,) str, ``seconds`` (n,) float64, ``vectors``
(n, dim) float32. The metadata of the file hold the model that made the embeddings.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from diarize.errors import FormatError
from diarize.files.text import shorten
from diarize.formats.parquet_tables import parquet_arrays, read_parquet_table, vector_column
from diarize.formats.vector_tables import Table

SUFFIX = ".parquet"
FORMAT, VERSION = "diarize voices", "1"
NOTE = (
    "This file holds biometric data: each row lets a program recognise a person by voice. Keep it only with "
    "the person's consent; `diarize enroll --remove NAME -o FILE` deletes a person."
)


def read_voices(path: str | Path) -> tuple[Table, str]:
    """The table of a file, and the name and fingerprint of the model that made its embeddings.

    Raises
    ------
    FormatError
        If the file cannot be read, is no table of voices, or has another version.
    """
    columns = read_parquet_table(path)
    pairs = (columns.schema.metadata or {}).items()
    metadata = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in pairs}
    if metadata.get("format") != FORMAT or "model" not in metadata:
        raise FormatError(f"{path}: not a table of voices; `diarize enroll` writes one")
    if metadata.get("version") != VERSION:
        raise FormatError(
            f"{path}: version {shorten(metadata.get('version', 'none'))} of a table; only {VERSION} is read"
        )
    return parquet_arrays(columns, ("name", "recording", "seconds"), path), metadata["model"]


def render_voices(table: Table, model: str) -> bytes:
    """A table of voices as the content of a file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: pa.array(table[name].tolist(), pa.string()) for name in ("name", "recording")}
    columns["seconds"] = pa.array(table["seconds"])
    columns["vector"] = vector_column(table["vectors"])
    metadata = {"format": FORMAT, "version": VERSION, "model": model, "note": NOTE}
    file = BytesIO()
    pq.write_table(pa.table(columns, metadata=metadata), file)
    return file.getvalue()
