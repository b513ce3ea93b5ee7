"""The table of known voices: rows, names, files, and what is refused."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from diarize import VoiceTable
from diarize.errors import DiarizeError, FormatError, ModelError
from diarize.speakers.voice_table import check_suffix, is_numbered, person_name

MODEL = "voices 0123456789ab"


def make(*rows: tuple[str, str], model: str = MODEL) -> VoiceTable:
    names, recordings = zip(*rows, strict=True)
    vectors = np.arange(3 * len(rows), dtype=np.float32).reshape(-1, 3)
    return VoiceTable(names, recordings, np.full(len(rows), 4.5), vectors, model)


def test_a_table_reads_back_and_says_what_it_is(tmp_path):
    table = make(("Ann", "a"), ("Bjørn Ö", "b"), ("Ann", "c"))
    path = tmp_path / "voices.parquet"
    table.save(path)
    again = VoiceTable.load(path)
    assert (again.names, again.model, len(again)) == (["Ann", "Bjørn Ö"], MODEL, 3)
    np.testing.assert_array_equal(again.vectors, table.vectors)
    np.testing.assert_array_equal(again.recording, ["a", "b", "c"])
    metadata = pq.read_schema(path).metadata
    assert b"biometric data" in metadata[b"note"]
    assert b"--remove NAME" in metadata[b"note"]


def test_an_empty_table_reads_back(tmp_path):
    path = tmp_path / "voices.parquet"
    make(("Ann", "a")).without(["Ann"]).save(path)
    again = VoiceTable.load(path)
    assert (len(again), again.vectors.shape) == (0, (0, 3))
    assert again.with_rows(make(("Bob", "b"))).names == ["Bob"]


def test_people_are_added_replaced_and_deleted():
    table = make(("Ann", "a"), ("Bob", "b"))
    assert table.with_rows(make(("Ann", "c"))).name.tolist() == ["Ann", "Bob", "Ann"]
    with pytest.raises(DiarizeError, match=r"^Ann has recording a already; --force replaces it$"):
        table.with_rows(make(("Ann", "a")))
    assert table.with_rows(make(("Ann", "a")), replace=True).name.tolist() == ["Bob", "Ann"]
    assert table.without(["Ann"]).names == ["Bob"]
    with pytest.raises(DiarizeError, match=r"^nobody is called 'Eve' in the table; known: Ann, Bob$"):
        table.without(["Eve"])
    with pytest.raises(DiarizeError, match=r"^'Ann Lee' and 'Ann_Lee' are one name in RTTM; rename one$"):
        make(("Ann Lee", "a")).with_rows(make(("Ann_Lee", "b")))


def test_a_table_of_another_model_is_refused():
    table = make(("Ann", "a"))
    table.check_model("renamed 0123456789ab")
    with pytest.raises(
        ModelError, match=r"^x.parquet: made with the model voices 0123456789ab, not o 99; enroll again$"
    ):
        table.check_model("o 99", "x.parquet")
    with pytest.raises(ModelError):
        table.with_rows(make(("Bob", "b"), model="o 99"))


def test_other_files_are_refused(tmp_path, demo_recording):
    with pytest.raises(FormatError, match=r"not a Parquet file$"):
        VoiceTable.load(demo_recording)
    from diarize import Embeddings

    path = tmp_path / "windows.parquet"
    Embeddings(["a"], [0], [1], [[1, 0]], speaker=["Ann"]).save(path)
    with pytest.raises(FormatError, match=r"not a table of voices; `diarize enroll` writes one$"):
        VoiceTable.load(path)
    with pytest.raises(FormatError, match=r"is a Parquet file; name it voices.parquet$"):
        check_suffix("voices.npz")


def test_impossible_rows_are_refused():
    with pytest.raises(ValueError, match="seconds are not positive"):
        VoiceTable(["Ann"], ["a"], [0.0], [[1.0]], MODEL)
    with pytest.raises(ValueError, match="others"):
        VoiceTable(["Ann", "Bob"], ["a"], [1.0], [[1.0]], MODEL)


@pytest.mark.parametrize(("speaker", "numbered"), [("SPEAKER_00", True), ("CHANNEL_2", True), ("Ann", False)])
def test_names_are_no_numbers(speaker, numbered):
    assert is_numbered(speaker) == numbered
    if numbered:
        with pytest.raises(DiarizeError, match=r"is not a person's name; give one with --name$"):
            person_name(speaker)
    else:
        assert person_name(f" {speaker} ") == speaker
