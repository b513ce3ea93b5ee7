"""The scripts that make the network of speech and overlap, on the demo's voices: from clips to a model."""

import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from planted import curve_without_seconds
from processes import run_by_torchrun, run_recipe, run_recipe_and_die, start
from safetensors.torch import load_file
from scripts import message
from small_onnx import write_segmentation

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.formats import read_rttm
from diarize.formats.kaldi import write_data_folder
from diarize.speech.activity import detect_activity, load_activity

pytestmark = pytest.mark.recipe

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PACK, TRAIN = (REPOSITORY / "recipes" / f"{name}.py" for name in ("pack_conversations", "train_activity"))
CONFIG = """
[features]
n_mels = 16
[network]
channels = [2, 4]
width = 8
dilations = [1, 2]
[training]
n_steps = 6
batch_size = 2
save_every = 2
"""


def make(script: Path, *words: object) -> None:
    process = start(run_recipe, script, *words)
    process.join()
    assert process.exitcode == 0


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("conf") / "small.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def packed(demo_recording, config, tmp_path_factory) -> Path:
    """Eight conversations of 6 s of the demo's four voices, with a noise and a room."""
    folder = tmp_path_factory.mktemp("activity")
    samples = load_audio(demo_recording)
    paths, speakers = {}, {}
    for number, turn in enumerate(read_rttm(demo_recording.with_suffix(".rttm"))):
        name = f"{turn.speaker}_{number:02d}"
        start, end = (round(time * SAMPLE_RATE) for time in (turn.segment.start, turn.segment.end))
        soundfile.write(folder / f"{name}.flac", samples[start:end], SAMPLE_RATE)
        paths[name], speakers[name] = str(folder / f"{name}.flac"), turn.speaker
    write_data_folder(folder / "data", paths, speakers)
    random = np.random.default_rng(0)
    (folder / "noise").mkdir()
    soundfile.write(folder / "noise" / "hiss.flac", random.normal(0, 0.1, 4 * SAMPLE_RATE), SAMPLE_RATE)
    (folder / "rooms").mkdir()
    response = np.exp(-np.arange(4000) / 800) * random.normal(0, 0.1, 4000)
    soundfile.write(folder / "rooms" / "room0_a.wav", response, SAMPLE_RATE)
    arguments = ["--data", folder / "data", "--config", config, "--n", 8, "--seconds", 6]
    arguments += ["--noise", folder / "noise", "--rooms", folder / "rooms"]
    arguments += ["--teacher", write_segmentation(folder / "teacher.onnx")]
    for name, processes in (("train", 2), ("again", 1)):
        make(PACK, *arguments, "--out", folder / name, "--nj", processes)
    return folder / "train"


def test_conversations_are_packed_the_same_by_any_number_of_processes(packed):
    for name, shape, dtype in (
        ("mel", (8, 600, 16), np.float16),
        ("silero", (8, 600), np.float16),
        ("voices", (8, 300), np.uint8),
        ("teacher", (8, 300, 2), np.float16),
    ):
        array = np.load(packed / f"{name}.npy")
        assert (array.shape, array.dtype) == (shape, dtype)
        assert np.array_equal(array, np.load(packed.parent / "again" / f"{name}.npy"))
    voices = np.load(packed / "voices.npy")
    assert 0.2 < (voices > 0).mean() < 0.95
    assert 0 < (voices > 1).mean() < 0.4
    heard = np.load(packed / "silero.npy")[:, ::2].astype(float)
    assert heard[voices > 0].mean() > heard[voices == 0].mean() + 0.3, "labels and sound belong together"
    taught = np.load(packed / "teacher.npy").astype(float)
    np.testing.assert_allclose(taught[..., 1], taught[..., 0] / 2, atol=1e-3)
    assert taught[voices > 0, 0].mean() > taught[voices == 0, 0].mean(), "this teacher hears what is loud"


def test_a_training_that_is_killed_ends_with_the_same_weights(packed, config, tmp_path):
    words = ["--data", packed, "--dev", packed, "--config", config]
    once, killed = tmp_path / "once", tmp_path / "killed"
    make(TRAIN, *words, "--out", once)
    for n_files in (2, 13, 17):
        process = start(run_recipe_and_die, killed, n_files, TRAIN, *words, "--out", killed)
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert (killed / "checkpoint.safetensors").exists()
    make(TRAIN, *words, "--out", killed)
    weights, again = (load_file(folder / "model" / "weights.safetensors") for folder in (once, killed))
    assert all((weights[name] == again[name]).all() for name in weights)
    curve = curve_without_seconds(once)
    assert curve == curve_without_seconds(killed)
    assert [row[0] for row in curve] == ["step", "2", "4", "6"]
    assert {"speech", "overlap", "dev_speech", "dev_overlap"} <= set(curve[0])
    network, features = load_activity(once / "model")
    assert (network.n_mels, features.n_mels) == (16, 16)
    heard = detect_activity([np.zeros(SAMPLE_RATE, np.float32)], once / "model")
    assert len(heard.speech) == 51


def test_torchrun_shares_the_work_and_the_first_process_writes(packed, config, tmp_path):
    words = ("--data", packed, "--dev", packed, "--config", config, "--out", tmp_path)
    done = run_by_torchrun(TRAIN, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'model'}: written\n"
    assert [row[0] for row in curve_without_seconds(tmp_path)] == ["step", "2", "4", "6"]
    assert load_activity(tmp_path / "model")[0].n_mels == 16


def test_a_training_that_goes_on_has_the_same_targets(packed, config, tmp_path, monkeypatch):
    words = ["--data", packed, "--dev", packed, "--config", config, "--out", tmp_path / "out"]
    make(TRAIN, *words, "--set", "loss.teacher_overlap=0.5")
    checkpoint = tmp_path / "out" / "checkpoint.safetensors"
    assert message(monkeypatch, TRAIN, *words) == (
        f"train_activity.py: {checkpoint}: written with other settings; remove it or use another folder"
    )


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("seconds=[1.0, 2.0]", "setting 'training.seconds' is not used: a batch has whole conversations, "),
        ("shuffle=segment", "setting 'training.shuffle' is not used: "),
        ("batches=sentences", "setting 'training.batches' is not used: "),
        ("validation_batches=3", "setting 'training.validation_batches' is not used: "),
        ("clip_gradient=-1", "setting 'clip_gradient': input should be greater than or equal to 0, got -1"),
    ],
)
def test_a_setting_is_used_or_refused(packed, config, tmp_path, monkeypatch, setting, expected):
    words = ["--data", packed, "--dev", packed, "--config", config, "--out", tmp_path / "out"]
    said = message(monkeypatch, TRAIN, *words, "--set", f"training.{setting}")
    assert said.startswith(f"train_activity.py: {config}: {expected}")
    said = message(monkeypatch, TRAIN, *words, "--set", "network.depth=3")
    assert said.startswith(
        f"train_activity.py: {config}: [network]: unknown setting 'depth'; known: n_mels, "
    )


def test_what_is_missing_is_told(packed, config, tmp_path, monkeypatch):
    words = ["--dev", packed, "--out", tmp_path / "out"]
    many = ["--data", packed, "--config", config, "--set", "training.batch_size=9"]
    assert message(monkeypatch, TRAIN, *words, *many) == (
        "train_activity.py: a batch needs 9 conversations, but 8 are packed; lower batch_size"
    )
    assert message(monkeypatch, TRAIN, *words, "--data", tmp_path, "--config", config) == (
        f"train_activity.py: {tmp_path / 'mel.npy'}: missing; make it with recipes/pack_conversations.py"
    )
    untaught = tmp_path / "untaught"
    untaught.mkdir()
    for name in ("mel", "silero", "voices"):
        (untaught / f"{name}.npy").symlink_to(packed / f"{name}.npy")
    words += ["--set", "loss.teacher_speech=1"]
    assert message(monkeypatch, TRAIN, *words, "--data", untaught, "--config", config) == (
        f"train_activity.py: {untaught / 'teacher.npy'}: missing; make it with recipes/pack_conversations.py "
        "--teacher FILE"
    )
    other = tmp_path / "other.toml"
    other.write_text(CONFIG.replace("n_mels = 16", "n_mels = 24"))
    assert message(monkeypatch, TRAIN, *words, "--data", packed, "--config", other) == (
        f"train_activity.py: {packed}: packed with 16 mels, but the network takes 24; pack them again"
    )


def test_a_missing_teacher_is_told_before_anything_is_packed(packed, config, tmp_path, monkeypatch):
    words = ["--data", packed.parent / "data", "--config", config, "--out", tmp_path / "out"]
    words += ["--noise", packed.parent / "noise", "--teacher", tmp_path / "net.onnx"]
    assert message(monkeypatch, PACK, *words) == (
        f"pack_conversations.py: {tmp_path / 'net.onnx'}: no such file; "
        "recipes/export_teacher.py segmentation makes one"
    )
    assert not (tmp_path / "out").exists()


def test_conversations_need_to_know_who_speaks(packed, config, tmp_path, monkeypatch):
    data = tmp_path / "data"
    write_data_folder(data, {"a": "a.wav"})
    words = ["--data", data, "--config", config, "--out", tmp_path, "--noise", packed.parent / "noise"]
    assert message(monkeypatch, PACK, *words) == (
        f"pack_conversations.py: {data}: needs whole recordings (no segments) with their speakers (utt2spk)"
    )
