"""What is minimised: each kind of loss is the one that losses.py has, with the margins of its table."""

import re

import numpy as np
import pytest
import torch
from helpers import unit_rows
from planted import N_SPEAKERS, tiny_network
from pydantic import ValidationError
from torch.nn import functional as F

from diarize.errors import ConfigError
from diarize.training.losses import angular_margin_loss, distillation_loss, pairwise_kl_loss
from diarize.training.objectives import EmbeddingObjective, LossConfig, SpeakerObjective, build_objective
from diarize.training.samplers import Batch


def batch_of(speaker: list[int], clip: list[int] | None = None) -> Batch:
    mel = np.zeros((len(speaker), 1, 1), np.float32)
    return Batch(mel, np.array(speaker), np.array(clip or range(len(speaker))))


def units(n: int, dim: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(unit_rows(n, dim, seed)).float()


# On speakers


@pytest.mark.parametrize("margins", [{"sphere": 1.5}, {"arc": 0.4}, {"cos": 0.2}])
def test_a_share_of_a_margin_is_a_smaller_margin(margins):
    whole = SpeakerObjective(LossConfig(kind="angular-margin", **margins))
    half = {name: (value + (name == "sphere")) / 2 for name, value in margins.items()}
    batch = batch_of(SPEAKERS.tolist())
    expected = SpeakerObjective(LossConfig(kind="angular-margin", **half))(OUTPUTS, batch)
    torch.testing.assert_close(whole(OUTPUTS, batch, 0.5), expected)
    torch.testing.assert_close(whole(OUTPUTS, batch, 1.0), whole(OUTPUTS, batch))


OUTPUTS = torch.tensor(np.random.default_rng(0).uniform(-0.9, 0.9, (4, 3)), dtype=torch.float32)
SPEAKERS = torch.tensor([0, 2, 0, 1])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kind": "cross-entropy"}, F.cross_entropy(OUTPUTS, SPEAKERS)),
        ({"kind": "pairwise-kl", "margin": 2.5}, pairwise_kl_loss(OUTPUTS.softmax(dim=1), SPEAKERS, 2.5)),
        (
            {"kind": "angular-margin", "sphere": 1.5, "arc": 0.2, "cos": 0.1, "scale": 20},
            angular_margin_loss(OUTPUTS, SPEAKERS, sphere=1.5, arc=0.2, cos=0.1, scale=20),
        ),
    ],
)
def test_the_loss_on_speakers_is_the_one_of_its_kind(settings, expected):
    losses = SpeakerObjective(LossConfig(**settings))(OUTPUTS, batch_of(SPEAKERS.tolist()))
    assert list(losses) == [settings["kind"]]
    torch.testing.assert_close(losses[settings["kind"]], expected)


@pytest.mark.parametrize("kind", ["cross-entropy", "pairwise-kl", "angular-margin"])
def test_a_loss_on_speakers_has_no_weights_of_its_own_and_a_gradient(kind):
    objective = SpeakerObjective(LossConfig(kind=kind))
    assert not list(objective.parameters())
    outputs = OUTPUTS.clone().requires_grad_()
    objective(outputs, batch_of(SPEAKERS.tolist()))[kind].backward()
    assert outputs.grad.abs().max() > 0


# On embeddings


def test_the_losses_on_embeddings_are_weighted():
    embeddings, batch = units(6, 5), batch_of([0, 0, 3, 3, 2, 2])
    targets = unit_rows(6, 5, 1)[:, None].astype(np.float32)

    def losses(**settings) -> dict[str, float]:
        torch.manual_seed(0)
        objective = EmbeddingObjective(LossConfig(**settings), 5, 4, 2, targets)
        return {name: value.item() for name, value in objective(embeddings, batch).items()}

    once, twice = losses(distillation=1.0), losses(prototypical=2.0, distillation=3.0)
    assert list(once) == ["arcface", "prototypical", "distillation"]
    assert twice == pytest.approx(
        {
            "arcface": once["arcface"],
            "prototypical": 2 * once["prototypical"],
            "distillation": 3 * once["distillation"],
        }
    )
    by_hand = distillation_loss(embeddings, torch.from_numpy(targets[:, 0])).item()
    assert once["distillation"] == pytest.approx(by_hand)
    assert losses(arcface=0.5)["arcface"] == pytest.approx(once["arcface"] / 2)
    assert list(losses(prototypical=0)) == ["arcface"]
    assert list(losses(arcface=0, distillation=1)) == ["prototypical", "distillation"]
    assert losses(margin=0.5)["arcface"] > once["arcface"]


def test_pairwise_kl_is_of_the_softmax_over_speakers():
    config = LossConfig(arcface=0, prototypical=0, pairwise_kl=0.5, divergence=3.0, scale=4.0, centres=2)
    objective, embeddings = EmbeddingObjective(config, 5, 4, 2, None), units(6, 5)
    speakers = [0, 0, 3, 3, 2, 2]
    losses = objective(embeddings, batch_of(speakers))
    probabilities = (4.0 * objective.arcface.cosines(embeddings)).softmax(dim=1)
    expected = 0.5 * pairwise_kl_loss(probabilities, torch.tensor(speakers), 3.0)
    assert list(losses) == ["pairwise_kl"]
    torch.testing.assert_close(losses["pairwise_kl"], expected)


def test_segments_of_a_speaker_stand_side_by_side():
    """Equal ones, and far from the others: the prototypical loss is lowest where they are paired."""
    objective = EmbeddingObjective(LossConfig(), 3, 3, 2, None)
    paired = torch.eye(3).repeat_interleave(2, dim=0)
    speakers = [0, 0, 1, 1, 2, 2]
    mixed = paired[[0, 2, 1, 4, 3, 5]]
    low, high = (objective(rows, batch_of(speakers))["prototypical"].item() for rows in (paired, mixed))
    assert low < 0.1 * high


def test_the_target_of_a_clip_is_that_of_its_speed():
    targets = np.random.default_rng(0).standard_normal((3, 2, 4)).astype(np.float32)
    targets /= np.linalg.norm(targets, axis=2, keepdims=True)
    objective = EmbeddingObjective(LossConfig(distillation=1.0, prototypical=0), 4, 6, 2, targets)
    # Three speakers at two speeds: 0 to 2 at the first, 3 to 5 at the second.
    batch = batch_of([1, 4], [2, 2])
    losses = objective(torch.from_numpy(targets[2]), batch)
    assert set(losses) == {"arcface", "distillation"}
    assert losses["distillation"].item() == pytest.approx(0, abs=1e-6)
    swapped = objective(torch.from_numpy(targets[2, ::-1].copy()), batch)
    assert swapped["distillation"].item() > 0.01


def test_distillation_without_targets_is_a_mistake():
    with pytest.raises(ValueError, match="distillation needs targets, got None"):
        EmbeddingObjective(LossConfig(distillation=1.0), 4, 6, 2, None)


# Which belongs to which


@pytest.mark.parametrize("family", ["cnn", "blstm"])
@pytest.mark.parametrize(
    ("kind", "output"),
    [("cross-entropy", "linear"), ("pairwise-kl", "linear"), ("angular-margin", "cosine")],
)
def test_classifiers_have_losses_on_speakers(family, kind, output):
    objective = build_objective(LossConfig(kind=kind), tiny_network(family, output), N_SPEAKERS, 2)
    assert isinstance(objective, SpeakerObjective)


def test_a_resnet_has_losses_on_embeddings():
    objective = build_objective(LossConfig(), tiny_network(), 5, 2)
    assert isinstance(objective, EmbeddingObjective)
    assert objective.arcface.weight.shape == (5, 8)


def test_something_is_minimised():
    with pytest.raises(ConfigError, match=r"^\[loss\] every weight is 0; leave one above$"):
        build_objective(LossConfig(arcface=0, prototypical=0), tiny_network(), 5, 2)


OUTPUT_MESSAGE = "'angular-margin' belongs to 'cosine', the other kinds to 'linear'"
NETWORK_MESSAGE = "'embedding' belongs to resnet and tdnn, the other kinds to cnn and blstm"


@pytest.mark.parametrize(
    ("kind", "network", "message"),
    [
        ("embedding", ("cnn",), f"does not fit the network CNN: {NETWORK_MESSAGE}"),
        ("cross-entropy", ("resnet",), f"does not fit the network ResNet: {NETWORK_MESSAGE}"),
        ("pairwise-kl", ("cnn", "cosine"), f"does not fit [network] output = 'cosine': {OUTPUT_MESSAGE}"),
        ("angular-margin", ("blstm",), f"does not fit [network] output = 'linear': {OUTPUT_MESSAGE}"),
    ],
)
def test_what_does_not_belong_together_is_told(kind, network, message):
    message = re.escape(f"[loss] kind = '{kind}' {message}")
    with pytest.raises(ConfigError, match=f"^{message}$"):
        build_objective(LossConfig(kind=kind), tiny_network(*network), N_SPEAKERS, 2)


def test_only_losses_on_embeddings_need_speakers_or_targets():
    assert LossConfig(distillation=1).needs_targets
    assert LossConfig().needs_speakers
    assert not LossConfig().needs_targets
    assert not LossConfig(prototypical=0).needs_speakers
    other = LossConfig(kind="cross-entropy", distillation=1)
    assert not other.needs_speakers
    assert not other.needs_targets


@pytest.mark.parametrize("wrong", [{"kind": "triplet"}, {"margin": -1}, {"scale": 0}, {"sphere": 0.5}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        LossConfig(**wrong)
