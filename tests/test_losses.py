"""The losses, against their formulas in plain loops."""

import math

import numpy as np
import pytest
import torch
from helpers import unit_rows
from torch.nn import functional as F

from diarize.losses import ArcFace, Prototypical, distillation_loss


def units(n: int, dim: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(unit_rows(n, dim, seed))


def arcface(margin: float, scale: float = 8.0) -> ArcFace:
    torch.manual_seed(3)
    return ArcFace(5, 4, margin, scale).double()


SPEAKERS = torch.tensor([0, 3, 1, 1, 2, 0])


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.5])
def test_arcface_is_the_papers_sum(margin):
    loss, embeddings = arcface(margin), units(6, 5)
    weights = (loss.weight / loss.weight.norm(dim=1, keepdim=True)).tolist()
    total = 0.0
    for row, speaker in zip(embeddings.tolist(), SPEAKERS.tolist(), strict=True):
        logits = []
        for j, weight in enumerate(weights):
            angle = math.acos(sum(a * b for a, b in zip(row, weight, strict=True)))
            logits.append(8.0 * math.cos(min(angle + margin, math.pi) if j == speaker else angle))
        total -= math.log(math.exp(logits[speaker]) / sum(math.exp(logit) for logit in logits))
    assert loss(embeddings, SPEAKERS).item() == pytest.approx(total / 6, rel=1e-9)


def test_without_margin_arcface_is_a_normalised_softmax():
    loss, embeddings = arcface(0.0), units(6, 5)
    plain = F.cross_entropy(8.0 * embeddings @ F.normalize(loss.weight, dim=1).T, SPEAKERS)
    torch.testing.assert_close(loss(embeddings, SPEAKERS), plain)


def test_a_margin_makes_arcface_harder_up_to_the_opposite_direction():
    embeddings = units(6, 5)
    values = [arcface(margin)(embeddings, SPEAKERS).item() for margin in (0.0, 0.1, 0.2, 0.4)]
    assert values == sorted(values)
    loss = arcface(0.4)
    opposite = -F.normalize(loss.weight, dim=1)[:1]
    own = torch.tensor([0])
    # The angle is pi already: no margin makes it less alike.
    torch.testing.assert_close(loss(opposite, own), arcface(0.0)(opposite, own), rtol=1e-4, atol=1e-4)


def test_arcface_stays_finite_on_its_own_weight():
    loss = arcface(0.2)
    embeddings = F.normalize(loss.weight, dim=1)[:2].detach().requires_grad_()
    value = loss(embeddings, torch.tensor([0, 1]))
    value.backward()
    assert value.isfinite()
    assert embeddings.grad.isfinite().all()


def test_gradient_of_arcface():
    loss = arcface(0.2)
    embeddings = units(6, 5).requires_grad_()

    def value(embeddings: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(loss, {"weight": weight}, (embeddings, SPEAKERS))

    assert torch.autograd.gradcheck(value, (embeddings, loss.weight.detach().requires_grad_()))


def test_prototypical_is_the_papers_sum_in_both_directions():
    loss = Prototypical().double()
    first, second = units(4, 6, 1), units(4, 6, 2)
    total = 0.0
    for a, b in ((first, second), (second, first)):
        for i in range(4):
            logits = [10.0 * float(a[i] @ b[j]) - 5.0 for j in range(4)]
            total -= math.log(math.exp(logits[i]) / sum(math.exp(logit) for logit in logits))
    assert loss(first, second).item() == pytest.approx(total / 8, rel=1e-9)
    torch.testing.assert_close(loss(first, second), loss(second, first))


def test_prototypical_falls_when_segments_of_a_speaker_come_nearer():
    loss = Prototypical().double()
    first, second = units(4, 6, 1), units(4, 6, 2)
    steps = [F.normalize(second.lerp(first, share), dim=1) for share in (0.0, 0.3, 0.6, 1.0)]
    values = [loss(first, step).item() for step in steps]
    assert values == sorted(values, reverse=True)


def test_prototypical_never_turns_its_scale_round():
    loss = Prototypical().double()
    with torch.no_grad():
        loss.scale.fill_(-3.0)
    first, second = units(4, 6, 1), units(4, 6, 2)
    assert loss(first, first).item() < loss(first, second).item()


def test_gradient_of_prototypical():
    loss = Prototypical().double()
    inputs = (units(4, 6, 1).requires_grad_(), units(4, 6, 2).requires_grad_())
    assert torch.autograd.gradcheck(loss, inputs)


def test_distillation_is_its_two_means():
    embeddings, targets = unit_rows(5, 6, 1), unit_rows(5, 6, 2)
    direct = np.mean([1 - embeddings[i] @ targets[i] for i in range(5)])
    relations = np.mean(
        [(embeddings[i] @ embeddings[j] - targets[i] @ targets[j]) ** 2 for i in range(5) for j in range(5)]
    )
    value = distillation_loss(torch.from_numpy(embeddings), torch.from_numpy(targets))
    assert value.item() == pytest.approx(direct + relations, rel=1e-9)


def test_distillation_is_0_at_equality_and_nowhere_else():
    targets = units(5, 6)
    assert distillation_loss(targets, targets).item() == pytest.approx(0, abs=1e-12)
    turned = targets @ torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0]
    assert distillation_loss(turned, targets).item() > 0.1  # the same cosines, other vectors
    assert distillation_loss(turned, turned).item() == pytest.approx(0, abs=1e-12)


def test_gradient_of_distillation():
    assert torch.autograd.gradcheck(distillation_loss, (units(5, 6, 1).requires_grad_(), units(5, 6, 2)))
