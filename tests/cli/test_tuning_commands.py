"""The commands `diarize tune` and `diarize stability`."""

import shutil
import signal
import subprocess
import time

import pytest
import soundfile
from command_line import COMMAND, call, demo_samples, environment
from helpers import write_small_model

from diarize.config import load_config
from diarize.formats import read_rttm, write_rttm
from diarize.segments import Segment, crop


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def data(tmp_path_factory, demo_recording):
    """Two excerpts of the demo with references."""
    folder = tmp_path_factory.mktemp("data")
    soundfile.write(folder / "one.wav", demo_samples(12.0), 16000)
    turns = crop(read_rttm(demo_recording.with_suffix(".rttm")), [Segment(0, 12)])
    write_rttm(turns, folder / "one.rttm")
    for suffix in (".wav", ".rttm"):
        shutil.copy(folder / f"one{suffix}", folder / f"two{suffix}")
    return folder


def test_tune_writes_settings_that_load(data, model, tmp_path):
    output = tmp_path / "new" / "tuned.toml"
    words = ["tune", data, "-o", output, "--budget", "8", "--set", f"embedding.model={model}", "--threads", 1]
    done = call(*words)
    assert (done.status, done.err) == (0, "")
    assert "the defaults are kept" in done.out
    assert "scored region: reference and result extent" in done.out
    assert done.out.endswith(f"written: {output}\n")
    assert load_config(output).embedding.model == str(model)
    text = output.read_text()
    assert text.startswith("# Written by diarize tune on 2")
    assert "# gain, cross-validated" in text
    assert [path.name for path in output.parent.iterdir()] == ["tuned.toml"]
    again = call(*words)
    assert (again.status, again.out) == (2, "")
    assert again.err == f"diarize: {output}: exists; give --force to overwrite it\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--budget", "0"], "--budget 0: write a number of settings, such as 100, or a time, such as 30m"),
        (["--budget", "1d"], "--budget 1d: write a number of settings"),
        (["--preset", "nonsense"], "no preset 'nonsense'"),
        (["--set", "turns.nonsense=1"], "unknown setting 'turns.nonsense'"),
        (["--reference", "/nonsense.rttm"], "/nonsense.rttm"),
    ],
)
def test_wrong_options_are_one_line(options, said, data, tmp_path):
    done = call("tune", data, "-o", tmp_path / "a.toml", *options)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("diarize: ")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_references_stability_is_named(demo_recording, tmp_path):
    shutil.copy(demo_recording, tmp_path)
    done = call("tune", tmp_path, "-o", tmp_path / "a.toml")
    assert done.status == 2
    assert "Without references, 'diarize stability' says which results to check" in done.err


@pytest.mark.slow
def test_after_an_interruption_the_same_command_goes_on(data, model, tmp_path):
    output = tmp_path / "tuned.toml"
    words = ["tune", data, "-o", output, "--budget", "20", "--set", f"embedding.model={model}"]
    command = [*COMMAND, *map(str, words)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    journal = tmp_path / "tuned.toml.scores.jsonl"
    while not (journal.exists() and journal.read_text().count("\n") > 3):
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate()
    assert running.returncode == 130
    assert err.decode() == (
        f"diarize: interrupted; the scores are kept in {journal}, and the same command goes on\n"
    )
    assert not output.exists()
    assert call(*words).status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["tuned.toml"]


def test_stability_lists_the_recordings(data, model):
    done = call("stability", data, "--set", f"embedding.model={model}", "--threads", 1)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(
        "disagreement with the unchanged result, as DER in %, collar 0\n\n| recording | mean |"
    )
    assert done.out.count("\n| ") == 3


def test_a_recording_that_fails_does_not_stop_the_others(data, model, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"nonsense")
    done = call("stability", broken, data / "one.wav", "--set", f"embedding.model={model}")
    assert done.status == 2
    assert "broken.wav" in done.err
    assert "| one " in done.out
