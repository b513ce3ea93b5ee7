"""Whatever a user gives: a result, or one line on stderr that says what is wrong, and exit status 2."""

import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import call, complaint, demo_samples, process
from helpers import write_small_model

from diarize.formats import read_rttm
from diarize.segments import speech_of

SPEECH = demo_samples()
NOISE = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.wav"
    soundfile.write(path, SPEECH, 16000)
    return path


def seconds_of_speech(path):
    return sum(segment.duration for segment in speech_of(read_rttm(path)))


# Recordings that give a result

UNUSUAL = {
    "clipped": (np.clip(20 * SPEECH, -1, 1), 16000),
    "offset": (0.5 * SPEECH + 0.4, 16000),
    "eight channels": (np.repeat(SPEECH[:, None], 8, axis=1), 16000),
    "96 kHz": (np.interp(np.arange(6 * len(SPEECH)) / 6, np.arange(len(SPEECH)), SPEECH), 96000),
    "8 kHz": (SPEECH[::2], 8000),
    "quiet": (0.1 * SPEECH, 16000),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_speech_in_an_unusual_recording_is_found(name, model, tmp_path, good):
    path = tmp_path / "unusual.wav"
    soundfile.write(path, *UNUSUAL[name], subtype="FLOAT")
    done = call("run", good, path, "--model", model, "-o", tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    expected = seconds_of_speech(tmp_path / "out" / "good.rttm")
    assert seconds_of_speech(tmp_path / "out" / "unusual.rttm") == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(32000),
        np.zeros(1),
        SPEECH[16000:19200],
        NOISE.choice([-1 / 32768, 1 / 32768], 32000),
        NOISE.choice([-1.0, 1.0], 32000),
        np.ones(32000),
    ],
    ids=["zeros", "one sample", "0.2 s", "1-bit noise, quiet", "1-bit noise, loud", "nothing but offset"],
)
def test_a_recording_with_hardly_anything_in_it_is_a_result(samples, model, tmp_path):
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    done = call("run", tmp_path / "a.wav", "--model", model, "-o", tmp_path / "out")
    assert done.status == 0
    turns = read_rttm(tmp_path / "out" / "a.rttm")
    assert all(turn.segment.end <= len(samples) / 16000 + 0.001 for turn in turns)
    assert ("a: no speech was found" in done.err) == (not turns)
    if not turns:
        assert "why: 0 speakers: no speech was found" in done.out


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_truncated_recording_gives_what_it_holds_and_a_warning(suffix, model, tmp_path):
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    soundfile.write(whole, SPEECH, 16000)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    done = call("run", cut, "--model", model)
    assert done.status == 0
    assert len(done.err.splitlines()) == 1, done.err
    assert f"{cut}: decoding stopped at " in done.err
    assert "of 8.0 s" in done.err
    assert done.out.startswith("SPEAKER cut 1 ")


# Recordings that give none


def not_finite(path):
    samples = SPEECH.copy()
    samples[16000:16100] = np.nan
    soundfile.write(path, samples, 16000, subtype="FLOAT")


BAD_FILES = {
    "missing": (lambda path: None, "no such file; check the path"),
    "empty": (lambda path: path.write_bytes(b""), "empty file (0 bytes); copy or record it again"),
    "text": (lambda path: path.write_text("Dear diary,\n" * 50), "not audio that FFmpeg can read"),
    "header": (lambda path: soundfile.write(path, np.zeros(0), 16000), "0 samples"),
    "NaN": (not_finite, "the sample at 1.000 s is nan; export it again"),
    "folder": (lambda path: path.mkdir(), "no audio files"),
    "pipe": (os.mkfifo, "not a regular file"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "no such file"),
}


@pytest.mark.parametrize("command", ["run", "embed"])
@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_recording_is_told_in_one_line(name, command, model, tmp_path):
    make, expected = BAD_FILES[name]
    path = tmp_path / "bad.wav"
    make(path)
    output = ["-o", tmp_path / "out.npz"] if command == "embed" else []
    done = call(command, path, "--model", model, *output)
    line = complaint(done)
    assert line.startswith(f"{path}: ")
    assert expected in line
    assert done.out == ""
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("name", ["a" * 300 + ".wav", "a" * 5000])
def test_a_name_too_long_is_told(name, model):
    assert "cannot be read (File name too long)" in complaint(call("run", name, "--model", model))


def test_a_channel_that_is_not_there_is_told(good, model):
    line = complaint(call("run", good, "--channel", 2, "--model", model))
    assert line == f"{good}: has 1 channel, no channel 2; choose another"


def test_a_name_that_is_no_text_gives_a_result(model, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    soundfile.write(tmp_path / "a.wav", SPEECH, 16000)
    (tmp_path / "a.wav").rename(folder / os.fsdecode(b"caf\xe9.wav"))
    done = call("run", folder, "--model", model, "-o", tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    names = sorted(os.fsencode(path.name) for path in (tmp_path / "out").iterdir())
    assert names == [b"caf\xe9.json", b"caf\xe9.rttm"]


# Permissions and disks


def as_a_user_without_privileges():
    """Words before a command: root without what lets root ignore permissions; nothing for another user."""
    if os.geteuid() != 0:
        return []
    if sys.platform != "linux" or shutil.which("setpriv") is None:
        pytest.skip("root ignores permissions, and there is no setpriv to take that from it")
    words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("root ignores permissions, and may not give that up here")
    return words


def test_a_recording_that_may_not_be_read_is_told_and_the_others_are_written(good, model, tmp_path):
    words = as_a_user_without_privileges()
    locked, closed = tmp_path / "locked.wav", tmp_path / "closed"
    soundfile.write(locked, SPEECH, 16000)
    locked.chmod(0)
    closed.mkdir()
    soundfile.write(closed / "inside.wav", SPEECH, 16000)
    closed.chmod(0)
    arguments = ["--model", model, "--threads", 1, "-o", tmp_path / "out"]
    done = process("run", good, locked, closed / "inside.wav", *arguments, before=words)
    closed.chmod(0o700)
    assert done.status == 2
    assert done.err.splitlines() == [
        f"diarize: {locked}: permission denied; make it readable (chmod +r)",
        f"diarize: {closed / 'inside.wav'}: permission denied; make it readable (chmod +r)",
        "diarize: 2 of 3 recordings failed, see above",
    ]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["good.json", "good.rttm", "journal.sqlite"]


@pytest.mark.parametrize("command", ["run", "embed", "convert"])
def test_a_folder_that_may_not_be_written_to_is_told_before_any_work(command, good, tmp_path):
    words = as_a_user_without_privileges()
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    rttm = tmp_path / "a.rttm"
    rttm.write_text("SPEAKER a 1 0.0 1.0 <NA> <NA> A <NA> <NA>\n")
    arguments = {
        "run": [good, "-o", folder, "--model", "none"],
        "embed": [good, "-o", folder / "a.npz", "--model", "none"],
        "convert": [rttm, "-o", folder / "a.csv"],
    }
    line = complaint(process(command, *arguments[command], before=words))
    assert line.startswith(str(folder))
    assert "the folder cannot be written to" in line or "Permission denied" in line


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_file_where_the_output_folder_should_be_is_told(below, good, tmp_path):
    (tmp_path / "out").write_text("")
    line = complaint(call("run", good, "-o", f"{tmp_path / 'out'}{below}", "--model", "none"))
    assert line.startswith(f"{tmp_path / 'out'}{below}: the folder for results cannot be made (")
    line = complaint(call("embed", good, "-o", f"{tmp_path / 'out'}{below}/a.npz", "--model", "none"))
    assert "the folder for results cannot be made" in line


def test_a_folder_where_an_output_file_should_be_is_told_even_with_force(good, model, tmp_path):
    (tmp_path / "out" / "good.rttm").mkdir(parents=True)
    line = complaint(call("run", good, "-o", tmp_path / "out", "--force", "--model", model))
    assert line == f"{tmp_path / 'out' / 'good.rttm'}: cannot be written (not a regular file)"


@contextmanager
def largest_file(n_bytes):
    """No file may grow beyond this: writing on fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))  # Python ignores SIGXFSZ, so this is an error
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    "output", ["json", "rttm", "eaf", "a.npz", "a.parquet", "a.tsv", "a.ark"], ids=lambda name: name
)
def test_a_file_that_cannot_be_finished_is_told_and_an_older_one_stays(output, good, model, tmp_path):
    if output.startswith("a."):
        path, command = tmp_path / "out" / output, "embed"
        arguments = ["-o", path]
    else:
        path, command = tmp_path / "out" / f"good.{output}", "run"
        arguments = ["-o", path.parent, "--format", output]
    path.parent.mkdir()
    path.write_text("older")
    call("run", good, "--model", model)  # loads what is loaded late: that writes no file any more
    with largest_file(100):
        done = call(command, good, "--model", model, "--force", "--quiet", *arguments)
    line = complaint(done)
    begun = f"{path}.parts/settings.json" if command == "embed" else path
    assert line.startswith(f"{begun}: cannot be written (")
    assert line.endswith("File too large)")
    assert [file.name for file in path.parent.rglob("*") if file.is_file()] == [path.name]
    assert path.read_text() == "older"


@pytest.mark.parametrize("output", ["good.rttm", "a.parquet"])
def test_what_a_killed_command_left_half_written_is_removed(output, good, model, tmp_path):
    path = tmp_path / "out" / output
    path.parent.mkdir()
    path.with_name(f".{path.stem}.0123abcd{path.suffix}").write_text("half")
    command, where = ("run", path.parent) if output == "good.rttm" else ("embed", path)
    assert call(command, good, "--model", model, "-o", where).status == 0
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []


def test_a_full_disk_is_told(good, model, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        with pytest.raises(OSError, match="No space"):
            (disk / "full").write_bytes(bytes(8192))
        done = call("run", good, "--model", model, "-o", disk / "out", "--format", "json")
        assert list((disk / "out").iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)
    assert complaint(done) == f"{disk / 'out' / 'good.json'}: cannot be written (No space left on device)"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_stdout_is_told(tmp_path):
    (tmp_path / "a.rttm").write_text("SPEAKER a 1 0.0 1.0 <NA> <NA> A <NA> <NA>\n")
    done = process(
        "score", tmp_path / "a.rttm", tmp_path / "a.rttm", before=["sh", "-c", '"$@" >/dev/full', "-"]
    )
    assert complaint(done) == "stdout cannot be written (No space left on device)"


# Files beside the recording

WRONG_RTTM = "SPEAKER good 1 0.0 1.0 <NA> <NA> A <NA> <NA>\nSPEAKER good 1 zero 1.0 <NA> <NA> A <NA> <NA>\n"


def test_a_wrong_line_of_rttm_is_named(good, model, tmp_path):
    rttm = tmp_path / "wrong.rttm"
    rttm.write_text(WRONG_RTTM)
    fine = tmp_path / "fine.rttm"
    fine.write_text(WRONG_RTTM.splitlines()[0] + "\n")
    commands = [
        ["run", good, "--speech", rttm, "--model", model],
        ["embed", good, "--speech", rttm, "--model", model, "-o", tmp_path / "a.npz"],
        ["score", fine, rttm],
        ["score", rttm, fine],
        ["convert", rttm, "-o", tmp_path / "a.csv"],
    ]
    for command in commands:
        assert complaint(call(*command)).startswith(
            f"{rttm}, line 2: 'zero' is no start (SPEAKER good 1 zero"
        )
    assert not (tmp_path / "a.csv").exists()


SPEECH_FILES = {
    "missing.rttm": (None, "cannot be read (No such file or directory)"),
    "speech.txt": ("", "speech is read from .rttm, .uem, .lab"),
    "other.rttm": (WRONG_RTTM.splitlines()[0].replace("good", "other"), "no speech of recording good in it"),
    "other.uem": ("other 1 0 1\n", "no speech of recording good in it"),
    "wrong.uem": ("good 1 0\n", "line 1: 3 fields, UEM has 4"),
    "wrong.lab": ("0 1 A\n1 0 A\n", "line 2: ends at 0, not after its start 1"),
}


@pytest.mark.parametrize("name", SPEECH_FILES)
def test_speech_that_cannot_be_used_is_told(name, good, model, tmp_path):
    content, expected = SPEECH_FILES[name]
    if content is not None:
        (tmp_path / name).write_text(content)
    line = complaint(call("run", good, "--speech", tmp_path / name, "--model", model))
    assert line.startswith(str(tmp_path / name))
    assert expected in line


def test_a_label_file_cannot_be_the_speech_of_two_recordings(good, tmp_path):
    (tmp_path / "a.lab").write_text("0 1 speech\n")
    line = complaint(call("run", good, tmp_path / "b.wav", "--speech", tmp_path / "a.lab", "--model", "none"))
    assert line.endswith("a label file is for one recording; give a folder with one for each")


def test_a_folder_of_speech_without_the_recording_is_told(good, model, tmp_path):
    (tmp_path / "speech").mkdir()
    line = complaint(call("run", good, "--speech", tmp_path / "speech", "--model", model))
    assert line == f"{tmp_path / 'speech'}: no good.rttm, .uem or .lab in it"


# Settings and options: told before the model is loaded or the recording is opened

WRONG_OPTIONS = {
    "--set speech.treshold=0.3": "settings: unknown setting 'speech.treshold'; known: detector, threshold, ",
    "--set spech.threshold=0.3": "settings: unknown setting 'spech'; known: speech, embedding, clustering, ",
    "--set speech": "--set speech: write it as NAME=VALUE, for example speech.threshold=0.3",
    "--set speech=3": "settings: setting 'speech': input should be",
    "--set speech.threshold=2": "setting 'speech.threshold': input should be less than or equal to 1, got 2",
    "--set turns.smoothing=2": "setting 'turns.smoothing': input should be odd, got 2",
    "--threshold nan": "setting 'clustering.threshold': input should be a finite number, got nan",
    "--set speech.threshold=high": "setting 'speech.threshold': input should be a valid number",
    "--set speech.threshold.x=1": "setting 'speech.threshold': ",
    "--set clustering.options.depth=3": "clusterer 'agglomerative' has no parameter 'depth'; known: ",
    "--set clustering.options.threshold=1": "threshold': write 'clustering.threshold' instead",
    "--clusterer kmeans": "unknown clusterer 'kmeans'; known: agglomerative, dominant-sets, ",
    "--format mp3": "unknown format 'mp3'; known: rttm, json, csv, srt, vtt, textgrid, eaf, audacity, lab",
    "--format rttm --format json": "several formats need a folder; give one with --output",
    "--device tpu": "unknown device 'tpu'; known: auto, cuda, cpu, mps",
    "--min-speakers 3 --max-speakers 2": "min_speakers=3 is more than max_speakers=2",
    "--num-speakers 3 --max-speakers 2": "n_speakers=3 is more than max_speakers=2",
    "--config missing.toml": "missing.toml: cannot be read (No such file or directory)",
}


@pytest.mark.parametrize("options", WRONG_OPTIONS)
def test_a_wrong_option_is_told_once_before_any_work(options, good, model):
    line = complaint(call("run", good, good.with_name("other.wav"), "--model", model, *options.split(" ")))
    assert WRONG_OPTIONS[options] in line


def test_a_wrong_config_file_is_told(good, tmp_path):
    config = tmp_path / "conf.toml"
    for content, expected in [
        ("[speech]\nthreshhold = 0.3\n", "unknown setting 'speech.threshhold'; known: detector, threshold"),
        ("[speech\n", "not TOML: "),
        ("speech = 3\n", "setting 'speech': "),
    ]:
        config.write_text(content)
        line = complaint(call("run", good, "--config", config, "--model", "none"))
        assert line.startswith(f"{config}: {expected}")


def test_a_wrong_parameter_of_the_clusterer_is_told(good, model):
    line = complaint(call("run", good, "--set", "clustering.options.linkage=nearest", "--model", model))
    assert line == "good: unknown linkage 'nearest'; known: ward, average, complete"


def test_more_speakers_than_windows_are_told(good, model):
    line = complaint(call("run", good, "--num-speakers", 50, "--model", model))
    assert line.startswith("good: ")
    assert "windows cannot be 50 speakers; ask for at most " in line


def test_an_unknown_model_is_told_with_the_bundled_ones(good, tmp_path):
    line = complaint(call("run", good, "--model", "nonesuch"))
    assert line.startswith("no model folder nonesuch; bundled models:")
    (tmp_path / "empty").mkdir()
    line = complaint(call("run", good, "--model", tmp_path / "empty"))
    assert line == f"model folder {tmp_path / 'empty'}: no config.toml"


def test_a_model_with_broken_weights_is_told(good, model, tmp_path):
    broken = shutil.copytree(model, tmp_path / "broken")
    weights = broken / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert complaint(call("run", good, "--model", broken)).startswith(
        f"{broken / 'weights.safetensors'}: weights do not fit"
    )


def test_existing_output_is_refused_without_force(good, model, tmp_path):
    out = tmp_path / "out"
    assert call("run", good, "--model", model, "-o", out).status == 0
    (out / "good.rttm").unlink()
    (out / "good.json").write_text("mine")
    line = complaint(call("run", good, "--model", model, "-o", out))
    assert line == f"{out / 'good.json'}: exists; give --force to overwrite it"
    assert [path.name for path in out.iterdir()] == ["good.json"]
    assert (out / "good.json").read_text() == "mine"
    assert call("run", good, "--model", model, "-o", out, "--force").status == 0
    assert (out / "good.json").read_text() != "mine"


@pytest.mark.parametrize("suffix", [".ark", ".scp", ".segments", ".utt2spk"])
def test_no_part_of_an_archive_is_overwritten_without_force(suffix, good, tmp_path):
    mine = tmp_path / f"a{suffix}"
    mine.write_text("mine")
    line = complaint(call("embed", good, "-o", tmp_path / "a.ark", "--model", "none"))
    assert line == f"{mine}: exists; give --force to overwrite it"
