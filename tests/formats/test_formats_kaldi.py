"""Kaldi's data folders."""

import re
from pathlib import Path

import pytest

from diarize.errors import FormatError
from diarize.files.text import Text
from diarize.formats.kaldi import (
    DataFolder,
    is_command,
    parse_data_folder,
    read_data_folder,
    read_scp,
    render_data_folder,
    run_command,
    write_data_folder,
)
from diarize.segments import Segment

GOOD = {
    "wav.scp": "a /data/a file.wav\nb b.wav\n",
    "segments": "u1 a 0 1.5\nu2 a 1.5 2\nu3 b 0.25 1\n",
    "utt2spk": "u1 x\nu2 y\nu3 x\n",
    "spk2utt": "x u1 u3\ny u2\n",
    "reco2num_spk": "a 2\nb 1\n",
}


def make_folder(path: Path, **changed: str | None) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in (
        GOOD | {name.replace("wav_scp", "wav.scp"): text for name, text in changed.items()}
    ).items():
        if text is not None:
            (path / name).write_text(text, encoding="utf-8")
    return path


def test_a_folder_is_read(tmp_path: Path) -> None:
    assert read_data_folder(make_folder(tmp_path)) == DataFolder(
        wav_scp={"a": "/data/a file.wav", "b": "b.wav"},
        utt2spk={"u1": "x", "u2": "y", "u3": "x"},
        segments={"u1": ("a", Segment(0, 1.5)), "u2": ("a", Segment(1.5, 2)), "u3": ("b", Segment(0.25, 1))},
        reco2num_spk={"a": 2, "b": 1},
    )


def test_only_wav_scp_is_needed(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, segments=None, utt2spk=None, spk2utt=None, reco2num_spk=None)
    assert read_data_folder(folder) == DataFolder({"a": "/data/a file.wav", "b": "b.wav"})


def test_without_segments_an_utterance_is_a_recording(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, segments=None, utt2spk="a x\nb y\n", spk2utt=None)
    assert read_data_folder(folder).utt2spk == {"a": "x", "b": "y"}


def test_what_is_written_is_read_back_and_sorted_by_bytes(tmp_path: Path) -> None:
    wav_scp = {"é": "é.wav", "a": "a.wav", "Z": "Z.wav", "a-1": "1.wav", "😀": "w.wav", "\ue000": "p.wav"}
    segments = {f"{key}-u": (key, Segment(1 / 16000, 1 / 3)) for key in wav_scp}
    folder = DataFolder(wav_scp, dict.fromkeys(segments, "sé"), segments, dict.fromkeys(wav_scp, 3))
    write_data_folder(tmp_path / "d", folder.wav_scp, folder.utt2spk, folder.segments, folder.reco2num_spk)
    assert read_data_folder(tmp_path / "d") == folder
    for path in (tmp_path / "d").iterdir():
        lines = path.read_bytes().splitlines()
        assert lines == sorted(lines, key=lambda line: line.split()[0])
    assert (tmp_path / "d" / "spk2utt").read_text(encoding="utf-8") == f"sé {' '.join(sorted(segments))}\n"


def test_a_folder_is_parsed_and_rendered_as_texts() -> None:
    data = parse_data_folder({name: Text(text, f"/no such folder/{name}") for name, text in GOOD.items()})
    assert render_data_folder(data.wav_scp, data.utt2spk, data.segments, data.reco2num_spk) == {
        **GOOD,
        "segments": "u1 a 0.0 1.5\nu2 a 1.5 2.0\nu3 b 0.25 1.0\n",
    }
    assert render_data_folder(data.wav_scp)["segments"] is None


def test_a_folder_that_cannot_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    with pytest.raises(FormatError, match="'Ann Lee' cannot be written to a Kaldi data folder"):
        write_data_folder(folder, {"c": "c.wav"}, {"c": "Ann Lee"})
    assert {path.name: path.read_text() for path in folder.iterdir()} == GOOD


def test_files_of_an_older_folder_that_would_not_fit_are_removed(tmp_path: Path) -> None:
    write_data_folder(make_folder(tmp_path), {"c": "c.wav"})
    assert [path.name for path in tmp_path.iterdir()] == ["wav.scp"]
    assert read_data_folder(tmp_path) == DataFolder({"c": "c.wav"})


def test_names_with_blanks_are_refused(tmp_path: Path) -> None:
    for bad in ({"wav_scp": {"a b": "x"}}, {"wav_scp": {}, "utt2spk": {"u": "Ann Lee"}}):
        with pytest.raises(
            FormatError, match="cannot be written to a Kaldi data folder; names must not hold blanks"
        ):
            write_data_folder(tmp_path, **bad)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("wav.scp", "a a.wav\n\na b.wav\n", "line 3: 'a' occurs twice, first in line 1 (a b.wav)"),
        ("wav.scp", "b b.wav\na a.wav\n", "line 2: 'a' comes after 'b'; sort with LC_ALL=C (a a.wav)"),
        ("wav.scp", "a a.wav\nb\n", "line 2: a key without a value (b)"),
        ("segments", "u1 a 0 1\nu2 c 0 1\n", "line 2: recording 'c' is not in wav.scp (u2 c 0 1)"),
        ("segments", "u1 a 0 1\nu2 a 1 1\n", "line 2: ends at 1, not after its start 1"),
        ("segments", "u1 a 0 one\n", "line 1: 'one' is no end"),
        ("segments", "u1 a 0\n", "line 1: 3 fields, expected 4"),
        (
            "segments",
            GOOD["segments"] + "u4 a 0 1\n",
            "line 4: utterance 'u4' has no speaker in utt2spk (u4 a 0 1)",
        ),
        ("utt2spk", GOOD["utt2spk"] + "u9 x\n", "line 4: utterance 'u9' is unknown"),
        ("utt2spk", "u1 Ann Lee\n", "line 1: 3 fields, expected 2"),
        ("spk2utt", "x u1 u2 u3\ny u2\n", "line 1: utterance 'u2' is not of speaker 'x' in utt2spk"),
        ("reco2num_spk", "a two\n", "line 1: 'two' is no number of speakers"),
        ("reco2num_spk", "a 0\n", "line 1: '0' is no number of speakers"),
        ("reco2num_spk", "c 1\n", "line 1: recording 'c' is not in wav.scp"),
    ],
)
def test_errors_name_the_file_and_the_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    make_folder(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match=re.escape(f"{tmp_path / name}, {message}")):
        read_data_folder(tmp_path)


def test_spk2utt_lists_every_utterance(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"spk2utt: utterance 'u3' of utt2spk is not listed$"):
        read_data_folder(make_folder(tmp_path, spk2utt="x u1\ny u2\n"))


def test_a_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none/wav\.scp: cannot be read \(No such file or directory\)$"):
        read_data_folder(tmp_path / "none")


# Commands


def test_commands_are_refused_and_never_run(tmp_path: Path) -> None:
    path = tmp_path / "wav.scp"
    path.write_text(f"a a.wav\nb touch {tmp_path}/ran |\n")
    with pytest.raises(
        FormatError, match=r"wav\.scp, line 2: a command; give --allow-pipes to run it \(b touch"
    ):
        read_scp(path)
    with pytest.raises(FormatError, match="line 2: a command"):
        read_data_folder(tmp_path)
    entries = read_scp(path, allow_pipes=True)
    assert entries == read_data_folder(tmp_path, allow_pipes=True).wav_scp
    assert [is_command(entry) for entry in entries.values()] == [False, True]
    assert not (tmp_path / "ran").exists()


def test_an_allowed_command_gives_its_output() -> None:
    assert run_command("printf 'a\\nb' | tr a-z A-Z |") == b"A\nB"


def test_a_failing_command_says_why() -> None:
    with pytest.raises(
        FormatError, match=r"^command 'echo first >&2; echo no sox >&2; exit 3' fails with 3: no sox$"
    ):
        run_command("echo first >&2; echo no sox >&2; exit 3 |")
