"""Recordings labelled on a Dask cluster: workers that are killed, other versions, files not seen."""

import os
import re
import signal
import sys
import time

import pytest
import soundfile
from command_line import call, complaint, demo_samples
from helpers import write_small_model
from processes import free_port, run_cluster, start

from diarize.batch import label_recordings
from diarize.batch.cluster import label_on_cluster
from diarize.batch.jobs import Job
from diarize.batch.labelling import Finished, Labelling, Started
from diarize.errors import DiarizeError

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("in") / "a.wav"
    soundfile.write(path, demo_samples(3.0), 16000)
    return path


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The file of a scheduler with two workers, for which a second death is one too many."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    cluster = start(run_cluster, file, 2, 1)
    while not file.exists():
        assert cluster.is_alive()
        time.sleep(0.01)
    yield str(file)
    os.killpg(cluster.pid, signal.SIGKILL)
    cluster.join()


def write_data(folder, commands):
    """A data folder with these commands by recording."""
    folder.mkdir(exist_ok=True)
    lines = [f"{name} {command} |\n" for name, command in sorted(commands.items())]
    (folder / "wav.scp").write_text("".join(lines))
    return folder


def test_workers_that_are_killed_lose_nothing_and_nothing_is_done_twice(scheduler, model, sound, tmp_path):
    data = tmp_path / "data"
    commands = {name: f"echo >> {data}/begun-{name}; cat {sound}" for name in "ab"}
    once = f"[ -e {data}/died ] || {{ touch {data}/died; kill -9 $PPID; }}; cat {sound}"
    write_data(data, {**commands, "always": "kill -9 $PPID", "once": once})
    words = ("run", data, "--allow-pipes", "--model", model, "--format", "rttm")
    done = call(*words, "-o", tmp_path / "out", "--scheduler", scheduler)
    assert done.status == 2
    died = "2 workers died while they labelled it, perhaps for lack of memory"
    assert f"always: {died}; it is labelled again later" in done.err
    assert f"diarize: always: {died}, also when nothing else runs" in done.err
    assert "diarize: 1 of 4 recordings failed, see above" in done.err
    # Another one may die with it, or a result; a death is known if the worker had said that it begins.
    known = rf"(a|b|once|always): ({died}; it is|the worker that labels it is gone; it is) labelled again.*"
    others = [line for line in done.err.splitlines() if not re.fullmatch(known, line)]
    assert all(line.startswith(("Couldn't gather", "diarize: ")) for line in others), others
    results = {path.stem: path.read_text() for path in (tmp_path / "out").glob("*.rttm")}
    assert sorted(results) == ["a", "b", "once"]
    assert len({text.replace(f" {name} ", " x ") for name, text in results.items()}) == 1
    begun = [len((data / f"begun-{name}").read_text().splitlines()) for name in "ab"]
    assert sum(begun) <= 2 + 2 * 3, "a death costs what is running, and a result that is not fetched"
    write_data(data, {**commands, "once": once})
    assert "skipped 3 of 3 recordings: done before" in call(*words, "-o", tmp_path / "out").out


def test_what_no_worker_has_begun_is_taken_back(scheduler, model, sound, tmp_path):
    go = tmp_path / "go"
    data = write_data(tmp_path / "data", {})
    jobs = [Job(f"r{i}", f"until [ -e {go} ]; do sleep 0.01; done; cat {sound} |") for i in range(9)]
    stopped, seen = [], []
    options = (Labelling(model=model), ("rttm",), scheduler, 1, lambda: bool(stopped))
    for event in label_on_cluster((job for job in jobs if not stopped), *options):
        seen.append(event)
        if len(seen) == 2:
            stopped.append(True)
            go.touch()
    begun = {event.job.recording for event in seen if isinstance(event, Started)}
    assert {event.job.recording for event in seen if isinstance(event, Finished)} == begun
    assert 2 <= len(begun) <= 4, "two are running, and two may have been begun before they were taken back"
    assert not list(data.glob("r*"))


def test_a_machine_with_another_version_or_model_ends_the_run(scheduler, model, sound, tmp_path, monkeypatch):
    options = {"model": model, "scheduler": scheduler}
    monkeypatch.setattr("diarize.batch.settings_hash.__version__", "9.9")
    with pytest.raises(
        DiarizeError, match=r"^worker tcp:\S+ on \S+: has diarize 0.1.0 \S+ \S+ \S+, not 9.9 "
    ):
        list(label_recordings([sound], tmp_path, **options))
    monkeypatch.undo()
    monkeypatch.setattr("diarize.batch.settings_hash._model_files", lambda how: [sound])
    with pytest.raises(DiarizeError, match=r"has other files of the models; copy the same models"):
        list(label_recordings([sound], tmp_path, **options))


def test_a_file_that_a_worker_does_not_see_is_named(scheduler, model, sound, tmp_path):
    from diarize.batch.cluster import _make_task
    from diarize.batch.cluster_worker import label_on_worker

    task = _make_task(Labelling(model=model), ("rttm",), 1)
    with distributed.Client(scheduler_file=scheduler, set_as_default=False) as client:
        failed = client.submit(label_on_worker, task, 0, Job("b", "/nowhere/b.wav"), True).result()
    assert failed.error.startswith("/nowhere/b.wav: not on ")
    assert failed.error.endswith("; put recordings on a file system that all machines share")
    (record,) = label_recordings(["/nowhere/b.wav"], tmp_path, model=model, scheduler=scheduler)
    assert record.message == "/nowhere/b.wav: no such file; check the path", "it is not here, either"


def test_a_scheduler_that_is_not_there_is_named(sound, tmp_path, monkeypatch):
    import dask

    address = f"tcp://127.0.0.1:{free_port()}"
    with dask.config.set({"distributed.comm.timeouts.connect": "50 ms"}):
        line = complaint(call("run", sound, "-o", tmp_path, "--scheduler", address))
    assert line.startswith(f"{address}: no Dask scheduler answers (")
    line = complaint(call("run", sound, "-o", tmp_path, "--scheduler", "tls://127.0.0.1:9"))
    remedy = "name them in Dask's configuration, distributed.comm.tls"
    assert line == f"tls://127.0.0.1:9: there are no certificates to reach it; {remedy}"
    line = complaint(call("run", sound, "-o", tmp_path, "--scheduler", tmp_path / "s.json"))
    assert line == f"{tmp_path / 's.json'}: no such file; `dask scheduler --scheduler-file` writes it"
    line = complaint(call("run", sound, "-o", tmp_path, "--scheduler", address, "--jobs", 2))
    assert line == "--jobs is for this machine, --scheduler for a cluster; give one of them"
    monkeypatch.setitem(sys.modules, "distributed", None)
    line = complaint(call("run", sound, "-o", tmp_path, "--scheduler", address))
    remedy = "pip install 'diarize-toolkit[cluster]'"
    assert line == f"--scheduler needs Dask; distributed is not installed: {remedy}"
