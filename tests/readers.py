"""Every reader of text and model files, with inputs that it reads."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from reader_seeds import ARK, CTM, DATA, JSON, KALDI, ONNX_TOML, RTTM, SEGMENTS, SRT, STM, TOML, TURNS, VTT
from safetensors.numpy import save
from torch import nn

from diarize.config import load_config
from diarize.embedding.onnx import OnnxNetwork, read_config
from diarize.embedding.table import Embeddings
from diarize.errors import DiarizeError, FormatError
from diarize.formats import FORMATS, read_rttm_speech, read_turns, read_uem, render_turns
from diarize.formats.kaldi import read_data_folder
from diarize.networks.weights import load_weights
from diarize.report.results import read_results
from diarize.speakers.model_arrays import load_arrays
from diarize.speakers.voice_table import VoiceTable
from diarize.words.readers import read_words

ARRAYS = [
    *(pa.array(["a", "b"]), pa.array([1.5, 2.5]), pa.array([[1.0, 2.0]] * 2, pa.list_(pa.float32(), 2))),
    *(
        pa.array([0.0, 0.5]),
        pa.array(["a", None]),
        pa.array(["", "\0"]),
        pa.array([b"a", b"\xff"]),
        pa.nulls(2),
    ),
    *(pa.array(["a", "b"]).dictionary_encode(), pa.array(["a", "b"], pa.large_string())),
    pa.Array.from_buffers(pa.string(), 2, pa.array([b"a", b"\xff"]).buffers()),  # a text that is not UTF-8
    *(pa.array(np.array([1, 0]).astype(kind)) for kind in (np.float32, np.int64, np.uint8, np.float16)),
    *(
        pa.array([1, 2], kind)
        for kind in (pa.decimal128(5), pa.timestamp("s"), pa.duration("s"), pa.time64("us"))
    ),
    *(pa.array(numbers) for numbers in ([True, False], [np.nan, 1.0], [-1.0, 1e300], [np.inf, 1.0])),
    *(
        pa.FixedSizeListArray.from_arrays(np.array([1, 2, 1, 2]).astype(kind), 2)
        for kind in (np.float64, np.int8, np.float16)
    ),
    *(pa.array([[1.0, value]] * 2, pa.list_(pa.float32(), 2)) for value in (None, np.nan, np.inf)),
    *(pa.array([["a", "b"]] * 2, pa.list_(pa.string(), 2)), pa.array([[]] * 2, pa.list_(pa.float32(), 0))),
    *(
        pa.array([[1.0], []]),
        pa.array([{"x": 1}] * 2),
        pa.array([[True, False]] * 2, pa.list_(pa.bool_(), 2)),
    ),
]
"""Columns of a Parquet file, of which a byte of the input chooses one."""
BACK_END = {"projection": "dn", "spread": "n"}


@dataclass(frozen=True)
class Reader:
    """A reader, and inputs that it reads. `wrap` makes the content of a file of an input."""

    suffix: str
    read: Callable[[Path], object]
    seeds: Callable[[], list[bytes]]
    wrap: Callable[[bytes], bytes] = bytes


def check(reader: Reader, content: bytes, folder: Path) -> str | None:
    """What the reader says about an input: one line, or None for a result. Anything else is raised.

    Raises
    ------
    AssertionError
        If the line is several, very long, or does not name the file.
    """
    path = folder / f"input{reader.suffix}"
    path.write_bytes(reader.wrap(content))
    try:
        reader.read(path)
    except DiarizeError as error:
        line = str(error)
        assert "\n" not in line, f"several lines: {line!r:.300}"
        assert len(line) < 500 + 2 * len(str(path)), f"a long line: {line!r:.300}"
        assert str(path.with_suffix("")) in line, f"a line that does not name the file: {line!r:.300}"
        return line
    return None


def _turns(path: Path) -> None:
    """Read turns, and write them in every format that can hold them."""
    turns = read_turns(path)
    for name in FORMATS:
        try:
            text = render_turns(turns, name, "input")
        except FormatError:
            continue
        text.encode()


def _kaldi(path: Path) -> None:
    """A data folder from parts that begin with =NAME."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="input") as folder:
        for part in path.read_bytes().split(b"\n="):
            name, _, text = part.removeprefix(b"=").partition(b"\n")
            if name.decode("utf-8", "replace") in (
                "wav.scp",
                "segments",
                "utt2spk",
                "spk2utt",
                "reco2num_spk",
            ):
                Path(folder, name.decode()).write_bytes(text + b"\n")
        read_data_folder(folder)


def _beside(suffix: str, content: bytes) -> Callable[[Path], object]:
    """A reader of tables of embeddings with another file beside it."""

    def read(path: Path) -> None:
        path.with_suffix(suffix).write_bytes(content)
        is_table = path.suffix in (".ark", ".scp")
        Embeddings.load(path if is_table else path.with_suffix(suffix))

    return read


def _scp(path: Path) -> None:
    """Read an scp whose archive is beside it, as x.ark."""
    path.with_name("x.ark").write_bytes(ARK)
    path.with_suffix(".segments").write_bytes(SEGMENTS)
    path.write_bytes(path.read_bytes().replace(b"x.ark", str(path.with_name("x.ark")).encode()))
    Embeddings.load(path)


def _onnx(path: Path) -> None:
    path.with_suffix(".toml").write_bytes(ONNX_TOML)
    OnnxNetwork(path)


def _onnx_settings(path: Path) -> None:
    path.with_suffix(".onnx").touch()
    read_config(path.with_suffix(".onnx"))


def _npz(content: bytes) -> bytes:
    """An archive of a table of which the input is one array; its first byte chooses which."""
    arrays = {
        "recording": np.array(["a", "b"]),
        "start": np.zeros(2),
        "end": np.ones(2),
        "vectors": np.ones((2, 3)),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for index, (name, array) in enumerate(arrays.items()):
            chosen = bool(content) and content[0] % 4 == index
            archive.writestr(f"{name}.npy", content[1:] if chosen else _npy(array))
    return file.getvalue()


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _parquet(*names: str) -> Callable[[bytes], bytes]:
    """A Parquet file: a byte of the input for each column, the rest is the metadata."""

    def wrap(content: bytes) -> bytes:
        columns = {}
        for name, byte in zip(names, content, strict=False):
            if byte < 8 * len(ARRAYS):
                columns[name] = ARRAYS[byte % len(ARRAYS)]
        pairs = content[len(names) :].split(b"\n")
        metadata = dict(pair.split(b"=", 1) for pair in pairs if b"=" in pair)
        file = io.BytesIO()
        pq.write_table(pa.table(columns, metadata=metadata), file)
        return file.getvalue()

    return wrap


def _safetensors(content: bytes) -> bytes:
    """A file of which the input is the header, and after a NUL the numbers."""
    header, _, numbers = content.partition(b"\0")
    return struct.pack("<Q", len(header)) + header + numbers


def _unwrapped(content: bytes) -> bytes:
    size = struct.unpack("<Q", content[:8])[0]
    return content[8 : 8 + size] + b"\0" + content[8 + size :]


def _weights() -> bytes:
    return save({"weight": np.ones((3, 4), "f4"), "bias": np.ones(3, "f4")})


def _back_end() -> bytes:
    return save({"projection": np.ones((3, 2), "f4"), "spread": np.ones(2, "f4")}, {"weights": "x"})


def _table(suffix: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"a{suffix}")
            names = np.array(["a", "b"])
            Embeddings(names, np.zeros(2), np.ones(2), np.ones((2, 3), np.float32), speaker=names).save(path)
            return [path.read_bytes()]

    return seeds


@cache
def _graph() -> bytes:
    from small_onnx import write_graph

    with tempfile.TemporaryDirectory() as folder:
        return write_graph(Path(folder, "a.onnx")).read_bytes()


def _seeds(*contents: bytes, suffix: str = "") -> Callable[[], list[bytes]]:
    """Inputs, and the files of tests/data with this suffix."""
    return lambda: [*contents, *(path.read_bytes() for path in sorted(DATA.glob(f"*{suffix}")) if suffix)]


def _written(name: str, *more: bytes) -> Reader:
    """The reader of a format of turns; seeds are what is written, and files of tests/data."""
    suffix = FORMATS[name].suffix
    text = render_turns(TURNS, name, "a").encode()
    return Reader(suffix, _turns, _seeds(text, *more, suffix=suffix))


TIMES = ("recording", "start", "end", "vector", "speaker", "utterance", "seconds", "confidence")
VOICES = b"format=diarize voices\nversion=1\nmodel=resnet 0123"
READERS = {
    "RTTM": _written("rttm", RTTM),
    "RTTM as speech": Reader(".rttm", read_rttm_speech, _seeds(RTTM, suffix=".rttm")),
    "UEM": Reader(".uem", read_uem, _seeds(b";; x\na 1 0 1.5\nb NA 2 3e2\n", suffix=".uem")),
    "lab": _written("lab", b"0 0.5 sil\n0.5 2 Ann\n"),
    "STM": Reader(".stm", _turns, _seeds(STM)),
    "CTM": Reader(".ctm", _turns, _seeds(CTM)),
    "TextGrid": _written("textgrid"),
    "EAF": _written("eaf"),
    "SRT": _written("srt", SRT),
    "VTT": _written("vtt", VTT),
    "Audacity": _written("audacity", b"0.5\t1.25\tAnn\n\\\t100\t8000\n"),
    "CSV": _written("csv", b'end,note,speaker,recording,start\r\n2.5,"a, ""b""",\'=x,a,1\r\n'),
    "JSON, SegLST": _written("json", *JSON),
    "results of `report`": Reader(".json", read_results, _seeds(*JSON)),
    "transcript, JSON": Reader(".json", read_words, _seeds(*JSON)),
    "transcript, SRT": Reader(".srt", read_words, _seeds(SRT)),
    "transcript, VTT": Reader(".vtt", read_words, _seeds(VTT)),
    "transcript, CTM": Reader(".ctm", read_words, _seeds(CTM)),
    "settings, TOML": Reader(".toml", load_config, _seeds(TOML)),
    "settings of ONNX": Reader(".toml", _onnx_settings, _seeds(ONNX_TOML)),
    "data folder": Reader(".kaldi", _kaldi, _seeds(KALDI)),
    "embeddings, TSV": Reader(".tsv", Embeddings.load, _table(".tsv")),
    "embeddings, npz": Reader(".npz", Embeddings.load, _table(".npz")),
    "embeddings, npz, one array": Reader(
        ".npz",
        Embeddings.load,
        lambda: [b"\0" + _npy(np.array(["a", "b"])), b"\3" + _npy(np.ones((2, 3)))],
        _npz,
    ),
    "embeddings, Parquet": Reader(".parquet", Embeddings.load, _table(".parquet")),
    "embeddings, Parquet, columns": Reader(
        ".parquet", Embeddings.load, lambda: [bytes([0, 3, 1, 2, 0, 0, 1, 1])], _parquet(*TIMES)
    ),
    "voices, Parquet, columns": Reader(
        *(".parquet", VoiceTable.load, lambda: [bytes([0, 0, 1, 2]) + VOICES]),
        _parquet("name", "recording", "seconds", "vector"),
    ),
    "ark": Reader(".ark", _beside(".segments", SEGMENTS), _seeds(ARK)),
    "segments of ark": Reader(".segments", _beside(".ark", ARK), _seeds(SEGMENTS)),
    "scp": Reader(".scp", _scp, _seeds(b"x-a x.ark:4\ny-a x.ark:26\n")),
    "safetensors": Reader(
        ".safetensors", lambda path: load_weights(nn.Linear(4, 3), path), lambda: [_weights()]
    ),
    "safetensors, header": Reader(
        *(".safetensors", lambda path: load_weights(nn.Linear(4, 3), path), lambda: [_unwrapped(_weights())]),
        _safetensors,
    ),
    "back end, header": Reader(
        *(".safetensors", lambda path: load_arrays(path, BACK_END, "x", "back end")),
        *(lambda: [_unwrapped(_back_end())], _safetensors),
    ),
    "ONNX": Reader(".onnx", _onnx, lambda: [_graph()]),
}
