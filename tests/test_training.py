"""Training: a tiny network learns tiny speakers, and an interruption leaves no trace."""

import math
import re

import numpy as np
import pytest
import torch
from helpers import unit_rows
from safetensors.torch import load_file

from diarize.augment import tilt
from diarize.batches import Batch, PackedFeatures, pack
from diarize.errors import ConfigError, ModelError
from diarize.networks import build_network
from diarize.networks.resnet import ResNet
from diarize.training import Objective, TrainingConfig, train
from diarize.verification import equal_error_rate, make_trials

N_SPEAKERS, N_MELS = 12, 16
SETTINGS = {
    "n_steps": 90, "n_speakers": 8, "n_segments": 2, "seconds": (0.4, 0.6), "learning_rate": 2e-2,
    "warm_up": 5, "save_every": 30, "average": 0.9,
}  # fmt: skip


def clip_of(speaker: int, random: np.random.Generator, n_frames: int = 110) -> np.ndarray:
    """Noise (n_frames, N_MELS) around a spectral envelope that is the speaker's own."""
    envelope = np.random.default_rng(speaker).normal(0, 1.5, N_MELS)
    return (envelope + random.normal(-6, 1, (n_frames, N_MELS))).astype(np.float32)


@pytest.fixture(scope="module")
def features(tmp_path_factory) -> PackedFeatures:
    folder = tmp_path_factory.mktemp("features")
    random = np.random.default_rng(0)
    pack(((clip, clip % N_SPEAKERS, clip_of(clip % N_SPEAKERS, random)) for clip in range(60)), folder)
    return PackedFeatures.load(folder)


def tiny_network() -> ResNet:
    torch.manual_seed(7)
    return build_network("resnet", n_mels=N_MELS, channels=[4, 4, 8], heads=2, dim=8)


def config(**changes) -> TrainingConfig:
    return TrainingConfig(**(SETTINGS | changes))


def error_rate(network: ResNet) -> float:
    """The equal error rate on clips that were not trained on, each through another microphone."""
    random = np.random.default_rng(99)
    speakers = [str(speaker) for speaker in range(N_SPEAKERS) for _ in range(4)]
    mel = np.stack([tilt(clip_of(int(speaker), random), random) for speaker in speakers])
    with torch.no_grad():
        vectors = network.eval()(torch.from_numpy(mel)).numpy()
    trials, same = make_trials(speakers, ["all"] * len(speakers))
    return equal_error_rate((vectors[trials[:, 0]] * vectors[trials[:, 1]]).sum(axis=1), same)


def read_curve(folder) -> list[dict[str, float]]:
    header, *lines = (folder / "curve.tsv").read_text().splitlines()
    return [dict(zip(header.split("\t"), map(float, line.split("\t")), strict=True)) for line in lines]


@pytest.fixture(scope="module")
def trained(features, tmp_path_factory):
    """The folder and the network of a training that was not interrupted."""
    folder = tmp_path_factory.mktemp("trained")
    network = train(
        tiny_network(), features, config(), folder,
        on_checkpoint=lambda step, network: {"half": step / 2, "eval": float(not network.training)},
    )  # fmt: skip
    return folder, network


def test_the_loss_falls_and_unknown_clips_are_told_apart(trained):
    folder, network = trained
    curve = read_curve(folder)
    assert curve[-1]["arcface"] < 0.6 * curve[0]["arcface"]
    assert curve[-1]["prototypical"] < 0.6 * curve[0]["prototypical"]
    assert error_rate(tiny_network()) > 0.2
    assert error_rate(network) < 0.1
    assert not network.training


def test_the_curve_has_a_line_a_checkpoint(trained):
    folder, _ = trained
    curve = read_curve(folder)
    expected = ["step", "seconds", "learning_rate", "arcface", "prototypical", "half", "eval"]
    assert list(curve[0]) == expected
    assert [line["step"] for line in curve] == [30, 60, 90]
    assert [line["half"] for line in curve] == [15, 30, 45]
    assert all(line["eval"] for line in curve), "the network is measured as it will be used"
    seconds = [line["seconds"] for line in curve]
    assert seconds == sorted(seconds)
    rates = [line["learning_rate"] for line in curve]
    cosine = [2e-2 * (0.5 + 0.5 * math.cos(math.pi * (step - 5) / 85)) + 1e-6 for step in (29, 59, 89)]
    np.testing.assert_allclose(rates, cosine, rtol=1e-5)


@pytest.mark.parametrize("at", [30, 60])
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(features, trained, tmp_path, at):
    def interrupt(step: int, network: ResNet) -> dict[str, float]:
        if step == at:
            raise KeyboardInterrupt
        return {"half": step / 2, "eval": float(not network.training)}

    with pytest.raises(KeyboardInterrupt):
        train(tiny_network(), features, config(), tmp_path, on_checkpoint=interrupt)
    assert (tmp_path / "checkpoint.safetensors").exists() == (at > 30)

    network = tiny_network()
    if at > 30:
        torch.nn.init.zeros_(network.embedding.weight)  # the checkpoint's weights count, not these
    at = 0
    resumed = train(network, features, config(), tmp_path, on_checkpoint=interrupt)
    folder, whole = trained
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name
    ours, theirs = (load_file(path / "checkpoint.safetensors") for path in (tmp_path, folder))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for line, expected in zip(read_curve(tmp_path), read_curve(folder), strict=True):
        assert line | {"seconds": 0} == expected | {"seconds": 0}


def test_a_finished_training_is_not_repeated(features, trained):
    folder, whole = trained
    curve = (folder / "curve.tsv").read_text()
    again = train(tiny_network(), features, config(), folder)
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in whole.state_dict().items())
    assert (folder / "curve.tsv").read_text() == curve


@pytest.mark.parametrize("change", [{"n_steps": 91}, {"seed": 2}, {"seconds": (0.4, 0.7)}])
def test_a_checkpoint_of_other_settings_is_refused(features, trained, change):
    folder, _ = trained
    message = (
        f"{folder / 'checkpoint.safetensors'}: written with other settings; remove it or use another folder"
    )
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        train(tiny_network(), features, config(**change), folder)


def test_a_checkpoint_of_another_network_is_refused(features, trained):
    folder, _ = trained
    other = build_network("resnet", n_mels=N_MELS, channels=[4, 4, 8], heads=2, dim=16)
    message = (
        r"checkpoint\.safetensors: written for another network or other speakers; remove it or use another"
    )
    with pytest.raises(ModelError, match=message):
        train(other, features, config(), folder)


def test_the_seed_decides(features, tmp_path):
    def weights(folder: str, seed: int) -> torch.Tensor:
        short = config(n_steps=2, seed=seed)
        return train(tiny_network(), features, short, tmp_path / folder).embedding.weight

    first = weights("a", 1)
    assert torch.equal(first, weights("b", 1))
    assert not torch.equal(first, weights("c", 2))


def test_a_teacher_is_followed(features, tmp_path):
    """Its targets for the first speed are one direction a speaker: the network's vectors come near them."""
    directions = unit_rows(N_SPEAKERS, 8).astype(np.float32)
    targets = directions[np.arange(60) % N_SPEAKERS][:, None]  # (clips, speeds, dim)
    settings = config(distillation=20.0, prototypical=0)
    network = train(tiny_network(), features, settings, tmp_path, targets=targets)
    curve = read_curve(tmp_path)
    assert list(curve[0]) == ["step", "seconds", "learning_rate", "arcface", "distillation"]
    assert curve[-1]["distillation"] < 0.6 * curve[0]["distillation"]
    random = np.random.default_rng(3)
    mel = np.stack([clip_of(speaker, random) for speaker in range(N_SPEAKERS)])
    with torch.no_grad():
        cosines = (network(torch.from_numpy(mel)).numpy() * directions).sum(axis=1)
    assert cosines.mean() > 0.4


def test_the_target_of_a_clip_is_that_of_its_speed():
    targets = np.random.default_rng(0).standard_normal((3, 2, 4)).astype(np.float32)
    targets /= np.linalg.norm(targets, axis=2, keepdims=True)
    objective = Objective(config(distillation=1.0, prototypical=0), 4, 6, targets)
    # Three speakers at two speeds: 0 to 2 at the first, 3 to 5 at the second.
    batch = Batch(np.zeros((2, 1, 1), np.float32), np.array([1, 4]), np.array([2, 2]))
    losses = objective(torch.from_numpy(targets[2]), batch)
    assert set(losses) == {"arcface", "distillation"}
    assert losses["distillation"].item() == pytest.approx(0, abs=1e-6)
    swapped = objective(torch.from_numpy(targets[2, ::-1].copy()), batch)
    assert swapped["distillation"].item() > 0.01


def test_distillation_without_targets_is_a_mistake(features, tmp_path):
    with pytest.raises(ValueError, match="distillation needs targets, got None"):
        train(tiny_network(), features, config(distillation=1.0), tmp_path)


def test_more_speakers_a_batch_than_there_are_is_told(features, tmp_path):
    with pytest.raises(ConfigError, match="the features hold 12; lower n_speakers"):
        train(tiny_network(), features, config(n_speakers=13), tmp_path)
