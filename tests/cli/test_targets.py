"""What --output names: stdout, one file, or a folder; and the options that do not fit it."""

import json

import numpy as np
import pytest
import soundfile
from command_line import call, complaint, demo_samples
from helpers import write_small_model

from diarize.batch.jobs import Job
from diarize.cli.targets import find_target
from diarize.embedding.table import Embeddings
from diarize.errors import ConfigError, DiarizeError, FormatError
from diarize.formats import FORMATS, read_turns


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("in") / "talk.wav"
    soundfile.write(path, demo_samples(), 16000)
    return path


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


JOB = Job("talk", "in/talk.wav")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_the_suffix_of_a_format_names_a_file(name, case, tmp_path):
    """-o result.rttm made a folder of that name."""
    output = f"deep/er/result{case(FORMATS[name].suffix)}"
    for formats in ([], [name], [name, name]):
        target = find_target(output, formats)
        assert (target.is_file, target.formats) == (True, (name,))
        assert [str(path) for path in target.paths(JOB, force=False)] == [output]
    assert list((tmp_path / "deep" / "er").iterdir()) == []


@pytest.mark.parametrize(
    "output", ["out", "out.v2", "out.v2/", "result.rttm/", "a.wav", "2026.11.29", ".rttm", "new/out", "a.b/c"]
)
def test_any_other_name_is_a_folder(output, tmp_path):
    target = find_target(output, [])
    paths = target.paths(JOB, force=False)
    assert paths == [target.path / "talk.rttm", target.path / "talk.json"]
    assert not target.is_file
    assert (tmp_path / output).is_dir()
    below = Job("talk", "in/x/talk.wav", folder=tmp_path / "x")
    target.check_jobs([JOB, below])


@pytest.mark.parametrize("linked", [False, True])
def test_an_existing_folder_stays_a_folder(linked, tmp_path):
    (tmp_path / "real").mkdir()
    if linked:
        (tmp_path / "result.rttm").symlink_to("real")
    else:
        (tmp_path / "real").rename(tmp_path / "result.rttm")
    target = find_target("result.rttm", ["csv", "srt"])
    assert [path.name for path in target.paths(JOB, force=False)] == ["talk.csv", "talk.srt"]


@pytest.mark.parametrize(
    ("output", "formats", "expected"),
    [
        ("a.rttm", ["csv"], "a.rttm: the suffix is that of rttm, --format says csv; give a folder"),
        ("a.txt", ["lab", "audacity"], "a.txt: the suffix is that of audacity, --format says lab; "),
        ("-", ["rttm", "csv"], "several formats need a folder; give one with --output"),
        ("a.rttm", ["nonsense"], "unknown format 'nonsense'; known: rttm, "),
        ("file/a.rttm", [], "file: the folder for results cannot be made (File exists)"),
        ("file/", [], "file: the folder for results cannot be made (File exists)"),
        ("file", [], "file: the folder for results cannot be made (File exists)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(output, formats, expected, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises((ConfigError, FormatError, DiarizeError)) as error:
        find_target(output, formats)
    assert str(error.value).startswith(expected)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_one_file_takes_one_recording():
    target = find_target("result.rttm", [])
    target.check_jobs([JOB])
    target.check_jobs([])
    with pytest.raises(DiarizeError) as error:
        target.check_jobs([JOB, Job("b", "b.wav")])
    assert str(error.value) == "result.rttm: one file takes one recording, 2 are given; give a folder"


@pytest.mark.parametrize("link", [False, True])
def test_an_existing_file_needs_force(link, tmp_path):
    if link:
        (tmp_path / "a.rttm").symlink_to("nowhere")
    else:
        (tmp_path / "a.rttm").touch()
    target = find_target("a.rttm", [])
    with pytest.raises(DiarizeError, match=r"^a\.rttm: exists; give --force to overwrite it$"):
        target.paths(JOB, force=False)
    assert [path.name for path in target.paths(JOB, force=True)] == ["a.rttm"]


def test_run_writes_the_file(recording, model, tmp_path):
    done = call("run", recording, "--model", model, "-o", "new/result.rttm")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "written: new/result.rttm"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["result.rttm"]
    turns = read_turns("new/result.rttm")
    assert {turn.recording for turn in turns} == {"talk"}
    assert call("run", recording.parent, "--model", model, "-o", "result.JSON").status == 0
    assert json.loads((tmp_path / "result.JSON").read_text())["model"].startswith("small")
    line = complaint(call("run", recording, "--model", model, "-o", "result.JSON"))
    assert line == "result.JSON: exists; give --force to overwrite it"


def test_run_refuses_several_recordings_before_any_work(recording):
    line = complaint(call("run", recording, "other.wav", "--model", "none", "-o", "result.rttm"))
    assert line == "result.rttm: one file takes one recording, 2 are given; give a folder"


def test_a_table_is_no_folder(recording, model, tmp_path):
    (tmp_path / "there.npz").mkdir()
    for output in ("there.npz", "new.npz/", "."):
        for force in ([], ["--force"]):
            line = complaint(call("embed", recording, "--model", model, "-o", output, *force))
            assert line.startswith(f"{output}: a folder; a table is one file, such as ")
    assert call("embed", recording, "--model", model, "-o", "NEW.NPZ").status == 0
    assert np.isfinite(Embeddings.load("NEW.NPZ").vectors).all()


def test_convert_into_a_folder_whose_name_has_a_suffix(tmp_path):
    (tmp_path / "a.rttm").write_text("SPEAKER a 1 0.000 1.000 <NA> <NA> x <NA> <NA>\n")
    assert call("convert", "a.rttm", "-o", "b.csv/", "--format", "lab").out == "b.csv/a.lab\n"
    assert call("convert", "a.rttm", "-o", "b.csv", "--format", "srt").out == "b.csv/a.srt\n"
    assert complaint(call("convert", "a.rttm", "-o", "c.csv/")).startswith("c.csv: a folder needs --format; ")
    assert call("convert", "a.rttm", "-o", "c.csv").out == "c.csv\n"
