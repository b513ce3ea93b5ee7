"""NumPy files: what is damaged is an error of one line that names the file."""

import numpy as np
import pytest

from diarize.errors import DiarizeError, FormatError
from diarize.files.arrays import map_array, read_arrays, refuse_bomb
from diarize.training.packed import PackedFeatures, pack
from diarize.training.targets import load_targets


@pytest.fixture
def packed(tmp_path):
    """A folder of two packed clips of three and four frames."""
    pack([(0, 0, np.ones((3, 2), np.float32)), (1, 1, np.zeros((4, 2), np.float32))], tmp_path / "packed")
    return tmp_path / "packed"


def test_arrays_of_an_archive_are_those_asked_for(tmp_path):
    np.savez(tmp_path / "a.npz", one=np.arange(3), two=np.arange(2))
    arrays = read_arrays(tmp_path / "a.npz", ["one", "three"])
    assert {name: array.tolist() for name, array in arrays.items()} == {"one": [0, 1, 2]}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY\x01\x00v\x00{'descr': "])
def test_damaged_files_are_named(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.npz: not a NumPy archive of plain arrays$"):
        read_arrays(path, ["one"])
    with pytest.raises(FormatError, match=r"a\.npz: not a NumPy file of one plain array$"):
        map_array(path)


def test_a_mapped_array_is_that_of_the_file(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    assert map_array(tmp_path / "a.npy").tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(FileNotFoundError):
        map_array(tmp_path / "b.npy")
    with pytest.raises(FormatError, match=r"cannot be read \(Is a directory\)$"):
        map_array(tmp_path)


def test_a_file_that_claims_far_more_numbers_than_it_can_hold_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"1234")
    refuse_bomb(tmp_path / "a", 2**26)
    with pytest.raises(FormatError, match=r"claims 67108865 bytes of numbers in 4 bytes; it is damaged$"):
        refuse_bomb(tmp_path / "a", 2**26 + 1)


def test_packed_features_that_are_damaged_are_named(packed):
    assert PackedFeatures.load(packed).mel.shape == (7, 2)
    mel, index = packed / "mel.f16", packed / "index.npz"
    mel.write_bytes(mel.read_bytes()[:-2])
    with pytest.raises(
        DiarizeError, match=r"mel\.f16: not as long as index\.npz tells; pack the features again$"
    ):
        PackedFeatures.load(packed)
    mel.unlink()
    with pytest.raises(DiarizeError, match=r"packed: incomplete; pack the features again$"):
        PackedFeatures.load(packed)
    index.write_bytes(index.read_bytes()[:100])
    with pytest.raises(DiarizeError, match=r"index\.npz: not a NumPy archive of plain arrays$"):
        PackedFeatures.load(packed)


def test_targets_that_are_none_are_named(packed, tmp_path):
    features = PackedFeatures.load(packed)
    np.savez(tmp_path / "teacher.npz", targets=np.zeros((2, 1, 5), np.float32))
    assert load_targets(tmp_path / "teacher.npz", features, 5).shape == (2, 1, 5)
    np.savez(tmp_path / "teacher.npz", targets=np.zeros(3))
    with pytest.raises(DiarizeError, match=r"teacher\.npz: no embeddings of a teacher; make it with"):
        load_targets(tmp_path / "teacher.npz", features, 5)
