"""The scripts that make the bundled model, on a corpus of the demo's turns: from files to a model folder."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scripts
import soundfile
from helpers import write_small_model
from scripts import call, message
from small_onnx import DIM, write_model

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.audio.features import FeatureConfig, log_mel
from diarize.embedding.catalog import describe_folder, read_card
from diarize.embedding.embedder import Embedder
from diarize.embedding.models import load_model
from diarize.embedding.onnx import OnnxNetwork
from diarize.formats import read_rttm
from diarize.formats.kaldi import read_data_folder, write_data_folder
from diarize.scoring.verification import make_trials
from diarize.training.augment import change_speed
from diarize.training.packed import PackedFeatures

pytestmark = pytest.mark.recipe

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PREPARE = REPOSITORY / "egs" / "voices" / "local" / "prepare_data.py"
PACK = REPOSITORY / "recipes" / "pack_features.py"
TEACH = REPOSITORY / "recipes" / "embed_teacher.py"
TRAIN = REPOSITORY / "recipes" / "train_embedding.py"
SCORE = REPOSITORY / "recipes" / "score_verification.py"
CARD = REPOSITORY / "recipes" / "write_model_card.py"

CONFIG = """
[features]
n_mels = 16
[pack]
speeds = [1.0, 1.0, 0.9]
augmented = [false, true, true]
[network]
channels = [4, 4, 8]
heads = 2
dim = 8
[loss]
distillation = 0
[training]
n_steps = 6
n_speakers = 4
seconds = [0.3, 0.5]
save_every = 3
"""


def run(script: Path, *arguments: object) -> str:
    done = scripts.run(script, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def corpus(demo_recording, tmp_path_factory) -> Path:
    """corpus/rms/rms_00.flac and so on: the demo's 25 turns, four speakers."""
    folder = tmp_path_factory.mktemp("made") / "corpus"
    samples = load_audio(demo_recording)
    for number, turn in enumerate(read_rttm(demo_recording.with_suffix(".rttm"))):
        path = folder / turn.speaker / f"{turn.speaker}_{number:02d}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        start, end = (round(time * SAMPLE_RATE) for time in (turn.segment.start, turn.segment.end))
        soundfile.write(path, samples[start:end], SAMPLE_RATE)
    return folder


@pytest.fixture(scope="module")
def data(corpus, tmp_path_factory) -> Path:
    """One data folder of the whole corpus: nobody is held out."""
    out = tmp_path_factory.mktemp("data")
    assert run(PREPARE, "--corpus", corpus.parent, "--out", out, "--only", "corpus").endswith(
        "4 speakers, 25 recordings\n"
    )
    return out / "unseen"


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("conf") / "small.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def features(data, config, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("features")
    said = run(PACK, "--data", data, "--config", config, "--out", out, "--nj", 1)
    assert said == f"{out}: 25 recordings, 4 speakers, speeds [0.9, 1.0]\n"
    return out


@pytest.fixture(scope="module")
def trained(features, data, config, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("exp") / "net"
    said = run(TRAIN, "--features", features, "--config", config, "--out", out, "--dev", data)
    assert said == f"{out / 'model'}: written\n"
    return out


def test_a_data_folder_has_its_speakers_and_groups(data):
    folder = read_data_folder(data)
    assert len(folder.wav_scp) == 25
    assert set(folder.utt2spk.values()) == {"corpus-slt", "corpus-rms", "corpus-ked", "corpus-kal"}
    assert all(Path(path).is_file() for path in folder.wav_scp.values())
    assert all(key.startswith(folder.utt2spk[key]) for key in folder.wav_scp)
    groups = dict(line.split() for line in (data / "utt2group").read_text().splitlines())
    assert groups == dict.fromkeys(folder.wav_scp, "corpus")


def test_sexes_come_from_the_manifests(corpus, tmp_path, monkeypatch):
    made = tmp_path / "made"
    made.mkdir()
    (made / "corpus").symlink_to(corpus)
    rows = ["corpus,slt,f", "corpus,slt,f", "corpus,rms,m", "corpus,ked,?", "corpus,kal,m", "corpus,kal,f"]
    for name, text in (("a", "corpus,speaker,sex\n"), ("b", "speaker,colour\nslt,blue\n")):
        (made / name).mkdir()
        (made / name / "manifest.csv").write_text(text + "\n".join(rows) * (name == "a"))
    prepare(monkeypatch, "--corpus", made, "--out", tmp_path, "--only", "corpus")
    assert (tmp_path / "unseen" / "spk2gender").read_text() == "corpus-rms m\ncorpus-slt f\n"


def test_rates_are_by_corpus_and_of_the_model_by_sex_and_language(trained, data, tmp_path, monkeypatch):
    """Each voice stands for three speakers; those of two speak one language, those of two are women."""
    folder = tmp_path / "many"
    shutil.copytree(data, folder)
    whole = read_data_folder(data)
    utt2spk = {u: f"{whole.utt2spk[u]}-{number % 3}" for number, u in enumerate(sorted(whole.wav_scp))}
    write_data_folder(folder, whole.wav_scp, utt2spk)
    spoken = {u: "corpus-xx" if "slt" in u or "kal" in u else "corpus" for u in whole.wav_scp}
    (folder / "utt2group").write_text("".join(f"{u} {spoken[u]}\n" for u in sorted(spoken)))
    women = sorted({speaker for speaker in utt2spk.values() if "slt" in speaker or "rms" in speaker})
    (folder / "spk2gender").write_text("".join(f"{speaker} f\n" for speaker in women))
    peer, out = write_model(tmp_path), tmp_path / "scores.json"
    call(monkeypatch, SCORE, "--data", folder, "--model", trained / "model", "--peer", peer, "--out", out)
    rows = json.loads(out.read_text())
    kept = [(row["system"], row.get("corpus"), row.get("part"), row["n_speakers"]) for row in rows[:5]]
    assert kept == [
        ("MFCC statistics", "corpus", None, 12),
        ("model", "corpus", None, 12),
        ("model", None, "female", 6),
        ("model", None, "corpus-xx", 6),
        ("net", "corpus", None, 12),
    ]
    female = [u for u in sorted(utt2spk) if utt2spk[u] in women]
    _, same = make_trials([utt2spk[u] for u in female], [spoken[u] for u in female])
    assert rows[2]["n_trials"] == len(same)
    assert all(0 <= row["interval"][0] <= row["interval"][1] <= 1 for row in rows)
    table = out.with_suffix(".md").read_text()
    assert "| many | corpus (12) | net |" in table
    assert "| set | part (speakers) | whole | 3 s | 1.5 s |" in table
    assert "| many | female (6) | " in table
    assert list(read_card(out.with_suffix(".md"), "model")) == ["many, corpus"], "a part is no corpus"


def prepare(monkeypatch, *arguments: object) -> None:
    call(monkeypatch, PREPARE, *arguments)


def speakers_of(folder: Path) -> set[str]:
    return set(read_data_folder(folder).utt2spk.values())


def test_every_speaker_is_in_one_set_even_when_there_are_few(corpus, tmp_path, monkeypatch):
    """The bundled lists know none of these speakers: a hash decides, and may hold out nobody."""
    prepare(monkeypatch, "--corpus", corpus, "--out", tmp_path)
    sets = [speakers_of(tmp_path / name) for name in ("train", "dev", "test")]
    assert set().union(*sets) == {"slt", "rms", "ked", "kal"}
    assert sum(map(len, sets)) == 4
    assert len(sets[0]) >= 2


def test_lists_decide_who_is_held_out(corpus, tmp_path, monkeypatch):
    lists = {"dev": "ked # tried on\n\n# nobody else\n", "test": "kal\n", "exclude": "slt\n"}
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    options = [part for name in lists for part in (f"--{name}", tmp_path / name)]
    prepare(monkeypatch, "--corpus", corpus, "--out", tmp_path / "data", *options)
    found = {name: speakers_of(tmp_path / "data" / name) for name in ("train", "dev", "test")}
    assert found == {"train": {"rms"}, "dev": {"ked"}, "test": {"kal"}}


def test_many_speakers_are_held_out_by_a_hash_that_stays(tmp_path, monkeypatch):
    for number in range(200):
        path = tmp_path / "corpus" / "books" / f"en_{number:03d}" / "a.wav"
        path.parent.mkdir(parents=True)
        path.touch()
    for out in ("a", "b"):
        prepare(monkeypatch, "--corpus", tmp_path / "corpus", "--out", tmp_path / out)
    found = {name: speakers_of(tmp_path / "a" / name) for name in ("train", "dev", "test")}
    assert found == {name: speakers_of(tmp_path / "b" / name) for name in found}
    assert 4 <= len(found["dev"]) <= 18
    assert 4 <= len(found["test"]) <= 18
    assert len(found["train"]) == 200 - len(found["dev"]) - len(found["test"])
    assert "books-en" in (tmp_path / "a" / "dev" / "utt2group").read_text()


def test_packed_features_hold_every_copy(features, data):
    packed = PackedFeatures.load(features)
    assert packed.clip.tolist() == [clip for clip in range(25) for _ in range(3)]
    names = (features / "speakers.txt").read_text().split()
    assert names == [
        f"corpus-{name}@{speed}" for speed in (0.9, 1.0) for name in ("kal", "ked", "rms", "slt")
    ]
    folder = read_data_folder(data)
    utterances = sorted(folder.wav_scp)
    for row in range(75):
        speaker = folder.utt2spk[utterances[packed.clip[row]]]
        assert names[packed.speaker[row]] == f"{speaker}@{(1.0, 1.0, 0.9)[row % 3]}"
    clean, slow = packed.length[0], packed.length[2]
    assert slow == pytest.approx(clean / 0.9, abs=2)
    expected = log_mel(load_audio(folder.wav_scp[utterances[0]]), FeatureConfig(n_mels=16))
    np.testing.assert_allclose(packed.mel[:clean], expected, atol=0.01)
    assert np.abs(packed.mel[clean : 2 * clean] - expected).mean() > 0.1, "augmented"


def test_training_leaves_a_model_that_loads(trained, demo_recording):
    model = load_model(trained / "model")
    assert model.features == FeatureConfig(n_mels=16)
    assert "small.toml" in (trained / "model" / "MODEL_CARD.md").read_text()
    vector = Embedder(model, device="cpu").utterance(demo_recording)
    assert vector.shape == (8,)
    assert np.isfinite(vector).all()


def test_training_leaves_a_curve_with_the_error_rate(trained):
    header, *lines = (trained / "curve.tsv").read_text().splitlines()
    columns = header.split("\t")
    assert columns == ["step", "seconds", "learning_rate", "arcface", "prototypical", "dev_eer"]
    rows = [dict(zip(columns, map(float, line.split("\t")), strict=True)) for line in lines]
    assert [row["step"] for row in rows] == [3, 6]
    assert all(0 <= row["dev_eer"] <= 1 for row in rows)


def edited(config: Path, folder: Path, old: str, new: str) -> Path:
    path = folder / "edited.toml"
    path.write_text(config.read_text().replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "[training]",
            "[trainig]",
            "unknown table 'trainig'; known: features, pack, sets, network, loss, training",
        ),
        ("n_steps = 6", "steps = 6", "unknown setting 'steps'; known: n_steps, batches, n_speakers"),
        (
            "[loss]",
            "[loss]\nmargins = 1",
            "[loss]: unknown setting 'margins'; known: kind, layer, ramp, ",
        ),
        ("heads = 2", "heads = 3", "network 'resnet': heads divide the 16 features, got 3"),
        ("heads = 2", "n_mels = 64", "[network] takes 64 mels, [features] has 16"),
    ],
)
def test_a_wrong_config_is_told(features, config, tmp_path, monkeypatch, old, new, expected):
    path = edited(config, tmp_path, old, new)
    said = message(monkeypatch, TRAIN, "--features", features, "--config", path, "--out", tmp_path / "net")
    assert said.startswith(f"train_embedding.py: {path}: {expected}")


def test_a_missing_teacher_is_told(features, config, tmp_path, monkeypatch):
    path = edited(config, tmp_path, "distillation = 0", "distillation = 8")
    said = message(monkeypatch, TRAIN, "--features", features, "--config", path, "--out", tmp_path / "net")
    assert said == (
        f"train_embedding.py: {features / 'teacher.npz'}: missing; "
        "make it with recipes/embed_teacher.py, or set distillation = 0"
    )


@pytest.fixture(scope="module")
def taught(features, data, config, tmp_path_factory) -> Path:
    """The packed features again, with the teacher's vectors beside them."""
    out = tmp_path_factory.mktemp("taught")
    for path in features.iterdir():
        (out / path.name).symlink_to(path)
    teacher = write_model(out)
    said = run(TEACH, "--data", data, "--config", config, "--teacher", teacher, "--out", out, "--nj", 1)
    assert said == f"{out / 'teacher.npz'}: (25, 2, {DIM})\n"
    return out


def test_the_teachers_vectors_are_those_of_the_packed_recordings(taught, data):
    packed, teacher = PackedFeatures.load(taught), np.load(taught / "teacher.npz")
    assert teacher["speeds"].tolist() == [0.9, 1.0]
    network, read = OnnxNetwork(taught / "net.onnx"), read_data_folder(data)
    utterances = (taught / "utterances.txt").read_text().split()
    heard = [load_audio(read.wav_scp[utterance]) for utterance in utterances]
    own = np.stack([[network.utterance(change_speed(one, 0.9)), network.utterance(one)] for one in heard])
    speaker = packed.speaker[::3] % 4
    mean = np.stack([own[speaker == one].mean(axis=0) for one in speaker])
    expected = 0.4 * own + 0.6 * mean
    expected -= expected.mean(axis=(0, 1))
    expected /= np.linalg.norm(expected, axis=2, keepdims=True)
    np.testing.assert_allclose(teacher["targets"], expected, atol=1e-4)


def test_training_follows_the_teacher(taught, config, tmp_path, monkeypatch):
    path = edited(config, tmp_path, "distillation = 0", "distillation = 8")
    command = ("--features", taught, "--config", path, "--out", tmp_path / "net")
    assert message(monkeypatch, TRAIN, *command) == (
        f"train_embedding.py: {taught / 'teacher.npz'}: 25 recordings of dim 6, "
        "but 25 are packed and [network] has dim 8"
    )
    path.write_text(path.read_text().replace("dim = 8", "dim = 6"))
    call(monkeypatch, TRAIN, *command)
    assert "distillation" in (tmp_path / "net" / "curve.tsv").read_text()
    assert load_model(tmp_path / "net" / "model").network.dim == DIM


def test_a_missing_network_is_told_before_any_work(tmp_path, monkeypatch):
    missing = tmp_path / "none.onnx"
    said = message(monkeypatch, TEACH, "--check", "--teacher", missing)
    assert said.startswith(f"embed_teacher.py: {missing}: ")
    call(monkeypatch, TEACH, "--check", "--teacher", write_model(tmp_path))


def test_a_teacher_needs_to_know_the_speeds(data, config, tmp_path, monkeypatch):
    path = edited(config, tmp_path, "speeds =", "# speeds =")
    said = message(monkeypatch, TEACH, "--data", data, "--config", path, "--out", tmp_path)
    assert said == f"embed_teacher.py: {path}: [pack] needs speeds, those of the features"


def test_too_few_speakers_are_told(features, config, tmp_path, monkeypatch):
    path = edited(config, tmp_path, "n_speakers = 4", "n_speakers = 9")
    said = message(monkeypatch, TRAIN, "--features", features, "--config", path, "--out", tmp_path / "net")
    assert said == (
        "train_embedding.py: a batch needs 9 speakers, but the features have 8; lower [training] n_speakers"
    )


def test_features_of_another_config_are_told(features, config, tmp_path, monkeypatch):
    path = edited(config, tmp_path, "n_mels = 16", "n_mels = 32")
    said = message(monkeypatch, TRAIN, "--features", features, "--config", path, "--out", tmp_path / "net")
    assert (
        said
        == f"train_embedding.py: {features}: packed with 16 mels, but the network takes 32; pack them again"
    )


def test_a_dev_set_without_pairs_is_told(features, data, config, tmp_path, monkeypatch):
    (tmp_path / "dev").mkdir()
    for name in ("wav.scp", "utt2spk", "utt2group"):
        of_one = (data / name).read_text().splitlines()[0]
        (tmp_path / "dev" / name).write_text(f"{of_one}\n")
    common = ("--features", features, "--config", config, "--out", tmp_path / "net")
    said = message(monkeypatch, TRAIN, *common, "--dev", tmp_path / "dev")
    assert said == (
        f"train_embedding.py: {tmp_path / 'dev'}: "
        "needs pairs of one speaker and pairs of two; give another --dev"
    )


def test_copies_need_a_speed_and_whether_they_are_augmented(data, config, tmp_path, monkeypatch):
    path = edited(config, tmp_path, "[false, true, true]", "[false, true]")
    said = message(monkeypatch, PACK, "--data", data, "--config", path, "--out", tmp_path / "features")
    assert said == f"pack_features.py: {path}: [pack] needs as many speeds as augmented"


def test_segments_are_neither_packed_nor_scored(data, config, tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    recording = (data / "wav.scp").read_text().splitlines()[0].split(maxsplit=1)[1]
    (folder / "wav.scp").write_text(f"meeting {recording}\n")
    (folder / "segments").write_text("a-1 meeting 0.0 0.5\n")
    (folder / "utt2spk").write_text("a-1 a\n")
    told = f"{folder}: needs whole recordings (no segments) with their speakers (utt2spk)"
    out = tmp_path / "features"
    said = message(monkeypatch, PACK, "--data", folder, "--config", config, "--out", out)
    assert said == f"pack_features.py: {told}"
    model = write_small_model(tmp_path / "small")
    said = message(monkeypatch, SCORE, "--data", folder, "--model", model, "--out", tmp_path / "scores.json")
    assert said == f"score_verification.py: {told}"


def test_the_card_tells_losses_steps_and_scores(trained, data, config, tmp_path, monkeypatch):
    shutil.copytree(trained / "model", tmp_path / "model")
    (tmp_path / "run.json").write_text('{"date": "2024-05-06", "machine": "an abacus"}')
    (tmp_path / "scores.md").write_text("| test | 7.5 |\n")
    (tmp_path / "notes.md").write_text("Voices of nobody.\n\n| corpus |\n|---|\n| Nobody (all) |\n| Else |\n")
    taught = edited(config, tmp_path, "distillation = 0", "distillation = 8\nprototypical = 0.5")
    words = ["--model", tmp_path / "model", "--name", "tiny", "--command", "make tiny", "--config", taught]
    words += ["--train", data, "--curve", trained / "curve.tsv", "--scores", tmp_path / "scores.json"]
    (tmp_path / "wise.toml").write_text('[about]\ndescription = "a wise network"\n')
    words += ["--teacher", tmp_path / "wise.onnx"]
    words += ["--data-notes", tmp_path / "notes.md", "--run", tmp_path / "run.json", "--license", "CC0-1.0"]
    call(monkeypatch, CARD, *words, "--seed", 5, "--threads", 2)
    card = " ".join((tmp_path / "model" / "MODEL_CARD.md").read_text().split())
    for expected in [
        "# Model card: tiny",
        "Made by `make tiny` on 2024-05-06, seed 5, an abacus.",
        "minutes on 2 threads. Losses:",
        "25 recordings of 4 speakers; 6 steps of 4 speakers with 2 segments of 0.3 to 0.5 s each",
        "a prototypical loss with weight 0.5,",
        "distillation from a wise network with weight 8.",
        "Voices of nobody.",
        "| test | 7.5 |",
    ]:
        assert expected in card, expected
    about = describe_folder(tmp_path / "model").about
    assert re.fullmatch(r"ResNet for windows of about 1.5 s, 0.\d\d million numbers", about.description)
    assert (about.license, about.trained_on) == ("CC0-1.0", "4 speakers of Nobody, Else")
    assert load_model(tmp_path / "model").features == FeatureConfig(n_mels=16)


@pytest.mark.parametrize(
    ("text", "taught"),
    [
        ("distillation = 8.0", True),
        ("distillation = 0.05 # a little", True),
        ("distillation = 0.0 # not 8", False),
        ("distillation = 0", False),
        ("", False),
    ],
)
def test_the_teacher_is_asked_only_where_it_is_followed(tmp_path, text, taught):
    """The scripts are listed and not run, except for the one that reads the settings."""
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\ncase $1 in *print_settings.py) exec {sys.executable} "$@" ;; *) echo "$@" ;; esac\n'
    )
    python.chmod(0o755)
    (tmp_path / "small.toml").write_text(f"[loss]\n{text}\n")
    done = subprocess.run(
        ["egs/voices/bundled.sh", "--corpus", tmp_path, "--exp", tmp_path / "exp", "--stage", "3",
         "--stop-stage", "3", "--config", tmp_path / "small.toml"],
        capture_output=True, text=True, check=False, cwd=REPOSITORY,
        env={**os.environ, "PYTHON": str(python)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert ("embed_teacher.py" in done.stdout) is taught
