"""The network of speech and overlap is trained by the one loop, with all that the loop guards."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import curve_without_seconds
from safetensors.torch import load_file

from diarize.errors import ConfigError, DiarizeError, ModelError
from diarize.networks.activity_network import ActivityNetwork
from diarize.training.activity_training import (
    ActivityLossConfig,
    ActivityObjective,
    ConversationSampler,
    PackedConversations,
    train_activity,
    validate_on,
)
from diarize.training.checkpoints import read_curve
from diarize.training.optimizers import TrainingConfig

N, N_FRAMES, N_MELS = 8, 80, 16
SMALL = {"n_steps": 6, "batch_size": 2, "save_every": 2, "warm_up": 0, "mixed_precision": False}


def write_conversations(folder: Path, n: int = N, **changed: np.ndarray) -> Path:
    """Conversations in which each voice lifts the bands, as `pack_conversations.py` writes them."""
    random = np.random.default_rng(n)
    voices = np.repeat(random.integers(0, 3, (n, N_FRAMES // 20)), 10, axis=1).astype(np.uint8)
    mel = random.normal(-8, 1, (n, N_FRAMES, N_MELS)) + 3 * np.repeat(voices, 2, axis=1)[..., None]
    silero = np.repeat(voices > 0, 2, axis=1) * 0.8 + 0.1
    teacher = random.uniform(size=(n, N_FRAMES // 2, 2))
    arrays = {
        "mel": mel.astype(np.float16),
        "silero": silero.astype(np.float16),
        "voices": voices,
        "teacher": teacher.astype(np.float16),
    }
    folder.mkdir()
    for name, array in (arrays | changed).items():
        np.save(folder / f"{name}.npy", array)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_conversations(tmp_path_factory.mktemp("packed") / "train")


@pytest.fixture(scope="module")
def conversations(folder) -> PackedConversations:
    return PackedConversations(folder, teacher=True)


def small_network() -> ActivityNetwork:
    torch.manual_seed(1)
    return ActivityNetwork(n_mels=N_MELS, channels=(2, 4), width=8, dilations=(1, 2))


def run(conversations, folder, network=None, loss=None, start=None, **settings) -> ActivityNetwork:
    config = TrainingConfig(**(SMALL | settings))
    network = network or small_network()
    return train_activity(network, conversations, conversations, config, folder, loss=loss, start=start)


def same_weights(network, other) -> bool:
    state = other.state_dict()
    return all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())


def test_what_is_planted_is_learned(conversations, tmp_path):
    run(conversations, tmp_path, n_steps=60, save_every=30, learning_rate=0.02, average=0.5, batch_size=4)
    first, last = read_curve(tmp_path / "curve.tsv")
    names = ["step", "seconds", "learning_rate", "speech", "overlap", "dev_speech", "dev_overlap"]
    assert list(first) == names
    for name in ("speech", "overlap", "dev_speech", "dev_overlap"):
        assert last[name] < 0.8 * first[name]


def test_the_teacher_has_its_share_of_the_targets(conversations):
    voices, taught = (array[:2].astype(float) for array in (conversations.voices, conversations.teacher))
    batch = conversations.batch(np.arange(2), context=7)
    shared = ActivityLossConfig(teacher_speech=0.25, teacher_overlap=1)
    targets = ActivityObjective(shared).targets(batch).numpy()
    np.testing.assert_allclose(targets[..., 0], 0.75 * (voices > 0) + 0.25 * taught[..., 0], atol=1e-6)
    assert np.array_equal(targets[..., 1], taught[..., 1])
    alone = ActivityObjective(ActivityLossConfig()).targets(batch).numpy()
    assert np.array_equal(alone, np.stack([voices > 0, voices > 1], axis=2))


@pytest.mark.parametrize("augment", [True, False])
def test_a_batch_depends_on_seed_and_number_alone(conversations, augment):
    sampler = ConversationSampler(conversations, 5, 19, 3, augment=augment)
    forward = [sampler.batch(number) for number in range(4)]
    for number in (2, 0, 3):
        for ours, theirs in zip(sampler.batch(number).inputs, forward[number].inputs, strict=True):
            assert torch.equal(ours, theirs)
    assert forward[0].mel.shape == (5, N_FRAMES + 18, N_MELS)
    assert not np.array_equal(forward[0].voices, forward[1].voices)
    other = ConversationSampler(conversations, 5, 19, 4, augment=augment).batch(0)
    assert not np.array_equal(other.mel, forward[0].mel)


def test_gradients_are_clipped_unless_the_longest_is_0(conversations, tmp_path):
    """With 0 every gradient was made 0, so that nothing was learned."""
    free = run(conversations, tmp_path / "0", clip_gradient=0, learning_rate=0.02)
    wide = run(conversations, tmp_path / "1", clip_gradient=1e9, learning_rate=0.02)
    assert same_weights(free, wide)
    assert not same_weights(free, small_network())


def test_snapshots_patience_and_the_best_weights_are_those_of_the_settings(conversations, tmp_path):
    settings = {
        "n_steps": 40,
        "learning_rate": 0.3,
        "average": 0.0,
        "schedule": "constant",
        "clip_gradient": 0,
    }
    network = run(conversations, tmp_path, patience=2, keep="best", snapshot_every=4, **settings)
    curve = read_curve(tmp_path / "curve.tsv")
    best = int(np.argmin([line["dev_speech"] + line["dev_overlap"] for line in curve]))
    assert len(curve) == best + 3 < 20, "it stops two checkpoints after the best one"
    weights = load_file(tmp_path / "best.safetensors")
    assert all((weights[name] == value).all() for name, value in network.state_dict().items())
    steps = [path.name for path in sorted((tmp_path / "snapshots").iterdir())]
    assert steps == [f"{step:06d}.safetensors" for step in range(4, int(curve[-1]["step"]) + 1, 4)]


def test_the_dev_loss_is_that_of_all_conversations(conversations):
    objective, network = ActivityObjective(ActivityLossConfig()), small_network().eval()
    whole = validate_on(conversations, objective, N, network.context)(network)
    assert list(whole) == ["dev_speech", "dev_overlap"]
    for batch_size in (1, 3, 5, 100):
        found = validate_on(conversations, objective, batch_size, network.context)(network)
        assert found == pytest.approx(whole, rel=1e-5)


# What the loop of its own had not


class Dropping(ActivityNetwork):
    """Its training draws random numbers."""

    def forward(self, mel, silero):
        return torch.nn.functional.dropout(super().forward(mel, silero), 0.3, self.training)


def test_a_network_that_draws_goes_on_with_the_numbers_it_would_have_had(conversations, tmp_path):
    def dropping(**settings) -> ActivityNetwork:
        torch.manual_seed(1)
        network = Dropping(n_mels=N_MELS, channels=(2, 4), width=8, dilations=(1, 2))
        torch.rand(int(torch.randint(1, 9, ()).item()))  # of whoever draws in between
        return run(conversations, network=network, schedule="constant", **settings)

    whole = dropping(folder=tmp_path / "whole", n_steps=6)
    torch.manual_seed(99)
    dropping(folder=tmp_path / "parts", n_steps=4)
    assert same_weights(dropping(folder=tmp_path / "parts", n_steps=6), whole)
    assert curve_without_seconds(tmp_path / "parts") == curve_without_seconds(tmp_path / "whole")


def test_more_batches_at_a_constant_rate_go_on_from_fewer(conversations, tmp_path):
    settings = {"schedule": "constant", "average": 0.9}
    run(conversations, tmp_path / "parts", n_steps=3, **settings)
    longer = run(conversations, tmp_path / "parts", n_steps=6, **settings)
    assert same_weights(longer, run(conversations, tmp_path / "whole", n_steps=6, **settings))
    with pytest.raises(ModelError, match="already has 6 batches, 3 requested; use another folder"):
        run(conversations, tmp_path / "parts", n_steps=3, **settings)


def test_a_training_starts_from_the_weights_of_another(conversations, tmp_path):
    first = run(conversations, tmp_path / "first", average=0.9)
    start = tmp_path / "first" / "checkpoint.safetensors"
    still = {"n_steps": 1, "learning_rate": 1e-12, "weight_decay": 0.0, "average": 0.0}
    begun = run(conversations, tmp_path / "second", start=start, **still)
    for name, weight in first.named_parameters():
        torch.testing.assert_close(begun.get_parameter(name), weight, atol=1e-5, rtol=1e-5)


def test_a_folder_of_other_settings_is_refused(conversations, tmp_path):
    run(conversations, tmp_path)
    message = "checkpoint.safetensors: written with other settings; remove it or use another folder"
    with pytest.raises(ModelError, match=message):
        run(conversations, tmp_path, loss=ActivityLossConfig(teacher_overlap=0.5))
    with pytest.raises(ModelError, match=message):
        run(conversations, tmp_path, batch_size=3)


def test_a_loss_that_is_not_finite_ends_a_training(tmp_path):
    mel = np.full((N, N_FRAMES, N_MELS), np.nan, np.float16)
    broken = PackedConversations(write_conversations(tmp_path / "broken", mel=mel))
    message = (
        f"{tmp_path / 'out'}: step 1: the loss 'speech' is nan; use another folder and a lower learning_rate"
    )
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        run(broken, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Folders that do not do


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"silero": np.zeros((N, N_FRAMES + 1))},
            "silero.npy: (8, 81) does not fit mel.npy with (8, 80, 16)",
        ),
        ({"voices": np.zeros((N - 1, N_FRAMES // 2))}, "voices.npy: (7, 40) does not fit mel.npy"),
        ({"teacher": np.zeros((N, N_FRAMES // 2))}, "teacher.npy: (8, 40) does not fit mel.npy"),
        ({"mel": np.zeros((N, N_FRAMES + 1, N_MELS))}, "silero.npy: (8, 80) does not fit mel.npy"),
    ],
)
def test_files_that_do_not_belong_together_are_told(tmp_path, changed, message):
    folder = write_conversations(tmp_path / "mixed", **changed)
    with pytest.raises(DiarizeError, match=f"^{re.escape(f'{folder}/{message}')}.*; pack them again$"):
        PackedConversations(folder, teacher=True)


def test_an_empty_folder_another_number_of_mels_and_too_few_are_told(folder, conversations, tmp_path):
    empty = write_conversations(tmp_path / "empty", 0)
    with pytest.raises(DiarizeError, match=f"^{re.escape(str(empty))}: no conversations; pack one or more$"):
        PackedConversations(empty)
    message = f"{folder}: packed with 16 mels, but the network takes 24; pack them again"
    with pytest.raises(DiarizeError, match=f"^{re.escape(message)}$"):
        PackedConversations(folder, n_mels=24)
    with pytest.raises(
        ConfigError, match=r"^a batch needs 9 conversations, but 8 are packed; lower batch_size$"
    ):
        run(conversations, tmp_path / "out", batch_size=9)
    assert not (tmp_path / "out").exists()
