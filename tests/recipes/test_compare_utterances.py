"""Pitch, the parts of a data folder, and the recipes that compare and identify them, on tones."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import write_small_model
from scripts import call, message

from diarize.audio.features import FeatureConfig, mfcc
from diarize.embedding.embedder import Embedder
from diarize.embedding.models import save_model
from diarize.embedding.table import Embeddings
from diarize.errors import FormatError
from diarize.experiments.baselines import BASELINES, Task
from diarize.experiments.parts import Part, read_parts, read_split
from diarize.experiments.pitch import pitch
from diarize.experiments.systems import BaselineConfig
from diarize.formats.kaldi import write_data_folder
from diarize.networks import build_network
from diarize.segments import Segment

RECIPES = Path(__file__).resolve().parent.parent.parent / "recipes"


def tone(hertz: float, seconds: float = 1.0, level: float = 0.1) -> np.ndarray:
    """A sum of ten harmonics."""
    time = np.arange(round(16000 * seconds)) / 16000
    waves = [np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 11)]
    return (level * np.sum(waves, axis=0)).astype(np.float32)


@pytest.mark.parametrize("hertz", [70, 120, 200, 320, 450])
@pytest.mark.parametrize("level", [1e-4, 0.1])
def test_the_pitch_of_a_tone(hertz, level):
    found = pitch(tone(hertz, level=level))
    assert len(found) == 101
    # A whole lag is 16000 / hertz samples up to half a one.
    np.testing.assert_allclose(found[3:-4], hertz, rtol=hertz / 32000 + 0.005)


def test_a_plain_tone_of_200_hertz():
    wave = (0.1 * np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)).astype(np.float32)
    np.testing.assert_allclose(pitch(wave)[3:-4], 200, rtol=0.01)


def test_noise_and_silence_are_unvoiced_and_frames_are_those_of_the_cepstra():
    noise = (0.1 * np.random.default_rng(0).standard_normal(8000)).astype(np.float32)
    samples = np.concatenate([tone(150, 0.5), np.zeros(8000, np.float32), noise])
    found = pitch(samples)
    assert len(found) == len(mfcc(samples))
    assert (found[3:47] > 0).all()
    assert not found[55:98].any()
    assert (found[103:147] == 0).mean() > 0.9
    assert pitch(np.zeros(0, np.float32)).shape == (0,)
    assert not pitch(np.zeros(1600, np.float32)).any()


def test_the_pitch_glides():
    hertz = np.linspace(100, 200, 16000)
    wave = sum(np.sin(k * 2 * np.pi * np.cumsum(hertz) / 16000) / k for k in range(1, 8))
    found = pitch((0.1 * wave).astype(np.float32))[3:97]
    np.testing.assert_allclose(found, hertz[::160][3:97], rtol=0.03)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A data folder of three buzzing speakers, three recordings each, two of them part A."""
    folder = tmp_path_factory.mktemp("data")
    wav, speakers = {}, {}
    random = np.random.default_rng(0)
    for speaker, hertz in (("a", 110), ("b", 180), ("c", 260)):
        for i in range(3):
            name = f"{speaker}-{i}"
            samples = tone(hertz, 0.6) + 0.02 * random.standard_normal(9600).astype(np.float32)
            soundfile.write(folder / f"{name}.wav", samples, 16000)
            wav[name], speakers[name] = str(folder / f"{name}.wav"), speaker
    write_data_folder(folder, wav, speakers)
    parts = {name: f"{name[0]}-{'B' if name.endswith('2') else 'A'}" for name in wav}
    (folder / "utt2part").write_text("".join(f"{name} {part}\n" for name, part in parts.items()))
    (folder / "held_out").write_text("".join(f"{name}\n" for name in wav if name.endswith("2")))
    return folder


def test_parts_and_splits_of_a_folder(data):
    parts = read_parts(data)
    assert [(part.name, part.speaker, len(part.files)) for part in parts] == [
        (f"{speaker}-{part}", speaker, n) for speaker in "abc" for part, n in (("A", 2), ("B", 1))
    ]
    assert parts[0] == Part("a-A", "a", tuple(str(data / f"a-{i}.wav") for i in range(2)))
    assert [part.name for part in read_parts(data, ["c"])] == ["c-A", "c-B"]
    train, test = read_split(data)
    assert test == {speaker: [str(data / f"{speaker}-2.wav")] for speaker in "abc"}
    assert {speaker: len(files) for speaker, files in train.items()} == {"a": 2, "b": 2, "c": 2}


def test_wrong_folders_are_told(data, tmp_path):
    with pytest.raises(FormatError, match="speaker 'z' of the list is not in utt2spk"):
        read_parts(data, ["a", "z"])
    write_data_folder(tmp_path, {"x": "x.wav", "y": "y.wav"}, {"x": "1", "y": "2"})
    (tmp_path / "utt2part").write_text("x 1-A\n")
    with pytest.raises(FormatError, match=r"utt2part: utterance 'y' of wav\.scp is missing"):
        read_parts(tmp_path)
    (tmp_path / "utt2part").write_text("x 1-A\ny 1-A\n")
    with pytest.raises(FormatError, match="part '1-A' has two speakers, '1' and '2'"):
        read_parts(tmp_path)
    (tmp_path / "held_out").write_text("z\n")
    with pytest.raises(FormatError, match=r"held_out: utterance 'z' is not in wav\.scp"):
        read_split(tmp_path)
    (tmp_path / "held_out").write_text("x\n")
    with pytest.raises(FormatError, match="speaker '1' has no utterance in any set to train on"):
        read_split(tmp_path)
    write_data_folder(tmp_path, {"r": "r.wav"}, {"x": "1"}, {"x": ("r", Segment(0, 1))})
    with pytest.raises(FormatError, match="needs whole recordings"):
        read_parts(tmp_path)


@pytest.fixture
def run_recipe(monkeypatch):
    """Runs a script of recipes/ in this process: a new one would load torch and scikit-learn for each."""
    return lambda script, *words: call(monkeypatch, RECIPES / script, *words)


def compare(kind: str, *words: object) -> tuple[object, ...]:
    """The words of a comparison by the system of recipes/conf."""
    return ("compare_utterances.py", "--config", RECIPES / "conf" / f"{kind}.toml", *words)


@pytest.mark.recipe
@pytest.mark.parametrize("system", ["gmm", "svm"])
def test_the_recipe_writes_distances(data, tmp_path, capsys, run_recipe, system):
    out = tmp_path / "out.npz"
    run_recipe(*compare(system, "--data", data, "--train", data, "--out", out))
    assert f"{out}: {system}, 6 parts of 3 speakers in " in capsys.readouterr().out
    with np.load(out, allow_pickle=False) as arrays:
        assert arrays["recording"].tolist() == ["a-A", "a-B", "b-A", "b-B", "c-A", "c-B"]
        assert arrays["speaker"].tolist() == ["a", "a", "b", "b", "c", "c"]
        distances = arrays["distances"] + np.diag(np.full(6, np.inf))
    assert (distances.argmin(axis=1) == [1, 0, 3, 2, 5, 4]).all()


def test_the_time_model_is_the_same_by_any_number_of_processes(data):
    parts, config = read_parts(data), BaselineConfig(kind="svm", seed=3)
    alone, shared = (BASELINES["svm"].compare(parts, Task(config, data, n)) for n in (1, 2))
    assert np.array_equal(alone, shared)
    assert not np.array_equal(alone, BASELINES["svm"].compare(parts, Task(BaselineConfig(kind="svm"), data)))


@pytest.mark.recipe
@pytest.mark.parametrize(("system", "dim"), [("anchor-gmm", 9), ("mfcc-statistics", 38)])
def test_the_recipe_writes_vectors(data, tmp_path, run_recipe, system, dim):
    out, chosen = tmp_path / "out.npz", tmp_path / "chosen.txt"
    chosen.write_text("a  # the deepest\nc\n")
    words = ("--data", data, "--train", data, "--out", out, "--speakers", chosen)
    run_recipe(*compare(system, *words, "--set", "baseline.mixtures=8"))
    table = Embeddings.load(out)
    assert table.recording.tolist() == ["a-A", "a-B", "c-A", "c-B"]
    assert table.speaker is not None
    assert table.speaker.tolist() == ["a", "a", "c", "c"]
    assert table.vectors.shape == (4, dim)
    np.testing.assert_allclose(table.end, [1.2, 0.6, 1.2, 0.6])


@pytest.mark.recipe
def test_a_trained_model_is_a_baseline(data, tmp_path, run_recipe):
    model, out, config = write_small_model(tmp_path / "small"), tmp_path / "out.npz", tmp_path / "mine.toml"
    config.write_text(f'[baseline]\nkind = "model"\nmodel = "{model}"\n')
    run_recipe("compare_utterances.py", "--config", config, "--data", data, "--out", out)
    table, embedder = Embeddings.load(out), Embedder(model, device="cpu")
    own = [embedder(data / f"a-{i}.wav", whole=True).vectors[0] for i in range(2)]
    np.testing.assert_allclose(table.vectors[0], np.mean(own, axis=0), rtol=1e-5)


@pytest.mark.recipe
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "svm needs --train, a data folder to train on"),
        (
            ("--set", "baseline.kind=ivector"),
            f"{RECIPES / 'conf' / 'svm.toml'}: [baseline]: unknown kind 'ivector'; "
            "known: gmm, svm, anchor-gmm, mfcc-statistics, model",
        ),
        (
            ("--set", "baseline.mixtures=0"),
            f"{RECIPES / 'conf' / 'svm.toml'}: [baseline]: setting 'mixtures': input should be greater than "
            "or equal to 1, got 0",
        ),
    ],
)
def test_what_cannot_be_compared_is_told(data, tmp_path, monkeypatch, words, told):
    script, *common = compare("svm", "--data", data, "--out", tmp_path / "o.npz")
    assert message(monkeypatch, RECIPES / str(script), *common, *words) == f"{script}: {told}"


@pytest.mark.recipe
def test_the_recipe_identifies_speakers(data, tmp_path, run_recipe):
    out = tmp_path / "out.json"
    run_recipe("identify_speakers.py", "--data", data, "--out", out)
    found = json.loads(out.read_text())
    assert (found["system"], found["n_speakers"]) == ("gmm", 3)
    for kind in ("recordings", "parts"):
        assert (found[kind]["n"], found[kind]["n_right"], found[kind]["accuracy"]) == (3, 3, 1)
        assert found[kind]["interval"] == pytest.approx([0.438, 1], abs=1e-3)


CNN = """
[features]
n_mels = 24
[pack]
speeds = [1.0]
augmented = [false]
[network]
family = "cnn"
n_frames = 20
[loss]
kind = "cross-entropy"
[training]
n_steps = 60
batches = "sentences"
batch_size = 16
seconds = [0.2, 0.2]
optimizer = "adam"
average = 0.0
save_every = 60
"""


@pytest.fixture
def cnn(data, tmp_path, run_recipe) -> list[object]:
    """The options of an identification by a network that was trained on what is not held out."""
    config, features, training = tmp_path / "cnn.toml", tmp_path / "features", tmp_path / "training"
    config.write_text(CNN)
    run_recipe("pack_features.py", "--data", data, "--config", config, "--out", features, "--nj", 1)
    run_recipe(
        "train_embedding.py", "--features", features, "--config", config, "--out", training,
        "--held-out", data / "held_out",
    )  # fmt: skip
    return ["--data", data, "--features", features, "--model", training / "model"]


@pytest.mark.recipe
def test_the_recipe_identifies_speakers_by_a_network(data, cnn, tmp_path, run_recipe):
    out, vectors = tmp_path / "out.json", tmp_path / "vectors"
    run_recipe("identify_speakers.py", *cnn, "--out", out)
    found = json.loads(out.read_text())
    assert (found["system"], found["n_speakers"]) == ("cnn", 3)
    for kind in ("recordings", "parts"):
        assert (found[kind]["n"], found[kind]["n_right"]) == (3, 3)
    # All a speaker's recordings held out: they count one by one, and together as the mean of a whole part.
    everything = tmp_path / "all"
    shutil.copytree(data, everything)
    (everything / "held_out").write_text("".join(f"{s}-{i}\n" for s in "abc" for i in range(3)))
    (everything / "utt2part").write_text("".join(f"{s}-{i} {s}\n" for s in "abc" for i in range(3)))
    blind = tmp_path / "blind"
    run_recipe(
        "train_embedding.py", "--features", cnn[3], "--config", tmp_path / "cnn.toml", "--out", blind,
        "--set", "training.n_steps=1",
    )  # fmt: skip
    options = ["--model", blind / "model", "--data", everything, "--features", cnn[3]]
    run_recipe("identify_speakers.py", *options, "--out", out)
    run_recipe("embed_parts.py", *options, "--seconds", 0.2, "--layers", "softmax", "--out", vectors)
    n_right = int((Embeddings.load(vectors / "softmax.npz").vectors.argmax(axis=1) == range(3)).sum())
    found = json.loads(out.read_text())
    assert (found["recordings"]["n"], found["parts"]["n"], found["parts"]["n_right"]) == (9, 3, n_right)


@pytest.mark.recipe
def test_what_does_not_fit_the_network_is_told(cnn, tmp_path, monkeypatch):
    def said(*options: object) -> str:
        script = RECIPES / "identify_speakers.py"
        return message(monkeypatch, script, *options, "--out", tmp_path / "out.json")

    model, features = cnn[5], cnn[3]
    network = build_network("cnn", n_speakers=4, n_mels=24, n_frames=20)
    table = {"family": "cnn", "n_speakers": 4, "n_frames": 20, "n_mels": 24}
    save_model(model, network, FeatureConfig(n_mels=24), table, "# four\n")
    assert said(*cnn) == (
        f"identify_speakers.py: {model}: trained on 4 speakers, but {features} has 3; "
        "give the features of its training"
    )
    assert said(*cnn[:4], "--model", "voices").startswith("identify_speakers.py: voices: not a cnn; give ")
    assert said(*cnn[:4]).endswith("--model and --features go together")
