"""What a training writes on its way comes back as it was, also where its last line is half written."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from diarize.errors import ModelError
from diarize.training.checkpoints import (
    TrainingProgress,
    append_curve,
    cut_curve,
    load_checkpoint,
    read_curve,
    save_checkpoint,
)
from diarize.training.optimizers import TrainingConfig, build_optimizer

HALF_WAY = TrainingProgress(step=3, seconds=1.5, best_loss=0.25, best_step=2)


def layers(n: int = 4) -> nn.Module:
    """A convolution, whose weights may lie in memory otherwise, and a normalisation, which counts."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, n, 2), nn.BatchNorm2d(n)).to(memory_format=torch.channels_last)


def optimizer_of(modules: nn.Module, name: str) -> torch.optim.Optimizer:
    return build_optimizer(TrainingConfig(optimizer=name, learning_rate=0.1), list(modules.parameters()))


def take_steps(modules: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        (modules(x) ** 3).mean().backward()
        optimizer.step()


@pytest.mark.parametrize("name", ["adamw", "adam", "adadelta", "nesterov", "sgd"])
def test_from_a_checkpoint_the_same_steps_follow(tmp_path, name):
    whole = layers()
    optimizer = optimizer_of(whole, name)
    take_steps(whole, optimizer, range(3))
    save_checkpoint(tmp_path, whole, optimizer, "settings", HALF_WAY)
    take_steps(whole, optimizer, range(3, 6))

    resumed = layers()
    optimizer = optimizer_of(resumed, name)
    assert load_checkpoint(tmp_path, resumed, optimizer, "settings") == HALF_WAY
    take_steps(resumed, optimizer, range(3, 6))
    for key, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[key], tensor), key


def test_without_a_checkpoint_the_beginning_is_fresh(tmp_path):
    modules = layers()
    progress = load_checkpoint(tmp_path / "none", modules, optimizer_of(modules, "adam"), "")
    assert progress == TrainingProgress() == TrainingProgress(0, 0.0, float("inf"), 0)


def test_a_checkpoint_is_replaced_whole(tmp_path):
    modules = layers()
    optimizer = optimizer_of(modules, "adam")
    for step in (1, 2):
        save_checkpoint(tmp_path, modules, optimizer, "", TrainingProgress(step))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    assert load_checkpoint(tmp_path, modules, optimizer, "").step == 2


@pytest.mark.parametrize(
    ("settings", "n", "message"),
    [
        ("other", 4, "written with other settings; remove it or use another folder"),
        ("same", 5, "written for another network or other speakers; remove it or use another folder"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path, settings, n, message):
    modules = layers()
    save_checkpoint(tmp_path, modules, optimizer_of(modules, "adam"), "same", HALF_WAY)
    other = layers(n)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(ModelError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_checkpoint(tmp_path, other, optimizer_of(other, "adam"), settings)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    modules, path = layers(), tmp_path / "checkpoint.safetensors"
    path.write_bytes(b"half a file")
    with pytest.raises(
        ModelError, match=rf"^{re.escape(str(path))}: not a checkpoint \(.*\); remove it or use"
    ):
        load_checkpoint(tmp_path, modules, optimizer_of(modules, "adam"), "")
    save_file({"weight": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=rf"^{re.escape(str(path))}: written with other settings"):
        load_checkpoint(tmp_path, modules, optimizer_of(modules, "adam"), "")


# The curve


@pytest.fixture
def curve(tmp_path):
    for step in (5, 10, 15):
        append_curve(tmp_path / "new", {"step": float(step), "seconds": step / 4, "loss": 1 / step})
    return tmp_path / "new" / "curve.tsv"


def test_a_curve_is_a_table_with_a_header(curve):
    text = "step\tseconds\tloss\n5\t1.25\t0.2\n10\t2.5\t0.1\n15\t3.75\t0.0666667\n"
    assert curve.read_text() == text
    assert read_curve(curve)[1] == {"step": 10, "seconds": 2.5, "loss": 0.1}


@pytest.mark.parametrize(("step", "n_lines"), [(20, 3), (15, 3), (14, 2), (5, 1)])
def test_a_curve_is_cut_behind_the_step_of_the_checkpoint(curve, step, n_lines):
    lines = curve.read_text().splitlines()[: 1 + n_lines]
    cut_curve(curve.parent, step)
    assert curve.read_text().splitlines() == lines


def test_a_curve_without_a_line_goes_and_begins_anew(curve):
    before = curve.read_bytes()
    cut_curve(curve.parent, 0)
    assert not curve.exists()
    cut_curve(curve.parent, 0)  # nothing to do
    for step in (5, 10, 15):
        append_curve(curve.parent, {"step": float(step), "seconds": step / 4, "loss": 1 / step})
    assert curve.read_bytes() == before


def test_a_curve_that_was_cut_anywhere_can_be_read_and_goes_on(curve):
    """A process may be killed, or a report made, at any byte."""
    content = curve.read_bytes()
    whole = read_curve(curve)
    for n_bytes in range(len(content)):
        curve.write_bytes(content[:n_bytes])
        n_lines = max(0, content[:n_bytes].count(b"\n") - 1)
        assert read_curve(curve) == whole[:n_lines]
        cut_curve(curve.parent, 5 * n_lines)
        for line in whole[n_lines:]:
            append_curve(curve.parent, line)
        np.testing.assert_allclose(
            [line["loss"] for line in read_curve(curve)], [0.2, 0.1, 1 / 15], rtol=1e-5
        )
        assert curve.read_text().splitlines()[0] == "step\tseconds\tloss"


@pytest.mark.parametrize("text", [None, "step\tloss\n1\n", "step\tloss\n1\ttwo\n"])
def test_what_is_no_curve_is_told(tmp_path, text):
    path = tmp_path / "curve.tsv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ModelError, match=rf"^{re.escape(str(path))}: not the curve of a training \("):
        read_curve(path)
