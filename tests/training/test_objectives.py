"""What is minimised: each kind of loss is the one that losses.py has, with the margins of its table."""

import re

import numpy as np
import pytest
import torch
from helpers import unit_rows
from planted import N_MELS, N_SPEAKERS, tiny_network
from torch.nn import functional as F

from diarize.errors import ConfigError
from diarize.training.contract import Facts
from diarize.training.losses import angular_margin_loss, distillation_loss, pairwise_kl_loss
from diarize.training.objectives import OBJECTIVES, build_objective, objective_class, read_loss
from diarize.training.samplers import SegmentBatch

ON_SPEAKERS = ("cross-entropy", "pairwise-kl", "angular-margin")


def on_speakers(kind: str, n_speakers: int = 3, **settings):
    """An objective on as many logits or cosines as there are speakers."""
    loss = read_loss({"kind": kind, **settings}, "test")
    return objective_class(kind)(loss, Facts(n_speakers, n_speakers))


def on_embeddings(dim: int, n_speakers: int, targets=None, **settings):
    return objective_class("embedding")(read_loss(settings, "test"), Facts(dim, n_speakers, 2, targets))


def objective_for(network, **table):
    """What build_objective makes of a [loss] table; the network hears zeros."""
    mel = torch.zeros(1, 60 if network.n_frames is None else network.n_frames, N_MELS)
    return build_objective(read_loss(table, "test"), network, mel, N_SPEAKERS, 2)


def batch_of(speaker: list[int], clip: list[int] | None = None) -> SegmentBatch:
    mel = np.zeros((len(speaker), 1, 1), np.float32)
    return SegmentBatch(mel, np.array(speaker), np.array(clip or range(len(speaker))))


def units(n: int, dim: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(unit_rows(n, dim, seed)).float()


# On speakers


@pytest.mark.parametrize("margins", [{"sphere": 1.5}, {"arc": 0.4}, {"cos": 0.2}])
def test_a_share_of_a_margin_is_a_smaller_margin(margins):
    whole = on_speakers("angular-margin", **margins)
    half = {name: (value + (name == "sphere")) / 2 for name, value in margins.items()}
    batch = batch_of(SPEAKERS.tolist())
    expected = on_speakers("angular-margin", **half)(OUTPUTS, batch)
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
    losses = on_speakers(**settings)(OUTPUTS, batch_of(SPEAKERS.tolist()))
    assert list(losses) == [settings["kind"]]
    torch.testing.assert_close(losses[settings["kind"]], expected)


@pytest.mark.parametrize("kind", ON_SPEAKERS)
def test_a_loss_on_speakers_has_no_weights_of_its_own_and_a_gradient(kind):
    objective = on_speakers(kind)
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
        objective = on_embeddings(5, 4, targets, **settings)
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
    config = {"arcface": 0, "prototypical": 0, "pairwise_kl": 0.5, "divergence": 3.0}
    objective, embeddings = on_embeddings(5, 4, **config, scale=4.0, centres=2), units(6, 5)
    speakers = [0, 0, 3, 3, 2, 2]
    losses = objective(embeddings, batch_of(speakers))
    probabilities = (4.0 * objective.arcface.cosines(embeddings)).softmax(dim=1)
    expected = 0.5 * pairwise_kl_loss(probabilities, torch.tensor(speakers), 3.0)
    assert list(losses) == ["pairwise_kl"]
    torch.testing.assert_close(losses["pairwise_kl"], expected)


def test_segments_of_a_speaker_stand_side_by_side():
    """Equal ones, and far from the others: the prototypical loss is lowest where they are paired."""
    objective = on_embeddings(3, 3)
    paired = torch.eye(3).repeat_interleave(2, dim=0)
    speakers = [0, 0, 1, 1, 2, 2]
    mixed = paired[[0, 2, 1, 4, 3, 5]]
    low, high = (objective(rows, batch_of(speakers))["prototypical"].item() for rows in (paired, mixed))
    assert low < 0.1 * high


def test_the_target_of_a_clip_is_that_of_its_speed():
    targets = np.random.default_rng(0).standard_normal((3, 2, 4)).astype(np.float32)
    targets /= np.linalg.norm(targets, axis=2, keepdims=True)
    objective = on_embeddings(4, 6, targets, distillation=1.0, prototypical=0)
    # Three speakers at two speeds: 0 to 2 at the first, 3 to 5 at the second.
    batch = batch_of([1, 4], [2, 2])
    losses = objective(torch.from_numpy(targets[2]), batch)
    assert set(losses) == {"arcface", "distillation"}
    assert losses["distillation"].item() == pytest.approx(0, abs=1e-6)
    swapped = objective(torch.from_numpy(targets[2, ::-1].copy()), batch)
    assert swapped["distillation"].item() > 0.01


def test_distillation_without_targets_is_a_mistake():
    with pytest.raises(ValueError, match="distillation needs targets, got None"):
        on_embeddings(4, 6, distillation=1.0)


# Which belongs to which


@pytest.mark.parametrize("family", ["cnn", "blstm"])
@pytest.mark.parametrize(
    ("kind", "output"),
    [("cross-entropy", "linear"), ("pairwise-kl", "linear"), ("angular-margin", "cosine")],
)
def test_classifiers_have_losses_on_speakers(family, kind, output):
    objective = objective_for(tiny_network(family, output), kind=kind)
    assert isinstance(objective, objective_class(kind))
    assert objective.facts == Facts(N_SPEAKERS, N_SPEAKERS)


def test_a_resnet_has_losses_on_embeddings():
    network = tiny_network()
    objective = objective_for(network)
    assert isinstance(objective, objective_class("embedding"))
    assert objective.arcface.weight.shape == (N_SPEAKERS, 8)
    assert network.training
    assert network.stem_norm.num_batches_tracked == 0, "what it was asked for leaves no trace"


def test_something_is_minimised():
    with pytest.raises(ConfigError, match=r"^\[loss\] every weight is 0; set at least one above 0$"):
        objective_for(tiny_network(), arcface=0, prototypical=0)


LOGITS = "cross-entropy, pairwise-kl"


@pytest.mark.parametrize(
    ("kind", "network", "takes", "gives", "others"),
    [
        ("embedding", ("cnn",), "embeddings", "logits", LOGITS),
        ("cross-entropy", ("resnet",), "logits", "embeddings", "embedding"),
        ("pairwise-kl", ("cnn", "cosine"), "logits", "cosines", "angular-margin"),
        ("angular-margin", ("blstm",), "cosines", "logits", LOGITS),
    ],
)
def test_what_does_not_belong_together_is_told(kind, network, takes, gives, others):
    network = tiny_network(*network)
    message = (
        f"[loss] kind = '{kind}' does not fit the network {type(network).__name__}: it takes {takes}, but "
        f"the network gives {gives}; choose another kind ({others}) or another network"
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        objective_for(network, kind=kind)


# Any layer


@pytest.mark.parametrize(
    ("family", "layer", "dim"),
    [("cnn", "dense1", 10 * N_SPEAKERS), ("blstm", "lstm2", 16), ("resnet", "pool_norm", 2 * 8 * 3)],
)
def test_a_loss_on_embeddings_takes_any_layer_at_length_1(family, layer, dim):
    network = tiny_network(family)
    objective = objective_for(network, layer=layer)
    assert objective.arcface.weight.shape == (N_SPEAKERS, dim)
    vectors, batch = units(6, dim), batch_of([0, 0, 3, 3, 2, 2])
    found, expected = objective(5 * vectors, batch), objective(vectors, batch)
    for name, loss in expected.items():
        torch.testing.assert_close(found[name], loss)


def test_the_gradient_of_a_layers_loss_ends_at_the_layer():
    network = tiny_network("cnn")
    objective = objective_for(network, kind="pairwise-kl", margin=2.0, layer="dense1")
    mel = torch.randn(4, 20, N_MELS, generator=torch.Generator().manual_seed(0)).numpy()
    batch = SegmentBatch(mel, np.array([0, 0, 1, 1]), np.arange(4))
    objective.losses(network, batch)["pairwise-kl"].backward()
    assert network.conv1.weight.grad.abs().max() > 0
    assert network.dense1.weight.grad.abs().max() > 0
    assert network.dense2.weight.grad is None
    assert network.classifier.layer.weight.grad is None


@pytest.mark.parametrize(
    ("family", "table", "message"),
    [
        (
            "cnn",
            {"layer": "dense3"},
            "CNN has no layer 'dense3'; known: dense1, dense2, output, softmax, conv1",
        ),
        ("resnet", {"layer": "blocks.0"}, r"[loss] layer = 'blocks.0' gives (4, 12, "),
        (
            "cnn",
            {"kind": "cross-entropy", "layer": "dense2"},
            "[loss] kind = 'cross-entropy' takes a logit for each of 12 speakers, "
            "but layer 'dense2' gives 60",
        ),
    ],
)
def test_a_layer_that_does_not_fit_is_told(family, table, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        objective_for(tiny_network(family), **table)


def test_what_the_last_layer_alone_gives_is_asked_of_no_other():
    message = "[loss] kind = 'angular-margin' takes cosines, which only the last layer gives; leave out layer"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        objective_for(tiny_network("cnn", "cosine"), kind="angular-margin", layer="dense1")
    message = "a.toml: [loss]: distillation needs the network's embeddings; leave out layer"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        read_loss({"distillation": 1.0, "layer": "pool_norm"}, "a.toml")


# The table


def test_only_losses_on_embeddings_need_speakers_or_targets():
    assert read_loss({"distillation": 1}, "test").needs_targets
    assert read_loss({}, "test").needs_speakers
    assert not read_loss({}, "test").needs_targets
    assert not read_loss({"prototypical": 0}, "test").needs_speakers
    for kind in ON_SPEAKERS:
        other = read_loss({"kind": kind, "distillation": 1}, "test")
        assert not other.needs_speakers
        assert not other.needs_targets


def test_what_another_kind_knows_is_passed_over():
    """Another kind can be set over a file: --set loss.kind=cross-entropy."""
    table = {"kind": "cross-entropy", "margin": 2.0, "cos": 0.1, "ramp": 5}
    assert read_loss(table, "test").model_dump() == {"kind": "cross-entropy", "layer": None, "ramp": 5}
    assert read_loss({"margin": 0.5}, "test").margin == 0.5


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"kind": "triplet"}, f"unknown loss 'triplet'; known: {', '.join(OBJECTIVES)}"),
        ({"kind": ["embedding"]}, "unknown loss '['embedding']'; known: "),
        ({"margin": -1}, "setting 'margin': input should be greater than or equal to 0, got -1"),
        ({"scale": 0}, "setting 'scale': input should be greater than 0, got 0"),
        (
            {"kind": "angular-margin", "sphere": 0.5},
            "setting 'sphere': input should be greater ",
        ),
        ({"kind": "cross-entropy", "sharpness": 1}, "unknown setting 'sharpness'; known: kind, layer, ramp"),
    ],
)
def test_impossible_settings_are_refused(table, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(f'a.toml: [loss]: {message}')}"):
        read_loss(table, "a.toml")
