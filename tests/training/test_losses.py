"""The losses, against their formulas in plain loops."""

import math

import numpy as np
import pytest
import torch
from helpers import unit_rows
from torch.nn import functional as F

from diarize.training.losses import (
    ArcFace,
    Prototypical,
    angular_margin_loss,
    distillation_loss,
    pairwise_kl_loss,
)


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
            angle += margin * (j == speaker)
            logits.append(8.0 * (math.cos(angle) if angle <= math.pi else -math.cos(angle) - 2))
        total -= math.log(math.exp(logits[speaker]) / sum(math.exp(logit) for logit in logits))
    assert loss(embeddings, SPEAKERS).item() == pytest.approx(total / 6, rel=1e-9)


def test_without_margin_arcface_is_a_normalised_softmax():
    loss, embeddings = arcface(0.0), units(6, 5)
    plain = F.cross_entropy(8.0 * embeddings @ F.normalize(loss.weight, dim=1).T, SPEAKERS)
    torch.testing.assert_close(loss(embeddings, SPEAKERS), plain)


def test_a_margin_makes_arcface_harder():
    embeddings = units(6, 5)
    values = [arcface(margin)(embeddings, SPEAKERS).item() for margin in (0.0, 0.1, 0.2, 0.4)]
    assert values == sorted(values)


def test_of_several_centres_the_nearest_counts():
    torch.manual_seed(3)
    loss, embeddings = ArcFace(5, 4, 0.2, 8.0, n_centres=3).double(), units(6, 5)
    weights = F.normalize(loss.weight, dim=1)
    assert weights.shape == (12, 5)
    cosines = loss.cosines(embeddings)
    for i in range(6):
        for speaker in range(4):
            centres = weights[3 * speaker : 3 * speaker + 3]
            assert cosines[i, speaker].item() == pytest.approx((centres @ embeddings[i]).max().item())
    expected = angular_margin_loss(cosines, SPEAKERS, arc=0.2, scale=8.0)
    torch.testing.assert_close(loss(embeddings, SPEAKERS), expected)


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


def test_values_of_the_angular_margins():
    """Two speakers: the loss is ln(1 + exp(other - own))."""
    cosines, speaker = torch.tensor([[0.5, 0.2]], dtype=torch.float64), torch.tensor([0])

    def loss(own: float) -> float:
        return math.log1p(math.exp(10 * (0.2 - own)))

    def value(**margins: float) -> float:
        return angular_margin_loss(cosines, speaker, **margins, scale=10).item()

    assert value() == pytest.approx(loss(0.5))
    assert value(cos=0.35) == pytest.approx(loss(0.15))
    assert value(arc=math.pi / 6) == pytest.approx(loss(0))  # 60 degrees and 30
    assert value(sphere=2) == pytest.approx(loss(-0.5))  # 120 degrees
    assert value(sphere=4) == pytest.approx(loss(-1.5))  # 240 degrees: -cos(240) - 2
    assert value(sphere=2, arc=math.pi / 6, cos=0.1) == pytest.approx(loss(-math.sqrt(0.75) - 0.1))


def test_an_angular_margin_in_a_double_loop():
    cosines = units(6, 5) @ units(4, 5, 1).T
    total = 0.0
    for row, speaker in zip(cosines.tolist(), SPEAKERS.tolist(), strict=True):
        phi = 3 * math.acos(row[speaker]) + 0.2
        k = int(phi // math.pi)
        logits = [8 * value for value in row]
        logits[speaker] = 8 * ((-1) ** k * math.cos(phi) - 2 * k - 0.1)
        total += math.log(sum(math.exp(logit) for logit in logits)) - logits[speaker]
    loss = angular_margin_loss(cosines, SPEAKERS, sphere=3, arc=0.2, cos=0.1, scale=8)
    assert loss.item() == pytest.approx(total / 6, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_margin_it_is_cross_entropy(dtype):
    cosines = (units(6, 5) @ units(4, 5, 1).T).to(dtype)
    torch.testing.assert_close(
        angular_margin_loss(cosines, SPEAKERS), F.cross_entropy(30 * cosines, SPEAKERS), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("margins", [{"sphere": 4.0}, {"arc": 0.5}, {"sphere": 1.7, "arc": 0.3}])
def test_an_angular_margin_grows_with_the_angle_all_the_way(margins):
    own = torch.linspace(1, -1, 401, dtype=torch.float64)
    cosines = torch.stack([own, torch.zeros_like(own)], dim=1)
    losses = [angular_margin_loss(row[None], torch.tensor([0]), **margins, scale=1).item() for row in cosines]
    assert (np.diff(losses) > 0).all()


@pytest.mark.parametrize("margins", [{}, {"sphere": 4.0}, {"arc": 0.5}, {"cos": 0.35}])
@pytest.mark.parametrize("own", [1.0, -1.0, 1 - 2**-24])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_angular_margin_stays_finite_at_both_ends(margins, own, dtype):
    cosines = torch.tensor([[own, 0.1], [0.2, own]], dtype=dtype, requires_grad=True)
    value = angular_margin_loss(cosines, torch.tensor([0, 1]), **margins)
    value.backward()
    assert value.isfinite()
    assert value.dtype == torch.float32
    assert cosines.grad.isfinite().all()


def test_gradient_of_an_angular_margin():
    cosines = (units(6, 5) @ units(4, 5, 1).T).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda cosines: angular_margin_loss(cosines, SPEAKERS, sphere=2, arc=0.2, cos=0.1, scale=3), cosines
    )


SAME, DIFFERENT = torch.tensor([0, 0]), torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("p", "q", "speakers", "margin", "expected"),
    [
        ((1, 2, 3), (2, 3, 4), SAME, 2, 1.386294),  # unnormalised on purpose
        ((0.7, 0.2, 0.1), (0.1, 0.3, 0.6), SAME, 2, 2.103972),
        ((0.7, 0.2, 0.1), (0.1, 0.3, 0.6), DIFFERENT, 2, 1.896028),
        ((0.7, 0.2, 0.1), (0.1, 0.3, 0.6), DIFFERENT, 3, 3.896028),
        ((0.7, 0.2, 0.1), (0.1, 0.3, 0.6), DIFFERENT, 1.05, 1.05 - 1.002104),  # one direction is far enough
        ((1, 0), (0, 1), DIFFERENT, 2, 0),
        ((1, 0), (0, 1), SAME, 2, 2 * 16 * math.log(10)),
    ],
)
def test_values_of_the_pairwise_divergence(p, q, speakers, margin, expected):
    for dtype in (torch.float32, torch.float64):
        loss = pairwise_kl_loss(torch.tensor([p, q], dtype=dtype), speakers, margin)
        assert loss.item() == pytest.approx(expected, abs=1e-6, rel=1e-6)


def random_probabilities(n: int = 6, n_classes: int = 5) -> torch.Tensor:
    return (3 * units(n, n_classes)).softmax(dim=1)


@pytest.mark.parametrize("margin", [0.5, 2.0])
def test_the_pairwise_divergence_in_a_double_loop(margin):
    probabilities = random_probabilities()
    rows, speakers = probabilities.tolist(), SPEAKERS.tolist()
    total = 0.0
    for i in range(6):
        for j in range(i + 1, 6):
            for p, q in ((rows[i], rows[j]), (rows[j], rows[i])):
                kl = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
                total += kl if speakers[i] == speakers[j] else max(0, margin - kl)
    loss = pairwise_kl_loss(probabilities, SPEAKERS, margin)
    assert loss.item() == pytest.approx(total / 15, rel=1e-9)


def test_the_pairwise_divergence_ignores_the_order_of_a_batch():
    probabilities, order = random_probabilities(), torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = pairwise_kl_loss(probabilities[order], SPEAKERS[order], 2)
    torch.testing.assert_close(shuffled, pairwise_kl_loss(probabilities, SPEAKERS, 2))


def test_the_pairwise_divergence_is_not_rounded_by_autocast():
    probabilities = random_probabilities().float()
    exact = pairwise_kl_loss(probabilities, SPEAKERS, 2)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(pairwise_kl_loss(probabilities, SPEAKERS, 2), exact)


def test_the_pairwise_divergence_of_certain_outputs_has_a_finite_gradient():
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0], [200.0, 0.0]], requires_grad=True)
    loss = pairwise_kl_loss(logits.softmax(dim=1), torch.tensor([0, 0, 1]), 3)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_a_pair_takes_two():
    with pytest.raises(ValueError, match="two items, got 1"):
        pairwise_kl_loss(random_probabilities(1), torch.tensor([0]), 2)


def test_gradient_of_the_pairwise_divergence():
    probabilities = random_probabilities().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: pairwise_kl_loss(p, SPEAKERS, 0.5), probabilities)
