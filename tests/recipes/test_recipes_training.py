"""The recipes that pack, train and embed, on made-up voices; killed at random, and in two processes."""

import re
import signal
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from helpers import write_small_model
from planted import N_SPEAKERS, SENTENCES, curve_without_seconds, pack_speakers
from processes import free_port, run_by_torchrun, run_recipe, run_recipe_and_die, start, train_together
from safetensors.torch import load_file
from scripts import call, message
from torch.nn import functional as F

from diarize.audio import load_audio
from diarize.audio.features import FeatureConfig, log_mel
from diarize.embedding.models import load_model
from diarize.embedding.table import Embeddings
from diarize.formats.kaldi import write_data_folder
from diarize.networks import build_network
from diarize.training.checkpoints import read_curve
from diarize.training.embedding_training import train_embedding
from diarize.training.objectives import read_loss
from diarize.training.optimizers import TrainingConfig
from diarize.training.packed import PackedFeatures
from diarize.training.samplers import SentenceSampler

pytestmark = pytest.mark.recipe

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PACK, TRAIN, EMBED = (
    REPOSITORY / "recipes" / f"{name}.py" for name in ("pack_features", "train_embedding", "embed_parts")
)
FEATURES = FeatureConfig(n_mels=24)
COMMON = """
[features]
n_mels = 24
[pack]
speeds = [1.0]
augmented = [false]
[training]
n_steps = 80
batches = "sentences"
batch_size = 8
seconds = [0.2, 0.2]
schedule = "constant"
warm_up = 0
average = 0.0
save_every = 5
"""
SYSTEMS = {
    "cnn": """
[network]
family = "cnn"
n_frames = 20
[loss]
kind = "pairwise-kl"
margin = 2.0
[training]
optimizer = "adadelta"
learning_rate = 1.0
average = 0.5
[evaluation]
layer = "dense1"
""",
    "blstm": """
[network]
family = "blstm"
hidden = 8
[loss]
kind = "cross-entropy"
[training]
optimizer = "adam"
learning_rate = 0.01
""",
}
SPEAKERS = ("B", "a", "c")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A data folder of three speakers with six recordings each, the last of them one part and held out."""
    folder = tmp_path_factory.mktemp("data")
    utterances = [f"{speaker}-{number}" for speaker in SPEAKERS for number in range(6)]
    for row, utterance in enumerate(utterances):
        random = np.random.default_rng(row)
        noise = random.normal(
            0, 0.1, round(16000 * (0.1 if utterance == "a-5" else random.uniform(0.5, 0.9)))
        )
        voice = np.convolve(noise, np.random.default_rng(ord(utterance[0])).normal(0, 0.5, 8), "same")
        soundfile.write(folder / f"{utterance}.wav", voice.clip(-1, 1), 16000)
    write_data_folder(
        folder,
        wav_scp={utterance: str(folder / f"{utterance}.wav") for utterance in utterances},
        utt2spk={utterance: utterance[0] for utterance in utterances},
    )
    parts = [
        f"{utterance} {utterance[0]}-{'B' if utterance[-1] == '5' else 'A'}\n" for utterance in utterances
    ]
    (folder / "utt2part").write_text("".join(parts))
    (folder / "held_out").write_text("".join(f"{speaker}-5\n" for speaker in SPEAKERS))
    return folder


@pytest.fixture(scope="module")
def conf(tmp_path_factory) -> Path:
    """A folder with common.toml and a file for each system."""
    folder = tmp_path_factory.mktemp("conf")
    for name, text in {"common": COMMON, **SYSTEMS}.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def features(data, conf, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("features")
    process = start(
        run_recipe, PACK, "--data", data, "--config", conf / "common.toml", "--out", out, "--nj", 1
    )
    process.join()
    assert process.exitcode == 0
    return out


def training_words(features: Path, conf: Path, family: str, out: Path) -> list[object]:
    return ["--features", features, "--config", conf / "common.toml", conf / f"{family}.toml", "--out", out]


@pytest.fixture(scope="module", params=list(SYSTEMS))
def trained(request, features, data, conf, tmp_path_factory) -> tuple[str, Path]:
    """The family and the folder of a training that nothing interrupted."""
    out = tmp_path_factory.mktemp(request.param)
    words = training_words(features, conf, request.param, out)
    words += ["--held-out", data / "held_out", "--set", "training.snapshot_every=40"]
    process = start(run_recipe, TRAIN, *words)
    process.join()
    assert process.exitcode == 0
    return request.param, out


# Packing


def test_packed_recordings_have_their_names_in_the_order_of_bytes(features, data):
    names = (features / "utterances.txt").read_text().splitlines()
    assert names == [f"{speaker}-{number}" for speaker in ("B", "a", "c") for number in range(6)]
    packed = PackedFeatures.load(features)
    for start_, length, clip, speaker in zip(
        packed.start, packed.length, packed.clip, packed.speaker, strict=True
    ):
        expected = log_mel(load_audio(data / f"{names[clip]}.wav"), FEATURES)
        np.testing.assert_allclose(packed.mel[start_ : start_ + length], expected, atol=0.02)
        assert (features / "speakers.txt").read_text().split()[speaker] == f"{names[clip][0]}@1.0"


# Training


def test_the_recipe_trains_without_what_is_held_out(trained, features, data, conf, tmp_path):
    family, out = trained
    packed = PackedFeatures.load(features)
    names = (features / "utterances.txt").read_text().split()
    held_out = np.array([names[clip].endswith("-5") for clip in packed.clip])
    tables = tomllib.loads(COMMON)["training"], tomllib.loads(SYSTEMS[family])
    torch.set_num_threads(1)  # as the recipe does
    torch.manual_seed(1)
    network = build_network(n_speakers=3, n_mels=24, **tables[1]["network"])
    config = TrainingConfig(**(tables[0] | tables[1]["training"] | {"snapshot_every": 40}))
    loss = read_loss(tables[1]["loss"], "test")
    by_hand = train_embedding(
        network, packed.select(~held_out), config, tmp_path, loss=loss, validation=packed.select(held_out)
    )
    model = load_model(out / "model")
    assert model.features == FEATURES
    state = by_hand.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.network.state_dict().items())
    curve = read_curve(out / "curve.tsv")
    assert curve[-1]["step"] == 80
    assert curve[-1]["validation_loss"] < curve[0]["validation_loss"]
    assert f"common.toml and {family}.toml" in (out / "model" / "MODEL_CARD.md").read_text()


def test_set_goes_over_the_files_and_the_seed_over_all(features, conf, tmp_path, monkeypatch):
    words = training_words(features, conf, "blstm", tmp_path)
    words += ["--set", "training.n_steps=3", "--set", "training.save_every=1", "--set", "training.seed=5"]
    call(monkeypatch, TRAIN, *words, "--seed", 9)
    assert [line["step"] for line in read_curve(tmp_path / "curve.tsv")] == [1, 2, 3]
    said = message(monkeypatch, TRAIN, *words)
    assert said.startswith(f"train_embedding.py: {tmp_path / 'checkpoint.safetensors'}: written with other")
    call(monkeypatch, TRAIN, *words[:-1], "training.seed=9")  # it was 9: finished already


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--set", "training.steps=1"], "unknown setting 'steps'; known: n_steps"),
        (["--set", "train.n_steps=1"], "'train.n_steps=1': unknown table 'train'; known: features, pack"),
        (["--set", "n_steps=1"], "'n_steps=1': write table.setting=value, such as training.n_steps=500"),
        (["--seed", "-1"], "setting 'seed': input should be greater than or equal to 0, got -1"),
        (["--set", "loss.kind=embedding"], "[loss] kind = 'embedding' does not fit the network CNN"),
        (["--set", "training.seconds=[0.3, 0.3]"], "are 30 to 30 frames, but [network] n_frames = 20"),
        (["--held-out", "none"], "none: cannot be read (No such file or directory)"),
    ],
)
def test_what_is_wrong_is_told(features, conf, tmp_path, monkeypatch, more, expected):
    said = message(monkeypatch, TRAIN, *training_words(features, conf, "cnn", tmp_path), *more)
    assert said.startswith("train_embedding.py: ")
    assert expected in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a-1", "a-9", "b-1"], "a-9 is not in {features}/utterances.txt; pack the features again"),
        ([], "names no recordings; name only some of them"),
        ([f"{s}-{n}" for s in SPEAKERS for n in range(6)], "names all recordings; name only some of them"),
    ],
)
def test_a_list_that_holds_out_nothing_sensible_is_told(
    features, conf, tmp_path, monkeypatch, names, expected
):
    path = tmp_path / "list"
    path.write_text("\n".join(names))
    words = training_words(features, conf, "cnn", tmp_path / "out")
    said = message(monkeypatch, TRAIN, *words, "--held-out", path)
    infix = "" if names[:1] == ["a-1"] else " "
    assert said == f"train_embedding.py: {path}:{infix or ' '}{expected.format(features=features)}"


# Killed at any moment


def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bytes(
    trained, features, data, conf, tmp_path
):
    family, whole = trained
    out = tmp_path / "out"
    words = training_words(features, conf, family, out)
    words += ["--held-out", data / "held_out", "--set", "training.snapshot_every=40"]
    checkpoint = out / "checkpoint.safetensors"
    for n_files in np.random.default_rng(len(family)).permutation([1, 8, 21]):
        process = start(run_recipe_and_die, out, int(n_files), TRAIN, *words)
        process.join()
        assert process.exitcode == -signal.SIGKILL
    process = start(run_recipe, TRAIN, *words)
    process.join()
    assert process.exitcode == 0

    names = ["model/weights.safetensors", "model/config.toml", "best.safetensors"]
    names += [f"snapshots/{step:06d}.safetensors" for step in (40, 80)]
    for name in names:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert curve_without_seconds(out) == curve_without_seconds(whole)
    ours, theirs = load_file(checkpoint), load_file(whole / "checkpoint.safetensors")
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
    assert sorted(path.name for path in out.iterdir() if path.name[0] != ".") == sorted(
        path.name for path in whole.iterdir()
    )


# Two processes


def test_torchrun_takes_a_batch_a_process_and_averages_their_gradients(features, conf, tmp_path):
    words = training_words(features, conf, "cnn", tmp_path)
    for setting in (
        "training.optimizer=sgd", "training.learning_rate=0.01", "training.n_steps=2", "training.average=0",
        "training.mixed_precision=false", "loss.kind=cross-entropy", "training.clip_gradient=0",
        "training.weight_decay=0",
    ):  # fmt: skip
        words += ["--set", setting]
    done = run_by_torchrun(TRAIN, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'model'}: written\n"
    assert len(done.stderr.strip().splitlines()) == 1, "one line a checkpoint, of the first process"

    torch.manual_seed(1)
    network = build_network("cnn", n_speakers=3, n_mels=24, n_frames=20)
    network.to(memory_format=torch.channels_last)  # or rounding lets max pooling choose otherwise
    statistics = {name: tensor.clone() for name, tensor in network.named_buffers()}
    sampler = SentenceSampler(PackedFeatures.load(features), 8, (20, 20), seed=1)
    for step in range(2):
        network.zero_grad()
        for rank in (1, 0):  # the first process, whose normalisations are kept, comes last
            for name, buffer in network.named_buffers():
                buffer.copy_(statistics[name])
            batch = sampler.batch(2 * step + rank)
            torch.manual_seed(1_000_003 + 2 * step + rank)
            logits = network(torch.from_numpy(batch.mel))
            (F.cross_entropy(logits, torch.from_numpy(batch.speaker)) / 2).backward()
        statistics = {name: tensor.clone() for name, tensor in network.named_buffers()}
        with torch.no_grad():
            for parameter in network.parameters():
                parameter -= 0.01 * parameter.grad
    weights = load_file(tmp_path / "model" / "weights.safetensors")
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("mixed_precision", [False, True])
def test_two_processes_have_the_same_weights_and_go_on_together(tmp_path, mixed_precision):
    pack_speakers(tmp_path / "features")
    changes = {"optimizer": "adam", "learning_rate": 1e-2, "save_every": 4, "patience": 2, "average": 0.5}
    config = TrainingConfig(**(SENTENCES | changes | {"mixed_precision": mixed_precision, "n_steps": 12}))

    def run(folder: str, killed_at: int | None = None) -> list[int | None]:
        port = free_port()
        processes = [
            start(train_together, rank, port, tmp_path / "features", config, tmp_path / folder, killed_at)
            for rank in (0, 1)
        ]
        processes[0].join(60)
        if killed_at:
            processes[1].kill()  # torchrun does so
        for process in processes:
            process.join(60)
        return [process.exitcode for process in processes]

    assert run("whole") == [0, 0]
    assert run("parts", killed_at=8)[0] == -signal.SIGKILL
    assert [line["step"] for line in read_curve(tmp_path / "parts" / "curve.tsv")] == [4]
    assert run("parts") == [0, 0]
    first, *others = (
        load_file(tmp_path / folder / f"rank{rank}.safetensors")
        for folder in ("whole", "parts")
        for rank in (0, 1)
    )
    for other in others:
        assert all(torch.equal(tensor, first[name]) for name, tensor in other.items())
    assert curve_without_seconds(tmp_path / "parts") == curve_without_seconds(tmp_path / "whole")
    losses = [line["cross-entropy"] for line in read_curve(tmp_path / "whole" / "curve.tsv")]
    assert losses[-1] < losses[0] < 1.5 * np.log(N_SPEAKERS)


# Embedding


def embed_words(trained: Path, data: Path, features: Path, out: Path) -> list[object]:
    words = ["--model", trained / "model", "--data", data, "--features", features]
    return [*words, "--seconds", 0.2, "--out", out]


def test_a_part_is_the_mean_over_all_its_segments(trained, data, features, tmp_path, monkeypatch):
    family, out = trained
    call(monkeypatch, EMBED, *embed_words(out, data, features, tmp_path))
    model = load_model(out / "model")
    packed, names = PackedFeatures.load(features), (features / "utterances.txt").read_text().split()
    segments = {part: [] for part in ("B-A", "B-B", "a-A", "a-B", "c-A", "c-B")}
    seconds = dict.fromkeys(segments, 0.0)
    for begin, length, clip in zip(packed.start, packed.length, packed.clip, strict=True):
        part = f"{names[clip][0]}-{'B' if names[clip].endswith('-5') else 'A'}"
        mel = packed.mel[begin : begin + length].astype(np.float32)
        seconds[part] += length / 100
        if length < 20:
            mel = np.concatenate([mel, np.zeros((20 - length, 24), np.float32)])
        segments[part] += [mel[i : i + 20] for i in range(0, len(mel) - 19, 20)]
    assert len(segments["a-B"]) == 1, "a short recording, with zeros behind it"
    layers = [path.stem for path in sorted(tmp_path.iterdir())]
    assert layers == sorted(["dense1", "dense2", "output", "softmax"] + ["lstm2"] * (family == "blstm"))
    for layer in layers:
        table = Embeddings.load(tmp_path / f"{layer}.npz")
        assert table.recording.tolist() == sorted(segments)
        assert table.speaker.tolist() == [part[0] for part in sorted(segments)]
        np.testing.assert_allclose(table.end - table.start, [seconds[part] for part in sorted(segments)])
        with torch.no_grad():
            expected = [
                model.network.layers(torch.from_numpy(np.stack(segments[part])))[layer].mean(dim=0).numpy()
                for part in sorted(segments)
            ]
        np.testing.assert_allclose(table.vectors, expected, rtol=1e-4, atol=1e-5)


def vectors(folder: Path, layer: str = "dense1") -> np.ndarray:
    return Embeddings.load(folder / f"{layer}.npz").vectors


def test_layers_weights_and_the_order_of_frames_can_be_chosen(trained, data, features, tmp_path, monkeypatch):
    def embed(name: str, *more: object) -> np.ndarray:
        words = embed_words(trained[1], data, features, tmp_path / name)
        call(monkeypatch, EMBED, *words, "--layers", "dense1", *more)
        assert [path.name for path in (tmp_path / name).iterdir()] == ["dense1.npz"]
        return vectors(tmp_path / name)

    plain = embed("plain")
    snapshots = trained[1] / "snapshots"
    assert np.array_equal(embed("last", "--weights", snapshots / "000080.safetensors"), plain)
    assert not np.allclose(embed("first", "--weights", snapshots / "000040.safetensors"), plain, atol=1e-3)
    for shuffle in ("segment", "utterance"):
        shuffled = embed(shuffle, "--shuffle", shuffle)
        assert not np.allclose(shuffled, plain, atol=1e-3)
        assert np.array_equal(embed(f"{shuffle}-again", "--shuffle", shuffle), shuffled)
        assert not np.array_equal(embed(f"{shuffle}-2", "--shuffle", shuffle, "--seed", 2), shuffled)


@pytest.mark.parametrize("trained", ["cnn"], indirect=True)
def test_what_cannot_be_embedded_is_told(trained, data, features, tmp_path, monkeypatch):
    model = trained[1] / "model"
    words = embed_words(trained[1], data, features, tmp_path / "out")

    def said(*more: object, words=words) -> str:
        return message(monkeypatch, EMBED, *words, *more)

    known = "known: dense1, dense2, output, softmax"
    assert said("--layers", "lstm2") == f"embed_parts.py: {model}: no layer 'lstm2'; {known}"
    assert said("--seconds", 0.4) == f"embed_parts.py: {model}: a CNN of 0.2 s; give --seconds 0.2"
    assert (
        said("--weights", tmp_path / "none") == f"embed_parts.py: {tmp_path / 'none'}: no such weights file"
    )

    resnet = write_small_model(tmp_path / "small")
    assert re.match(
        rf"embed_parts\.py: {re.escape(str(features))}: packed with 24 mels, but the network takes 64",
        said("--model", resnet),
    )
    other = tmp_path / "data"
    other.mkdir()
    for name in ("utt2spk", "utt2part"):
        (other / name).write_text("".join((data / name).read_text().splitlines(keepends=True)[1:]))
    assert said("--data", other) == (
        f"embed_parts.py: {features}: differs from {other} in B-0; pack it again"
    )
    assert not (tmp_path / "out").exists()
