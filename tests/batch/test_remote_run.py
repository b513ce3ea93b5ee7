"""Recordings and results at URLs, in fsspec's file system in memory."""

import pytest
import soundfile
from command_line import call, complaint, demo_samples
from helpers import write_small_model

from diarize.batch import label_recordings

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def place(tmp_path):
    """The command for two recordings at a URL, and the same two on disk."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    for i in (0, 1):
        path = tmp_path / "in" / "deep" / f"r{i}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, demo_samples(8.0)[i * 48000 : i * 48000 + 48000], 16000)
        system.pipe_file(f"/bucket/in/deep/r{i}.flac", path.read_bytes())
    model = write_small_model(tmp_path / "small")
    folders = ("memory://bucket/in", "-o", "memory://bucket/out", "--journal", tmp_path / "journal")
    yield ("run", *folders, "--model", model, "--threads", 1)
    system.store.clear()


def stored() -> dict[str, bytes]:
    system = fsspec.filesystem("memory")
    return {path.removeprefix("/bucket/out/"): system.cat_file(path) for path in system.find("/bucket/out")}


def test_results_at_a_url_are_those_on_disk_and_an_interrupted_run_goes_on(place, tmp_path):
    done = call(*place)
    assert (done.status, done.err) == (0, "")
    local = call("run", tmp_path / "in", "-o", tmp_path / "out", *place[-4:])
    assert local.status == 0
    results = stored()
    assert results == {
        f"deep/{path.name}": path.read_bytes() for path in (tmp_path / "out" / "deep").iterdir()
    }
    assert len(results) == 4
    assert [path.name for path in (tmp_path / "journal").iterdir()] == ["journal.sqlite"]
    skipped = "skipped 2 of 2 recordings: done before, with the same input, model and settings"
    assert call(*place).out.splitlines()[0] == skipped
    system = fsspec.filesystem("memory")
    system.rm_file("/bucket/out/deep/r0.rttm")
    system.pipe_file("/bucket/out/deep/r1.rttm", b"mine")
    again = call(*place)
    kept = "edited after it was written, so it is kept; --force overwrites it"
    assert again.err == f"memory://bucket/out/deep/r1.rttm: {kept}\n"
    assert stored() == {**results, "deep/r1.rttm": b"mine"}
    system.pipe_file("/bucket/in/deep/r0.flac", system.cat_file("/bucket/in/deep/r0.flac"))
    system.pipe_file("/bucket/in/deep/bad.wav", b"no audio")
    last = call(*place)
    assert last.err.splitlines()[1].startswith("diarize: memory://bucket/in/deep/bad.wav: not audio that")
    assert "labelled 0, skipped 1, kept 1, failed 1" in last.out, "the content counts, not the version"


def test_a_single_file_needs_no_journal_and_several_do(place, tmp_path):
    words = ("run", "memory://bucket/in/deep/r0.flac", *place[-4:])
    assert call(*words).out.startswith("SPEAKER r0 1 ")
    assert call(*words, "-o", "memory://bucket/one.rttm").out.endswith("written: memory://bucket/one.rttm\n")
    assert complaint(call(*words, "-o", "memory://bucket/one.rttm")) == (
        "memory://bucket/one.rttm: exists; give --force to overwrite it"
    )
    assert complaint(call("run", "memory://bucket/in", "-o", "memory://bucket/out")) == (
        "memory://bucket/out: the journal needs a folder on disk; give one with --journal"
    )
    line = complaint(call("run", "memory://bucket/in/none.wav", *place[-4:]))
    assert line == "memory://bucket/in/none.wav: no such file; check the URL"
    records = label_recordings(["memory://bucket/in"], tmp_path / "here", model=place[-3], threads=1)
    assert sorted(str(path) for record in records for path in record.paths) == [
        str(tmp_path / "here" / "deep" / f"r{i}.{suffix}") for i in (0, 1) for suffix in ("json", "rttm")
    ]
