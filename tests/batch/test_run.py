"""Many recordings into one folder: interrupted and resumed, with processes that are killed."""

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import call, complaint, demo_samples, terminal_text
from helpers import write_small_model
from processes import run_command, start

from diarize.batch import label_recordings
from diarize.errors import DiarizeError

N = 30
SPEECH = demo_samples(60.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Thirty cuts of the demo recording, 3 to 6 s each."""
    folder, draw = tmp_path_factory.mktemp("in"), np.random.default_rng(0)
    for i in range(N):
        first, length = int(draw.uniform(0, 54) * 16000), int(draw.uniform(3, 6) * 16000)
        soundfile.write(folder / f"r{i:02d}.wav", SPEECH[first : first + length], 16000)
    return folder


@pytest.fixture(scope="module")
def few(recordings, tmp_path_factory):
    """Four of them."""
    folder = tmp_path_factory.mktemp("few")
    for i in range(4):
        shutil.copy(recordings / f"r{i:02d}.wav", folder)
    return folder


@pytest.fixture(scope="module")
def expected(recordings, model, tmp_path_factory):
    """The results of a run that nothing interrupts."""
    out = tmp_path_factory.mktemp("whole")
    assert call("run", recordings, "-o", out, "--model", model, "--threads", 1).status == 0
    return results(out)


def results(folder: Path) -> dict[str, bytes]:
    """The files that are not of the journal."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if "journal" not in path.name}


def rows(folder: Path) -> dict[str, dict[str, object]]:
    """The journal of a folder by name."""
    with sqlite3.connect(folder / "journal.sqlite") as database:
        database.row_factory = sqlite3.Row
        return {row["name"]: dict(row) for row in database.execute("SELECT * FROM recordings")}


def wait_for(condition, process) -> None:
    while not condition() and process.is_alive():
        time.sleep(0.005)
    assert condition()


def held(folder: Path, sources: list[Path]) -> Path:
    """A data folder whose recordings a, b, ... are those files; each waits for a file `go` in the folder."""
    folder.mkdir()
    wait = f"until [ -e {folder}/go ]; do sleep 0.01; done"
    lines = [
        f"{name} touch {folder}/started-{name}; {wait}; cat {source} |\n"
        for name, source in zip("abcdefg", sources, strict=False)
    ]
    (folder / "wav.scp").write_text("".join(lines))
    return folder


# Killed and resumed


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(recordings, model, expected, tmp_path):
    out, draw, n_kills = tmp_path / "out", random.Random(0), 4
    words = ("run", recordings, "-o", out, "--model", model, "--threads", 1)
    for kill in range(n_kills):
        process = start(run_command, tmp_path / "log", *words)
        n_before = len(list(out.glob("*.json")))
        n_more = draw.randint(1, 5)
        wait_for(lambda n=n_before + n_more: len(list(out.glob("*.json"))) >= n, process)
        time.sleep(draw.uniform(0, 0.1))
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL, kill
        assert (tmp_path / "log.err").read_text() == ""
    done = [name for name, row in rows(out).items() if row["state"] == "done"]  # noted before it is written
    n_done = sum((out / f"{name}.json").exists() for name in done)
    last = call(*words)
    assert (last.status, last.err) == (0, "")
    assert f"skipped {n_done} of {N} recordings: done before" in last.out
    assert results(out) == expected
    assert {row["state"] for row in rows(out).values()} == {"done"}
    starts = [row["starts"] for row in rows(out).values()]
    assert sum(starts) <= N + n_kills, "a kill costs no more than the recording that was running"
    assert list(out.glob(".*")) == []
    assert call(*words).out.startswith(f"skipped {N} of {N} recordings")


@pytest.mark.slow
def test_workers_that_are_killed_with_their_run_or_asked_to_stop_lose_nothing(
    recordings, model, expected, tmp_path
):
    out = tmp_path / "out"
    words = ("run", recordings, "-o", out, "--model", model, "--jobs", 2, "--threads", 2)
    killed = start(run_command, tmp_path / "log", *words)
    wait_for(lambda: len(list(out.glob("*.json"))) >= 7, killed)
    workers = children(killed.pid)
    assert len(workers) == 2
    os.killpg(killed.pid, signal.SIGKILL)
    killed.join()
    while any(map(alive, workers)):  # in groups of their own, they notice that their pipe is closed
        time.sleep(0.01)
    n_done = len(list(out.glob("*.json")))
    assert n_done < N
    stopped = start(run_command, tmp_path / "log", *words)
    wait_for(lambda: len(list(out.glob("*.json"))) > n_done + 2, stopped)
    os.kill(stopped.pid, signal.SIGTERM)
    stopped.join()
    assert stopped.exitcode == 128 + signal.SIGTERM
    states = [row["state"] for row in rows(out).values()]
    assert set(states) <= {"done", "waiting"}, "what was running has been finished"
    left = states.count("waiting")
    assert (tmp_path / "log.err").read_text().splitlines() == [
        "diarize: stopping when the running recordings are done; again stops at once",
        f"diarize: stopped; {left} of {N} recordings are left: the same command goes on",
    ]
    assert call("run", recordings, "-o", out, "--model", model, "--threads", 1).status == 0
    assert results(out) == expected
    starts = sum(row["starts"] for row in rows(out).values())
    assert starts <= N + 4, "a kill costs a process what was running and what was not written yet"


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
def test_a_worker_that_dies_is_named_and_its_recording_is_tried_once_more_alone(few, model, tmp_path):
    sound, data = few / "r00.wav", tmp_path / "data"
    data.mkdir()
    once = f"[ -e {data}/died ] || {{ touch {data}/died; kill -9 $PPID; }}; cat {sound}"
    (data / "wav.scp").write_text(f"always kill -9 $PPID |\ngood {sound}\nonce {once} |\n")
    out = tmp_path / "out"
    done = call("run", data, "--allow-pipes", "-o", out, "--model", model, "--jobs", 2, "--format", "rttm")
    assert done.status == 2
    died = "the process that labels it was ended by SIGKILL, perhaps for lack of memory"
    assert sorted(done.err.splitlines()) == sorted(
        [
            f"always: {died}; it is labelled again later",
            f"once: {died}; it is labelled again later",
            f"diarize: always: {died}, also when nothing else runs",
            "diarize: 1 of 3 recordings failed, see above",
        ]
    )
    assert sorted(results(out)) == ["good.rttm", "once.rttm"]
    assert [row["starts"] for _, row in sorted(rows(out).items())] == [2, 1, 2]
    assert results(out)["once.rttm"] == results(out)["good.rttm"].replace(b"good", b"once")


# Signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_what_is_running_and_says_how_to_go_on(number, few, model, tmp_path):
    data, out = held(tmp_path / "data", sorted(few.iterdir())), tmp_path / "out"
    words = ("run", data, "--allow-pipes", "-o", out, "--model", model, "--threads", 1)
    process = start(run_command, tmp_path / "log", *words)
    wait_for((data / "started-a").exists, process)
    os.kill(process.pid, number)
    wait_for(lambda: "stopping" in (tmp_path / "log.err").read_text(), process)
    (data / "go").touch()
    process.join()
    assert process.exitcode == 128 + number
    assert (tmp_path / "log.err").read_text().splitlines() == [
        "diarize: stopping when the running recordings are done; again stops at once",
        "diarize: stopped; 3 of 4 recordings are left: the same command goes on",
    ]
    assert sorted(results(out)) == ["a.json", "a.rttm"]
    assert [row["state"] for row in rows(out).values()] == ["done", "waiting", "waiting", "waiting"]
    assert call(*words).out.splitlines()[0] == (
        "skipped 1 of 4 recordings: done before, with the same input, model and settings"
    )


def test_a_second_signal_stops_at_once(few, model, tmp_path):
    data, out = held(tmp_path / "data", sorted(few.iterdir())), tmp_path / "out"
    words = ("run", data, "--allow-pipes", "-o", out, "--model", model, "--threads", 1)
    process = start(run_command, tmp_path / "log", *words)
    wait_for((data / "started-a").exists, process)
    os.kill(process.pid, signal.SIGINT)
    wait_for(lambda: "stopping" in (tmp_path / "log.err").read_text(), process)
    os.kill(process.pid, signal.SIGINT)
    process.join()
    (data / "go").touch()  # the shell of the recording's command
    assert process.exitcode == 130
    assert (tmp_path / "log.err").read_text().splitlines()[1:] == [
        "diarize: stopped; 4 of 4 recordings are left: the same command goes on"
    ]
    assert results(out) == {}
    done = call("status", out)
    assert done.out.splitlines() == ["interrupted  1", "waiting      3"]
    call(*words)
    assert list(rows(out)) == ["a", "b", "c", "d"]
    assert max(rows(out).values(), key=lambda row: row["changed"])["name"] == "a", "it comes last"


# Two runs


def test_a_second_run_into_the_folder_is_refused_and_other_shards_are_not(few, model, tmp_path):
    data, out = held(tmp_path / "data", sorted(few.iterdir())), tmp_path / "out"
    words = ("run", data, "--allow-pipes", "-o", out, "--model", model, "--threads", 1)
    first = start(run_command, tmp_path / "log", *words, "--shard", "1/2")
    wait_for(lambda: list(data.glob("started-*")), first)
    line = complaint(call(*words, "--shard", "1/2"))
    assert line.startswith(f"{out}: process {first.pid} on ")
    assert line.endswith(" writes into this folder; wait until it ends")
    assert complaint(call(*words)) == (
        f"{out}: a run of shard 1/2 writes into this folder; wait until it ends"
    )
    status = json.loads(call("status", out, "--format", "json").out)
    assert (status["n_running"], status["states"]["running"]) == (1, 1)
    (data / "go").touch()
    assert call(*words, "--shard", "2/2").status == 0
    first.join()
    assert first.exitcode == 0
    assert sorted(results(out)) == [f"{name}.{suffix}" for name in "abcd" for suffix in ("json", "rttm")]
    assert not list(out.glob(".*")), "the locks are removed"


def test_the_lock_of_a_process_that_died_is_taken_over(few, model, tmp_path):
    (tmp_path / ".journal.lock").write_text("process 1 on elsewhere")
    assert call("run", few, "-o", tmp_path, "--model", model, "--threads", 1).status == 0
    assert not (tmp_path / ".journal.lock").exists()


# Shards


def test_shards_together_are_the_whole(recordings, model, expected, tmp_path):
    words = ("run", recordings, "-o", tmp_path, "--model", model, "--threads", 1, "--quiet")
    counts = []
    for i in (1, 2, 3):
        assert call(*words, "--shard", f"{i}/3").status == 0
        counts.append(len(results(tmp_path)) // 2)
    assert results(tmp_path) == expected
    assert 0 < counts[0] < counts[1] < counts[2] == N
    status = call("status", tmp_path).out.splitlines()
    assert status[0] == f"done         {N}"
    whole = call("run", recordings, "-o", tmp_path, "--model", model)
    assert whole.out.startswith(f"skipped {N} of {N} recordings"), "it reads the journals of the shards"
    assert call("status", tmp_path).out.splitlines()[0] == f"done         {N}"


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3"])
def test_what_is_no_shard_is_said(shard, few, tmp_path):
    line = complaint(call("run", few, "-o", tmp_path, f"--shard={shard}"))
    assert line == f"--shard {shard}: write it as NUMBER/TOTAL, from 1/8 to 8/8 for eight shards"


@pytest.mark.parametrize("option", [("--jobs", 2), ("--shard", "1/2")])
@pytest.mark.parametrize("output", [(), ("-o", "one.rttm")])
def test_processes_and_shards_need_a_folder(option, output, few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = complaint(call("run", few, *option, *output))
    assert line == "--jobs, --shard and --scheduler need a folder for the results; give one with --output"


# What is done again


@pytest.fixture
def labelled(few, model, tmp_path):
    """A folder of results, and the command that made it."""
    words = ("run", few, "-o", tmp_path / "out", "--model", model, "--threads", 1, "--format", "rttm")
    assert call(*words).status == 0
    return tmp_path / "out", words


SKIPPED = "skipped 4 of 4 recordings: done before, with the same input, model and settings"


def test_an_edited_result_is_kept_until_forced(labelled):
    out, words = labelled
    before = results(out)
    (out / "r01.rttm").write_text("mine\n")
    done = call(*words, "--set", "turns.min_gap=0")
    kept = f"{out / 'r01.rttm'}: edited after it was written, so it is kept; --force overwrites it\n"
    assert (done.status, done.err) == (0, kept)
    assert done.out.splitlines()[-1].startswith("labelled 3, skipped 0, kept 1, failed 0")
    assert (out / "r01.rttm").read_text() == "mine\n"
    assert call("status", out).out.splitlines()[:2] == ["done         3", "edited       1"]
    assert call(*words, "--force").status == 0
    assert results(out) == before
    assert call(*words).out.splitlines()[0] == SKIPPED


def test_a_changed_setting_model_or_input_is_done_again_without_force(labelled, few, model, tmp_path):
    out, words = labelled
    before = results(out)
    done = call(*words, "--num-speakers", 1)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[-1].startswith("labelled 4, skipped 0, failed 0")
    assert results(out) != before
    assert call(*words).out.splitlines()[-1].startswith("labelled 4, ")
    assert results(out) == before
    copy = shutil.copytree(few, tmp_path / "copy")
    words = ("run", copy, *words[2:])
    assert call(*words).out.splitlines()[0] == SKIPPED, "the content counts, not the path or the time"
    soundfile.write(copy / "r02.wav", SPEECH[:48000], 16000)
    assert call(*words).out.splitlines()[-1].startswith("labelled 1, skipped 3, ")
    other = shutil.copytree(model, tmp_path / "other")
    config = other / "config.toml"
    config.write_text(f"# other\n{config.read_text()}")
    changed = [other if word == model else word for word in words]
    assert call(*changed).out.splitlines()[-1].startswith("labelled 4, ")


def test_a_file_that_appears_while_a_run_goes_on_is_not_overwritten(few, model, tmp_path):
    options = {"model": model, "threads": 1, "formats": ["rttm"]}
    records = label_recordings([few], tmp_path, **options)
    first = next(records).recording
    foreign = next(name for name in ("r00", "r01") if name != first)
    (tmp_path / f"{foreign}.rttm").write_text("mine")
    assert {record.state for record in records if record.recording == foreign} == {"failed"}
    records = label_recordings([few], tmp_path, **options, channel=1)
    (record,) = (next(records),)
    edited = next(name for name in ("r02", "r03") if name not in (foreign, record.recording))
    (tmp_path / f"{edited}.rttm").write_text("mine")
    states = {each.recording: each.state for each in (record, *records)}
    assert (states[foreign], states[edited]) == ("failed", "kept")
    assert [(tmp_path / f"{name}.rttm").read_text() for name in (foreign, edited)] == ["mine", "mine"]


def test_a_result_that_is_missing_is_done_again(labelled):
    out, words = labelled
    before = results(out)
    (out / "r03.rttm").unlink()
    assert call(*words).out.splitlines()[-1].startswith("labelled 1, skipped 3, ")
    assert results(out) == before


def test_a_result_that_no_journal_knows_needs_force(few, model, tmp_path):
    (tmp_path / "r00.json").write_text("{}")
    words = ("run", few, "-o", tmp_path, "--model", model, "--threads", 1)
    for _ in range(2):
        done = call(*words)
        assert done.status == 2
        assert done.err.splitlines() == [
            f"diarize: {tmp_path / 'r00.json'}: exists; give --force to overwrite it",
            "diarize: 1 of 4 recordings failed, see above",
        ]
        assert (tmp_path / "r00.json").read_text() == "{}"
    assert call(*words, "--force").status == 0


def test_a_broken_recording_is_reported_and_tried_again(few, model, tmp_path):
    source, out = shutil.copytree(few, tmp_path / "in"), tmp_path / "out"
    bad = source / "bad.wav"
    bad.write_text("no audio")
    words = ("run", source, "-o", out, "--model", model, "--threads", 1)
    for n_skipped in (0, 4):
        done = call(*words)
        assert done.status == 2
        error, count = done.err.splitlines()
        assert error.startswith(f"diarize: {bad}: not audio that FFmpeg can read")
        assert count == "diarize: 1 of 5 recordings failed, see above"
        assert f"labelled {4 - n_skipped}, skipped {n_skipped}, failed 1" in done.out
    status = json.loads(call("status", out, "--format", "json").out)
    assert status["states"] == {
        "done": 4, "edited": 0, "failed": 1, "running": 0, "interrupted": 0, "waiting": 0
    }  # fmt: skip
    (failure,) = status["failures"]
    assert (failure["recording"], failure["source"]) == ("bad", str(bad))
    assert failure["error"].startswith(f"{bad}: not audio")
    assert call("status", out).out.splitlines()[-1] == f"failed: bad: {failure['error']}"
    shutil.copy(few / "r00.wav", bad)
    assert call(*words).status == 0


def test_an_unexpected_error_is_a_failure_of_its_recording(few, model, tmp_path, monkeypatch):
    from diarize.pipeline.diarizer import Diarizer

    labelled = Diarizer.__call__

    def fail(self, source, **options):
        if options["recording"] == "r01":
            raise RuntimeError("no such thing")
        return labelled(self, source, **options)

    monkeypatch.setattr(Diarizer, "__call__", fail)
    done = call("run", few, "-o", tmp_path, "--model", model, "--threads", 1)
    assert done.status == 2
    what, remedy = done.err.splitlines()[0].split("; ")
    assert what == "diarize: r01: a bug: RuntimeError: no such thing"
    assert remedy == "`diarize status --format json` has its traceback"
    (failure,) = json.loads(call("status", tmp_path, "--format", "json").out)["failures"]
    assert failure["traceback"].splitlines()[-1] == "RuntimeError: no such thing"


def test_a_single_recording_has_no_journal(few, model, tmp_path):
    done = call("run", few / "r00.wav", "-o", tmp_path, "--model", model, "--threads", 1)
    assert (done.status, done.out.splitlines()[0]) == (0, "r00")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r00.json", "r00.rttm"]
    line = complaint(call("status", tmp_path))
    assert line == f"{tmp_path}: no journal in it; `diarize run` writes one for several recordings"


def test_a_missing_model_ends_the_run(few, tmp_path):
    line = complaint(call("run", few, "-o", tmp_path, "--model", "none"))
    assert line.startswith("no model folder none; ")


def test_a_file_that_is_no_journal_is_named(few, tmp_path):
    (tmp_path / "journal.sqlite").write_text("mine")
    for words in (("run", few, "-o", tmp_path), ("status", tmp_path)):
        line = complaint(call(*words))
        remedy = "free space, or move the file away"
        assert line == f"{tmp_path / 'journal.sqlite'}: cannot be used (file is not a database); {remedy}"


def test_a_terminal_shows_a_bar_in_place_of_lines(few, model, tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    text = terminal_text("run", few, "-o", tmp_path, "--model", model, "--threads", 1)
    assert re.search(r"━+ 4/4  \d+\.\d s of audio a second  0:00:00 left  r0\d: make turns", text)
    assert terminal_text("run", few, "-o", tmp_path, "--model", model, "--quiet") == ""


# From Python


def test_records_say_what_became_of_each_recording(few, model, tmp_path):
    first = list(label_recordings([few], tmp_path, model=model, threads=1, formats=["rttm"]))
    assert sorted(record.recording for record in first) == ["r00", "r01", "r02", "r03"]
    for record in first:
        assert (record.state, record.source) == ("labelled", str(few / f"{record.recording}.wav"))
        assert record.paths == (tmp_path / f"{record.recording}.rttm",)
        assert record.duration == pytest.approx(soundfile.info(record.source).duration)
    again = label_recordings([few], tmp_path, model=model, threads=1, formats=["rttm"])
    assert {record.state for record in again} == {"skipped"}
    with pytest.raises(DiarizeError, match="--shard 3/2"):
        label_recordings([few], tmp_path, shard="3/2")


def test_an_abandoned_run_can_be_taken_up(few, model, tmp_path):
    records = label_recordings([few], tmp_path, model=model, threads=1)
    next(records)
    records.close()
    states = [record.state for record in label_recordings([few], tmp_path, model=model, threads=1)]
    assert sorted(states) == ["labelled", "labelled", "labelled", "skipped"]
