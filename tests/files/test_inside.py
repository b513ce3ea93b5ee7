"""No output leaves its folder: by ids, by links that lie there, by the names of journals and locks."""

import json
import os
import re
from pathlib import Path

import pytest
import soundfile
from command_line import call, complaint, demo_samples
from helpers import REPOSITORY, write_small_model

from diarize.errors import DiarizeError
from diarize.files.atomic import write_files
from diarize.files.folders import check_file_name, refuse_outside
from diarize.files.lock import is_locked, locked

RTTM = "SPEAKER {} 1 0.0 1.0 <NA> <NA> A <NA> <NA>\n"
ESCAPES = ["../out", "/etc/passwd", "a/../../b", "..//x", "./../x", "a\0b"]
ODD = ["..", ".", "con", "NUL", "a.", "COM1.txt", "-rf", "~", "$HOME", "%2e%2e%2f", "a:b", "*", "a\\..\\b"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture
def outside(tmp_path_factory):
    """A file that no command may touch."""
    path = tmp_path_factory.mktemp("outside") / "precious"
    path.write_text("precious")
    yield path
    assert path.read_text() == "precious"
    assert os.listdir(path.parent) == ["precious"]  # noqa: PTH208, names alone


def inside(folder: Path) -> set[str]:
    """The files in a folder, after a check that nothing was written beside it."""
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("id", ESCAPES)
def test_an_id_that_leads_elsewhere_is_refused(id):
    with pytest.raises(DiarizeError, match=re.escape(f"recording {id!r}: the id names a file")):
        check_file_name(id)


@pytest.mark.parametrize("id", ODD)
@pytest.mark.parametrize("command", ["convert", "report"])
def test_an_odd_id_names_a_file_in_the_folder(id, command, tmp_path):
    (tmp_path / "in.rttm").write_text(RTTM.format(id))
    more = ["--format", "csv"] if command == "convert" else []
    done = call(command, tmp_path / "in.rttm", "-o", f"{tmp_path / 'out'}/", *more)
    assert (done.status, done.err) == (0, "")
    assert inside(tmp_path / "out") == {f"{id}.csv" if command == "convert" else f"{id}.html"}
    assert inside(tmp_path) == {"in.rttm", "out"}


@pytest.mark.parametrize("id", [id for id in ESCAPES if "\0" not in id])
@pytest.mark.parametrize("command", ["run", "convert", "report", "json"])
def test_commands_refuse_ids_that_lead_elsewhere(id, command, tmp_path):
    out = tmp_path / "deep" / "out"
    (tmp_path / "in.rttm").write_text(RTTM.format(id))
    document = {"format": "diarize", "version": 1, "recording": id}
    document["turns"] = [{"start": 0, "end": 1, "speaker": "A"}]
    (tmp_path / "in.json").write_text(json.dumps(document))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wav.scp").write_text(f"{id} a.wav\n")
    words = {
        "run": ["run", tmp_path / "data", "-o", out],
        "convert": ["convert", tmp_path / "in.rttm", "-o", f"{out}/", "--format", "csv"],
        "report": ["report", tmp_path / "in.rttm", "-o", out],
        "json": ["report", tmp_path / "in.json", "-o", out],
    }
    assert f"recording {id!r}: the id names a file" in complaint(call(*words[command]))
    assert {path.name for path in tmp_path.rglob("*")} <= {
        *("in.rttm", "in.json", "data", "wav.scp", "deep", "out")
    }


@pytest.mark.parametrize("target", ["precious", "absent"])
def test_a_link_in_the_folder_is_not_written_through(target, outside, model, tmp_path):
    recording, out = tmp_path / "a.wav", tmp_path / "out"
    soundfile.write(recording, demo_samples(3.0), 16000)
    (tmp_path / "a.rttm").write_text(RTTM.format("a"))
    out.mkdir()
    lead = outside.parent / target
    for name in ("a.rttm", "a.csv", "a.html", "speakers.csv"):
        (out / name).symlink_to(lead)
    told = "a link leads out of"
    assert told in complaint(call("run", recording, "-o", out, "--force", "--model", model))
    pair = call("run", recording, recording.with_name("b.wav"), "-o", out, "--force", "--model", model)
    assert pair.status == 2
    assert told in pair.err
    converted = call("convert", tmp_path / "a.rttm", "-o", f"{out}/", "--format", "csv", "--force")
    assert told in complaint(converted)
    assert told in complaint(call("report", tmp_path / "a.rttm", "-o", out, "--force"))
    assert told in complaint(call("link", tmp_path / "a.rttm", "-o", out, "--force"))


def test_links_to_folders_journals_and_locks_are_not_followed(outside, model, tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a.wav", "sub/b.wav"):
        soundfile.write(tmp_path / "in" / name, demo_samples(3.0), 16000)
    words = ("run", tmp_path / "in", "--model", model, "-o")
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "sub").symlink_to(outside.parent)
    done = call(*words, linked)
    assert done.status == 2
    assert f"{linked / 'sub' / 'b.rttm'}: a link leads out of {linked}" in done.err
    for name in ("journal.sqlite", ".journal.lock"):
        out = tmp_path / name.strip(".")
        out.mkdir()
        (out / name).symlink_to(outside)
        assert str(out) in complaint(call(*words, out))
    for output, link, *words in (
        ("x.parquet", "x.parquet.parts", "embed", tmp_path / "in", "--model", model),
        ("best.toml", "best.toml.scores.jsonl", "tune", REPOSITORY / "egs" / "parts"),
    ):
        (tmp_path / link).symlink_to(outside.parent / "absent")
        assert "a link leads out of" in complaint(call(*words, "-o", tmp_path / output))


def test_a_lock_is_no_link(outside, tmp_path):
    (tmp_path / "lock").symlink_to(outside)
    with pytest.raises(DiarizeError, match="cannot be written"), locked(tmp_path / "lock"):
        pass
    assert not is_locked(tmp_path / "lock")


def test_a_folder_may_itself_be_a_link(tmp_path):
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "link" / "a").symlink_to("below")
    refuse_outside([tmp_path / "link" / "a" / "b.rttm", tmp_path / "link" / "c.rttm"], tmp_path / "link")
    (tmp_path / "real" / "circle").symlink_to("circle")
    with pytest.raises(DiarizeError):
        refuse_outside([tmp_path / "real" / "circle" / "a.rttm"], tmp_path / "real")


def test_files_that_belong_together_are_all_there_or_none(tmp_path):
    (tmp_path / "old").write_text("old")
    (tmp_path / "folder").mkdir()
    contents = {tmp_path / name: b"new" for name in ("old", "new", "folder")}
    with pytest.raises(DiarizeError, match="not a regular file"):
        write_files(contents)
    assert inside(tmp_path) == {"old", "folder"}
    assert (tmp_path / "old").read_text() == "old"
    del contents[tmp_path / "folder"]
    write_files(contents)
    assert [(tmp_path / name).read_text() for name in ("old", "new")] == ["new", "new"]
    assert inside(tmp_path) == {"old", "new", "folder"}
