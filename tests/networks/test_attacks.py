"""Attacks on a linear function, whose best change is known, and on a network."""

import numpy as np
import pytest
import torch
from helpers import small_network

from diarize.networks.attacks import away_from, fgsm, pgd, towards

WEIGHTS = torch.tensor([[1.0, -2.0, 0.0, 3.0]])
X = torch.zeros(2, 4)


def linear(x: torch.Tensor) -> torch.Tensor:
    return (x * WEIGHTS).sum(dim=1)


def test_the_best_change_of_a_linear_function_is_the_sign_of_its_weights():
    assert fgsm(linear, X, 0.1).tolist() == (0.1 * WEIGHTS.sign()).expand(2, 4).tolist()
    assert linear(fgsm(linear, X, 0.1)).tolist() == pytest.approx([0.6, 0.6])


def test_many_steps_reach_the_corner_and_stay_within_the_size():
    changed = pgd(linear, X, 0.1, 10, torch.Generator().manual_seed(0))
    assert linear(changed).tolist() == pytest.approx([0.6, 0.6])
    assert changed.abs().max() <= 0.1 + 1e-7
    again = pgd(linear, X, 0.1, 10, torch.Generator().manual_seed(0))
    assert torch.equal(changed, again)


def test_embeddings_move_away_and_towards():
    network = small_network()
    random = torch.Generator().manual_seed(0)
    mel = 2 * torch.randn(2, 80, 64, generator=random) - 8
    with torch.no_grad():
        clean = network(mel)
        hidden = network(pgd(away_from(network, clean), mel, 0.3, 5, random))
        other = clean.flip(0)
        imitated = network(fgsm(towards(network, other), mel, 0.3))
    assert ((hidden * clean).sum(dim=1) < 0.9).all()
    assert ((imitated * other).sum(dim=1) > (clean * other).sum(dim=1)).all()
    assert np.allclose(network(mel).detach(), clean), "the network itself is as before"
