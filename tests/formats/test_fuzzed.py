"""Readers of text and model files: seeds are read, and inputs that a fuzzer found are one line of error."""

import json
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from onnx import TensorProto, helper, save
from reader_seeds import DATA, ONNX_TOML, TOML
from readers import ARRAYS, READERS, TIMES, VOICES, check
from recording_readers import RECORDINGS
from safetensors.torch import save as save_tensors

from diarize.clustering.learned import load_network
from diarize.embedding.onnx import OnnxNetwork
from diarize.embedding.table import Embeddings
from diarize.errors import FormatError, ModelError
from diarize.speakers.voice_table import VoiceTable

LONG = b"x\x01" * 1000
KNOWN = READERS | RECORDINGS
SEEDS = [(name, number) for name, reader in KNOWN.items() for number in range(len(reader.seeds()))]


def header(tensors: dict[str, torch.Tensor], **about: str) -> bytes:
    content = save_tensors(tensors, about)
    size = struct.unpack("<Q", content[:8])[0]
    return content[8 : 8 + size] + b"\0" + content[8 + size :]


def columns(reader: str, **chosen: int) -> tuple[str, bytes]:
    """An input of Parquet with these columns instead of the right ones."""
    right = {"recording": 0, "start": 3, "end": 1, "vector": 2, "speaker": 0, "utterance": 0}
    names = TIMES if reader.startswith("emb") else ("name", "recording", "seconds", "vector")
    right |= {"seconds": 1, "confidence": 1, "name": 0}
    return reader, bytes((right | chosen)[name] for name in names) + VOICES


FOUND = {
    "a long type of line": ("RTTM", b"S" + LONG + b" a 1 5 4 <NA> <NA> A"),
    "a long duration": ("RTTM", b"SPEAKER a 1 5 -" + b"0" * 3000 + b"1 <NA> <NA> A"),
    "long columns": ("CSV", LONG + b",x\n"),
    "a long key that is not sorted": ("data folder", b"=wav.scp\n" + LONG + b" a\nA b\n"),
    "a long key twice": ("data folder", b"=wav.scp\n" + LONG + b" a\n" + LONG + b" b\n"),
    "a long recording": ("data folder", b"=wav.scp\na a.wav\n=segments\nu " + LONG + b" 0 1\n"),
    "a long key of ark": ("segments of ark", LONG + b" a 0 1\n"),
    "a long slot": ("EAF", READERS["EAF"].seeds()[0].replace(b'"500"', b'"x"').replace(b"ts1", LONG[::2])),
    "a table with a line break": ("settings, TOML", b'["a\\nb"]\nx = 1\n'),
    "a setting with a line break": ("settings, TOML", TOML + b'[segments]\n"a\\nb" = 1\n'),
    "a long setting": ("settings, TOML", b"[speech]\n" + b"x" * 3000 + b" = 1\n"),
    "a table with a line break beside ONNX": ("settings of ONNX", ONNX_TOML + b'["a\\nb"]\nx = 1\n'),
    "recordings with line breaks": (
        "transcript, JSON",
        json.dumps([{"session_id": f"a\n{i}", "start_time": 0, "end_time": 1, "words": "x"} for i in (1, 2)]),
    ),
    "tensors of bfloat16": (
        "back end, header",
        header({name: torch.ones(2, 2, dtype=torch.bfloat16) for name in ("projection", "spread")}),
    ),
    "tensors of float8": (
        "back end, header",
        header({name: torch.ones(2, 2).to(torch.float8_e4m3fn) for name in ("projection", "spread")}),
    ),
    "a projection of other sizes": (
        "back end, header",
        header({"projection": torch.ones(3, 2), "spread": torch.ones(3)}, weights="x"),
    ),
    "a spread that is not finite": (
        "back end, header",
        header({"projection": torch.ones(3, 2), "spread": torch.full((2,), torch.nan)}, weights="x"),
    ),
    "complex weights": (
        "safetensors, header",
        header({"weight": torch.ones(3, 4, dtype=torch.complex64), "bias": torch.ones(3)}),
    ),
    "a long name of a weight": (
        "safetensors, header",
        header({"weight": torch.ones(3, 4), "bias": torch.ones(3), "a\n" + "x" * 3000: torch.ones(1)}),
    ),
    "an array with a damaged header": (
        "embeddings, npz, one array",
        b"\0\x93NUMPY\1\0v\0{'descr': '<U1', 'fortran_order': False, 'shape': (2,), }".ljust(66)
        + b", 'shape': (2,), }".ljust(62)
        + b"\na\0\0\0b\0\0\0",
    ),
    "an array without a header": ("embeddings, npz, one array", b"\1" + LONG),
    "statistics that end the process": (
        "embeddings, Parquet",
        (DATA / "damaged_statistics.parquet").read_bytes(),
    ),
    "a confidence that is no number": ("embeddings, TSV", b"recording\tstart\tend\tconfidence\na\t0\t1\tx\n"),
    "seconds with an underscore": ("embeddings, TSV", b"recording\tstart\tend\tseconds\na\t0\t1\t1_0\n"),
    "a number beyond float32": ("embeddings, TSV", b"recording\tstart\tend\tv0\na\t0\t1\t1e300\n"),
    "a wide header over many short lines": (
        "embeddings, TSV",
        "\t".join(["recording\tstart\tend", *(f"v{index}" for index in range(400_000))]) + "\nx" * 100_000,
    ),
    "a double beyond float32": (
        "ark",
        b"x-a \0BDV \4" + struct.pack("<id", 1, 1e300) + b"y-a \0BDV \4" + struct.pack("<id", 1, 1e300),
    ),
    "a key of ark twice": ("ark", 2 * READERS["ark"].seeds()[0]),
    "a segment of ark twice": ("segments of ark", 2 * READERS["segments of ark"].seeds()[0]),
    "a long file name": ("scp", b"x-a " + b"n" * 3000 + b":4\n"),
    "a long path": ("scp", b"x-a " + b"n/" * 1500 + b":4\n"),
    "a column whose name is not UTF-8": (
        "embeddings, Parquet",
        READERS["embeddings, Parquet"].seeds()[0].replace(b"speaker", b"speake\xff"),
    ),
    "an spk2utt without lines": (
        "data folder",
        READERS["data folder"].seeds()[0].replace(b"=spk2utt\nA u1\nB u2", b"=spk2utt"),
    ),
    "metadata that are not UTF-8": ("voices, Parquet, columns", bytes([0, 0, 1, 2]) + b"format=\xed\xa0\x80"),
}
"""An input for each mechanism that was mended, by what it is."""
FOUND |= {
    f"{reader.split(',')[0]}: {name} is {ARRAYS[number].type}, {number}": columns(reader, **{name: number})
    for reader, names in (
        ("embeddings, Parquet, columns", ("recording", "start", "vector", "speaker", "confidence")),
        ("voices, Parquet, columns", ("name", "seconds", "vector")),
    )
    for name in names
    for number in (
        4,
        10,
        26,
        29,
        32,
    )  # missing, not UTF-8, a missing number, lists of text, structs
}


@pytest.mark.parametrize(("name", "number"), SEEDS)
def test_seeds_are_read(name, number, tmp_path):
    reader = KNOWN[name]
    said = check(reader, reader.seeds()[number], tmp_path)
    is_other_json = name.startswith(("JSON", "results", "transcript, JSON")) and said is not None
    assert said is None or is_other_json, said


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_one_line(name, tmp_path):
    reader, content = FOUND[name]
    content = content.encode() if isinstance(content, str) else content
    assert check(READERS[reader], content, tmp_path) is not None


@pytest.mark.parametrize("number", [8, 9])
def test_text_in_other_types_of_parquet_is_read(number, tmp_path):
    """Categories and large strings, as pandas and Polars write them."""
    assert (
        check(
            READERS["voices, Parquet, columns"], columns("voices, Parquet, columns", name=number)[1], tmp_path
        )
        is None
    )


@pytest.mark.parametrize("kind", ["text", "scalar", "list"])
def test_an_onnx_output_that_is_no_tensor_of_floats_is_one_line(kind, tmp_path):
    given = helper.make_tensor_value_info(
        "feats", TensorProto.FLOAT, [] if kind == "scalar" else ["B", "T", 20]
    )
    if kind == "text":
        node = helper.make_node("Cast", ["feats"], ["embs"], to=TensorProto.STRING)
        made = helper.make_tensor_value_info("embs", TensorProto.STRING, None)
    elif kind == "list":
        node = helper.make_node("SequenceConstruct", ["feats"], ["embs"])
        made = helper.make_tensor_sequence_value_info("embs", TensorProto.FLOAT, None)
    else:
        node = helper.make_node("Identity", ["feats"], ["embs"])
        made = helper.make_tensor_value_info("embs", TensorProto.FLOAT, [])
    graph = helper.make_graph([node], "g", [given], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    save(model, tmp_path / "a.onnx")
    (tmp_path / "a.toml").write_bytes(ONNX_TOML)
    with pytest.raises(ModelError, match=r"no tensor of floats|the graph fails|has the shape"):
        OnnxNetwork(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"seeds": torch.ones(2, 2)}, r"weights do not fit config.toml \('entry.weight'\)"),
        ({"seeds": torch.ones(2, 2), "entry.weight": torch.ones(3)}, "weights do not fit"),
    ],
)
def test_a_damaged_network_of_attractors_is_one_line(weights, message, tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(save_tensors(weights))
    (tmp_path / "config.toml").write_text('[network]\nfamily = "attractors"\n')
    with pytest.raises(ModelError, match=message):
        load_network(tmp_path)


@pytest.mark.parametrize(("suffix", "load"), [(".npz", Embeddings.load), (".parquet", VoiceTable.load)])
@pytest.mark.filterwarnings("error")
def test_doubles_beyond_float32_are_one_line(suffix, load, tmp_path):
    path = tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez(path, recording=np.array(["a"]), start=[0.0], end=[1.0], vectors=[[1e300]])
    else:
        vector = pa.array([[1e300, 1.0]], pa.list_(pa.float64(), 2))
        about = dict(pair.split(b"=") for pair in VOICES.split(b"\n"))
        names = {"name": ["a"], "recording": ["a"], "seconds": [1.0]}
        pq.write_table(pa.table(names | {"vector": vector}, metadata=about), path)
    with pytest.raises(FormatError, match="not finite"):
        load(path)


def test_a_column_of_parquet_that_occurs_twice_is_one_line(tmp_path):
    table = pa.table(
        [pa.array(["a"]), pa.array(["b"]), pa.array([0.0])], names=["recording", "recording", "start"]
    )
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(FormatError, match="two columns 'recording'"):
        Embeddings.load(tmp_path / "a.parquet")
