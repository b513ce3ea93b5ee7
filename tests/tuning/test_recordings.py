"""Recordings with references, wherever they are; no audio is opened."""

import shutil

import pytest

from diarize.errors import DiarizeError, FormatError
from diarize.formats import write_rttm, write_uem
from diarize.formats.kaldi import write_data_folder
from diarize.segments import Segment, Turn
from diarize.tuning import find_recordings


def turns(name, end=10.0):
    return [Turn(name, Segment(0, end / 2), "a"), Turn(name, Segment(end / 2, end), "b")]


@pytest.fixture
def beside(tmp_path):
    """Two recordings with references beside them, in a subfolder, and one without."""
    folder = tmp_path / "data" / "day 1"
    folder.mkdir(parents=True)
    for name in ("a", "b", "c"):
        (folder / f"{name}.wav").touch()
    write_rttm(turns("a"), folder / "a.rttm")
    write_rttm(turns("b"), folder / "b.rttm")
    return folder


def test_references_beside_the_audio(beside, caplog):
    found = find_recordings([beside.parent])
    assert [each.name for each in found] == ["a", "b"]
    assert found[0].turns == turns("a")
    assert (found[0].n_speakers, found[0].seconds) == (2, 10.0)
    assert caplog.messages == ["recording c has no reference and is left out"]


def test_a_file_is_enough(beside):
    assert [each.name for each in find_recordings([beside / "a.wav"])] == ["a"]


def test_rttm_comes_before_other_formats_of_the_same_name(beside):
    (beside / "a.json").write_text("{}")
    assert find_recordings([beside / "a.wav"])[0].turns == turns("a")


def test_a_reference_may_call_its_only_recording_by_another_name(beside):
    write_rttm(turns("other"), beside / "a.rttm")
    assert find_recordings([beside / "a.wav"])[0].turns == turns("a")
    write_rttm([*turns("other"), *turns("third")], beside / "a.rttm")
    with pytest.raises(FormatError, match="turns of 2 recordings, none is a; rename the file"):
        find_recordings([beside / "a.wav"])


def test_folders_of_their_own_with_scored_regions(tmp_path, caplog):
    for kind in ("audio", "rttm", "uem", "rttm_vocal"):
        (tmp_path / kind).mkdir()
    for name in ("a", "b"):
        (tmp_path / "audio" / f"{name}.flac").touch()
        write_rttm(turns(name), tmp_path / "rttm" / f"{name}.rttm")
        write_rttm(turns(name, 4.0), tmp_path / "rttm_vocal" / f"{name}.rttm")
    write_uem({"a": [Segment(0, 4)]}, tmp_path / "uem" / "a.uem")
    (found,) = find_recordings([tmp_path])
    assert (found.name, found.seconds, found.n_speakers) == ("a", 4.0, 1)
    assert caplog.messages == ["recording b is not in the UEM and is left out"]


def test_a_kaldi_data_folder(tmp_path):
    (tmp_path / "a.wav").touch()
    segments = {"u1": ("a", Segment(0, 2)), "u2": ("a", Segment(2, 3))}
    write_data_folder(tmp_path, {"a": str(tmp_path / "a.wav")}, {"u1": "x", "u2": "y"}, segments)
    (found,) = find_recordings([tmp_path])
    assert found.turns == [Turn("a", Segment(0, 2), "x"), Turn("a", Segment(2, 3), "y")]


def test_a_reference_and_a_uem_from_elsewhere(beside, tmp_path):
    write_rttm([*turns("a", 8.0), *turns("c")], tmp_path / "all.rttm")
    write_uem({"a": [Segment(0, 2)], "c": [Segment(0, 9)]}, tmp_path / "all.uem")
    found = find_recordings([beside], tmp_path / "all.rttm", tmp_path / "all.uem")
    assert [(each.name, each.seconds) for each in found] == [("a", 2.0), ("c", 9.0)]


def test_the_conditions_of_the_score(beside):
    write_rttm([Turn("a", Segment(0, 10), "a"), Turn("a", Segment(8, 12), "b")], beside / "a.rttm")
    (plain,) = find_recordings([beside / "a.wav"])
    (strict,) = find_recordings([beside / "a.wav"], collar=0.5, skip_overlap=True)
    assert plain.seconds == 14.0
    assert strict.seconds == pytest.approx(14 - 2 * 2 - 4 * 0.5)


def test_without_any_reference_the_error_says_what_to_do(beside, tmp_path):
    with pytest.raises(DiarizeError, match=r"no recording has a reference; put NAME.rttm beside NAME.wav"):
        find_recordings([beside / "c.wav"])
    write_rttm(turns("z"), tmp_path / "z.rttm")
    with pytest.raises(DiarizeError, match="no recording has a reference"):
        find_recordings([beside], tmp_path / "z.rttm")


def test_references_without_speech_in_the_scored_time(beside, tmp_path):
    write_uem({"a": [Segment(20, 30)]}, tmp_path / "all.uem")
    with pytest.raises(DiarizeError, match="no speech in the scored time"):
        find_recordings([beside / "a.wav"], uem=tmp_path / "all.uem")


def test_two_recordings_of_one_name(beside, tmp_path):
    shutil.copytree(beside, tmp_path / "data" / "day 2")
    with pytest.raises(DiarizeError, match="two recordings are called a; rename one"):
        find_recordings([beside.parent])
