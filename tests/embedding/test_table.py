"""The table of embeddings and its files."""

import pickle
import re
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diarize.embedding.table import Embeddings
from diarize.errors import DiarizeError, FormatError
from diarize.segments import Segment

SUFFIXES = [".npz", ".parquet", ".tsv", ".ark", ".scp"]


def make_table(n: int = 5, dim: int = 3, speakers: bool = True) -> Embeddings:
    start = np.arange(n) / 3
    return Embeddings(
        recording=np.array([f"rec-{i % 2}" for i in range(n)], dtype=str),
        start=start,
        end=start + 1.5,
        vectors=np.random.default_rng(7).normal(size=(n, dim)).astype(np.float32),
        speaker=np.array([f"s{i % 3}" for i in range(n)], dtype=str) if speakers else None,
    )


def assert_same(one: Embeddings, other: Embeddings) -> None:
    for name in ("recording", "start", "end"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.vectors.tobytes() == other.vectors.tobytes()
    assert one.vectors.dtype == other.vectors.dtype == np.float32
    assert one.start.dtype == other.start.dtype == np.float64
    assert (one.speaker is None) == (other.speaker is None)
    if one.speaker is not None:
        np.testing.assert_array_equal(one.speaker, other.speaker)


# The table


def test_lengths_dim_and_segments() -> None:
    table = make_table()
    assert len(table) == 5
    assert table.dim == 3
    assert table.segments()[1] == Segment(1 / 3, 1 / 3 + 1.5)


def test_plain_lists_become_arrays() -> None:
    table = Embeddings(["a", "b"], [0, 1], [1, 2], [[1, 2], [3, 4]])  # type: ignore[arg-type]
    assert table.vectors.dtype == np.float32
    assert table.start.dtype == np.float64
    assert table.recording.tolist() == ["a", "b"]


@pytest.mark.parametrize("rows", [None, slice(0, 3), np.array([0, 2])])
def test_a_table_owns_its_arrays(rows) -> None:
    """It kept the caller's, and changed with them."""
    given = make_table()
    arrays_ = {
        name: np.array(getattr(given, name)) for name in ("recording", "start", "end", "vectors", "speaker")
    }
    table = Embeddings(**arrays_) if rows is None else Embeddings(**arrays_)[rows]
    whole = Embeddings.concatenate([table])
    expected = {name: getattr(table, name).copy() for name in arrays_}
    for name, array in arrays_.items():
        assert not np.shares_memory(array, getattr(table, name)), name
        assert not np.shares_memory(getattr(table, name), getattr(whole, name)), name
        array[:] = "x" if array.dtype.kind == "U" else -1
    for name in arrays_:
        np.testing.assert_array_equal(getattr(table, name), expected[name])


def test_rows_are_chosen_by_slice_mask_and_indices() -> None:
    table = make_table()
    mask = np.array([False, True, False, True, False])
    for rows in (slice(1, 4, 2), mask, [1, 3], np.array([1, 3])):
        chosen = table[rows]
        np.testing.assert_array_equal(chosen.vectors, table.vectors[mask])
        assert chosen.speaker is not None
        assert chosen.speaker.tolist() == ["s1", "s0"]
    assert len(table[[]]) == 0
    with pytest.raises(TypeError, match="a slice, a mask or an array of indices, got 3"):
        table[3]


def test_parts_concatenate_to_the_whole() -> None:
    table = make_table()
    assert_same(Embeddings.concatenate([table[:2], table[2:2], table[2:]]), table)
    plain = make_table(speakers=False)
    assert_same(Embeddings.concatenate([plain[:1], plain[1:]]), plain)


def test_tables_that_differ_do_not_concatenate() -> None:
    with pytest.raises(ValueError, match="no tables"):
        Embeddings.concatenate([])
    with pytest.raises(ValueError, match=r"differ in dim: \[3, 4\]"):
        Embeddings.concatenate([make_table(), make_table(dim=4)])
    with pytest.raises(ValueError, match="1 of 2 tables have the column speaker; all or none must"):
        Embeddings.concatenate([make_table(), make_table(speakers=False)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recording": ["a"]}, "recording has the shape (1,), expected (2,)"),
        ({"end": [1, 2, 3]}, "end has the shape (3,), expected (2,)"),
        ({"speaker": ["a"]}, "speaker has the shape (1,), expected (2,)"),
        ({"vectors": [1.0, 2.0]}, "vectors need the shape (n, dim), got (2,)"),
        ({"vectors": [[1.0], [np.nan]]}, "the vector of row 1 is not finite"),
        ({"start": [0, 2]}, "row 1 needs 0 <= start < end, got 2.0 and 2.0"),
        ({"start": [-1, 0]}, "row 0 needs 0 <= start < end, got -1.0 and 1.0"),
        ({"end": [1, np.inf]}, "row 1 needs 0 <= start < end"),
    ],
)
def test_impossible_tables_are_refused(change: dict[str, list], message: str) -> None:
    good = {"recording": ["a", "a"], "start": [0, 1], "end": [1, 2], "vectors": [[1.0], [2.0]]}
    with pytest.raises(ValueError, match=re.escape(message)):
        Embeddings(**(good | change))


# Files


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("speakers", [True, False])
def test_what_is_saved_is_loaded(suffix: str, speakers: bool, tmp_path: Path) -> None:
    table = make_table(speakers=speakers)
    table.save(tmp_path / f"new folder/x{suffix}")
    assert_same(Embeddings.load(tmp_path / f"new folder/x{suffix}"), table)
    assert not list((tmp_path / "new folder").glob(".*"))


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=30, deadline=None)
@given(
    vectors=arrays(np.float32, (2, 3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
    start=st.floats(0, 1e6),
)
def test_vectors_and_times_are_bit_exact(
    suffix: str, vectors: np.ndarray, start: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"exact{suffix}"
    table = Embeddings(["a", "a"], [start] * 2, [start + 0.1] * 2, vectors)  # type: ignore[arg-type]
    table.save(path)
    assert_same(Embeddings.load(path), table)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_rows_are_saved_and_loaded(suffix: str, tmp_path: Path) -> None:
    make_table()[:0].save(tmp_path / f"x{suffix}")
    table = Embeddings.load(tmp_path / f"x{suffix}")
    assert len(table) == 0
    assert table.dim == (0 if suffix in (".ark", ".scp") else 3)
    assert table.segments() == []


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".tsv"])
def test_names_with_blanks_survive(suffix: str, tmp_path: Path) -> None:
    table = Embeddings(["tea time", "é, 王"], [0, 1], [1, 2], [[1.0], [2.0]], ['the "boss"', ""])  # type: ignore[arg-type]
    table.save(tmp_path / f"x{suffix}")
    assert_same(Embeddings.load(tmp_path / f"x{suffix}"), table)


@pytest.mark.parametrize(("suffix", "name"), [(".tsv", "a\tb"), (".ark", "a b"), (".ark", "")])
def test_names_that_a_format_cannot_hold_are_refused(suffix: str, name: str, tmp_path: Path) -> None:
    table = Embeddings([name], [0], [1], [[1.0]])  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=r"recording .* write \.npz or \.parquet$"):
        table.save(tmp_path / f"x{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saving_twice_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    make_table().save(path)
    first = path.read_bytes()
    make_table().save(path)
    assert path.read_bytes() == first


def test_an_unknown_suffix_lists_the_known_ones(tmp_path: Path) -> None:
    message = re.escape("x.npy: no format has the suffix '.npy'; known: .npz, .parquet, .tsv, .ark, .scp")
    with pytest.raises(FormatError, match=message):
        Embeddings.load(tmp_path / "x.npy")
    with pytest.raises(FormatError, match=message):
        make_table().save(tmp_path / "x.npy")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_and_damaged_files_are_one_line(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    with pytest.raises(FormatError, match=r"x\.\w+: cannot be read \(No such file or directory\)$"):
        Embeddings.load(path)
    make_table().save(path)
    whole = path.read_bytes()
    cut = -40 if suffix == ".tsv" else -9  # text that ends within a number is still text
    for content in (b"", b"\x93rubbish \xff\x00" * 9, whole[: len(whole) // 2], whole[:cut]):
        path.write_bytes(content)
        with pytest.raises(FormatError) as caught:
            Embeddings.load(path)
        assert str(caught.value).startswith(str(tmp_path))
        assert "\n" not in str(caught.value)


def test_an_unwritable_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for suffix in SUFFIXES:
        with pytest.raises(DiarizeError, match="cannot be written"):
            make_table().save(tmp_path / "file" / f"x{suffix}")


def test_npz_says_what_is_missing_and_never_unpickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", recording=np.array(["a"]), start=np.zeros(1), end=np.ones(1))
    with pytest.raises(
        FormatError, match=r"a\.npz: no array 'vectors'; it needs recording, start, end, vectors$"
    ):
        Embeddings.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", recording=np.array([Bomb(tmp_path)], dtype=object))
    with pytest.raises(FormatError, match=r"b\.npz: not a NumPy archive of plain arrays$"):
        Embeddings.load(tmp_path / "b.npz")
    with (tmp_path / "c.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(FormatError, match=r"c\.npz: not a NumPy archive of plain arrays$"):
        Embeddings.load(tmp_path / "c.npz")
    assert not (tmp_path / "exploded").exists()


def test_impossible_rows_in_a_file_name_it(tmp_path: Path) -> None:
    columns = {
        "recording": np.array(["a"]),
        "start": np.ones(1),
        "end": np.ones(1),
        "vectors": np.ones((1, 2)),
    }
    np.savez(tmp_path / "a.npz", **columns)
    with pytest.raises(FormatError, match=r"a\.npz: row 0 needs 0 <= start < end, got 1\.0 and 1\.0$"):
        Embeddings.load(tmp_path / "a.npz")


def test_parquet_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    make_table().save(path)
    good = pq.read_table(path)
    assert good.schema.field("vector").type == pa.list_(pa.float32(), 3)
    lists = pa.array([[1.0], [1.0, 2.0], [], [], []])
    for table, message in (
        (good.drop_columns("end"), "no column 'end'; found: recording, speaker, start, vector"),
        (good.set_column(4, "vector", lists), "column 'vector' is list<"),
        (good.set_column(2, "start", pa.array([0.0, None, 0, 0, 0])), "column 'start' has 1 missing values"),
    ):
        pq.write_table(table, path)
        with pytest.raises(FormatError, match=re.escape(f"{path}: {message}")):
            Embeddings.load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "recording\tend\tstart\tv0\n",
            "line 1: the header is not recording, start, end, [speaker,] "
            "[utterance,] [seconds,] [confidence,] v0",
        ),
        ("recording\tstart\tend\tv1\n", "line 1: the header is not"),
        ("recording\tstart\tend\tv0\na\t0\t1\n", "line 2: 3 fields, the header has 4 (a 0 1)"),
        ("recording\tstart\tend\tv0\na\t0\t1\tx\n", "line 2: 'x' is no number"),
        ("recording\tstart\tend\tv0\na\t0\t1\t1\na\t2\t1\t1\n", "line 3: ends at 1, not after its start 2"),
    ],
)
def test_tsv_errors_name_the_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(FormatError, match=re.escape(f"{tmp_path / 'a.tsv'}, {message}")):
        Embeddings.load(tmp_path / "a.tsv")


# Kaldi archives


def test_the_archive_holds_kaldis_bytes(tmp_path: Path) -> None:
    vectors = np.array([[1.0, -2.5]], dtype=np.float32)
    Embeddings(np.array(["a"]), np.array([0.0]), np.array([1.0]), vectors).save(tmp_path / "x.ark")
    # kaldi-vector.cc: key, blank, binary mark, token, size of the length, length, little-endian floats
    planted = b"0000000-a \0BFV \x04\x02\x00\x00\x00" + bytes.fromhex("0000803f000020c0")
    assert (tmp_path / "x.ark").read_bytes() == planted
    assert (tmp_path / "x.scp").read_text() == f"0000000-a {tmp_path / 'x.ark'}:10\n"


def test_an_archive_of_doubles_is_read(tmp_path: Path) -> None:
    make_table(1).save(tmp_path / "x.ark")
    data = np.array([0.1, 0.2])
    (tmp_path / "x.ark").write_bytes(
        b"0000000-rec-0 \0BDV \x04" + struct.pack("<i", 2) + data.astype("<f8").tobytes()
    )
    np.testing.assert_array_equal(Embeddings.load(tmp_path / "x.ark").vectors, [data.astype(np.float32)])


def test_times_and_speakers_stand_beside_the_archive(tmp_path: Path) -> None:
    make_table(2).save(tmp_path / "x.ark")
    assert (tmp_path / "x.segments").read_text() == (
        "0000000-rec-0 rec-0 0.0 1.5\n0000001-rec-1 rec-1 0.3333333333333333 1.8333333333333333\n"
    )
    assert (tmp_path / "x.utt2spk").read_text() == "0000000-rec-0 s0\n0000001-rec-1 s1\n"
    make_table(2, speakers=False).save(tmp_path / "x.ark")
    assert not (tmp_path / "x.utt2spk").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.segments", "k a 0 1\n", "x.segments, line 1: no vector 'k' in"),
        ("x.segments", "0000000-rec-0 a 0 1\n", "x.segments: no segment for vector '0000001-rec-1'"),
        (
            "x.segments",
            "0000000-rec-0 a 0\n",
            "x.segments, line 1: 3 fields, expected 4: key, recording, start, end",
        ),
        ("x.utt2spk", "0000000-rec-0 s\n", "x.utt2spk: no speaker for '0000001-rec-1'"),
    ],
)
def test_archive_and_segments_have_to_fit(name: str, text: str, message: str, tmp_path: Path) -> None:
    make_table(2).save(tmp_path / "x.ark")
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match=re.escape(message)):
        Embeddings.load(tmp_path / "x.ark")


def entry(row: int, mark: bytes, *numbers: int) -> bytes:
    """An entry of an archive: its mark, integers as Kaldi writes them, then nothing."""
    sizes = b"".join(b"\x04" + struct.pack("<i", number) for number in numbers)
    return f"000000{row}-rec-{row} ".encode() + b"\x00B" + mark + sizes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            entry(0, b"FV ", 1) + bytes(4) + entry(1, b"FV ", 2) + bytes(8),
            "vector '0000001-rec-1' has shape (2,), others (1,)",
        ),
        (entry(0, b"FM ", 1, 1) + bytes(4), "'0000000-rec-0' is a matrix, not a vector"),
        (entry(0, b"FV ", 2) + bytes(4), "'0000000-rec-0' is cut off"),
        (b"x" * 5000, "not a Kaldi archive"),
    ],
)
def test_other_archives_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    make_table(2).save(tmp_path / "x.ark")
    (tmp_path / "x.ark").write_bytes(content)
    with pytest.raises(FormatError, match=re.escape(message)):
        Embeddings.load(tmp_path / "x.ark")


def test_archives_and_scripts_never_run_anything(tmp_path: Path) -> None:
    make_table(1).save(tmp_path / "x.ark")
    (tmp_path / "x.ark").write_bytes(b"0000000-rec-0 PKL" + pickle.dumps(Bomb(tmp_path)))
    with pytest.raises(FormatError, match="'0000000-rec-0' is not a binary Kaldi vector of floats"):
        Embeddings.load(tmp_path / "x.ark")
    (tmp_path / "x.scp").write_text(f"0000000-rec-0 touch {tmp_path}/exploded |\n")
    with pytest.raises(FormatError, match="line 1: a command"):
        Embeddings.load(tmp_path / "x.scp")
    assert not (tmp_path / "exploded").exists()


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.folder / "exploded",))
