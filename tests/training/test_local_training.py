"""The training of the network of local speakers: targets, permutations, the loop."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import curve_without_seconds

from diarize.errors import ConfigError, DiarizeError
from diarize.networks.local_network import LocalNetwork, powerset
from diarize.training.local_training import LocalLossConfig, LocalObjective, local_errors, train_local
from diarize.training.local_windows import (
    LocalBatch,
    LocalSampler,
    PackedConversations,
    class_table,
    longest_speakers,
    members_of_teacher,
)
from diarize.training.optimizers import TrainingConfig

N, N_FRAMES, N_MELS = 6, 2000, 16
CLASSES = powerset(4, 3)
SMALL = {"n_steps": 4, "batch_size": 2, "save_every": 2, "warm_up": 0, "mixed_precision": False}


def write_conversations(folder: Path, n: int = N, **changed: np.ndarray) -> Path:
    """Conversations of 20 s in which each of three speakers lifts bands of their own."""
    random = np.random.default_rng(n)
    speakers = np.repeat(random.integers(0, 8, (n, N_FRAMES // 100)), 50, axis=1).astype(np.uint8)
    mel = random.normal(-8, 1, (n, N_FRAMES, N_MELS))
    for k in range(3):
        mel[:, :, 4 * k : 4 * k + 4] += 4 * np.repeat(speakers >> k & 1, 2, axis=1)[..., None]
    teacher = random.dirichlet(np.ones(7), (n, 2, 250))
    arrays = {"mel": mel.astype(np.float16), "speakers": speakers, "teacher": teacher.astype(np.float16)}
    folder.mkdir()
    for name, array in (arrays | changed).items():
        np.save(folder / f"{name}.npy", array)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_conversations(tmp_path_factory.mktemp("packed") / "train")


def test_the_speakers_of_a_window_are_those_who_speak_longest():
    bits = np.array([1, 1, 2, 4, 4, 4, 0], np.uint8)
    assert longest_speakers(bits, 2) == [2, 0]
    table = class_table((2, 0), CLASSES)
    assert CLASSES[table[4]] == (0,)
    assert CLASSES[table[1]] == (1,)
    assert CLASSES[table[5]] == (0, 1)
    assert table[2] == len(CLASSES), "speaker 1 is none of the two"
    assert table[128 + 4] == table[4], "a speaker whom nobody knows does not count"


def test_the_targets_are_the_truth_and_the_teacher_in_the_order_of_the_truth(tmp_path):
    speakers = np.zeros((1, 1000), np.uint8)
    speakers[0, 100:300], speakers[0, 200:500] = 2, 1
    speakers[0, 200:300] = 3
    teacher = np.zeros((1, 2, 250, 7), np.float16)
    teacher[..., 0] = 1
    teacher[0, 0, 50:150] = np.eye(7)[3]  # its speaker 2 is speaker 1 of the truth
    teacher[0, 0, 150:250] = np.eye(7)[1]  # its speaker 0 is speaker 0
    folder = write_conversations(tmp_path / "one", 1, speakers=speakers, teacher=teacher)
    packed = PackedConversations(folder, teacher=True)
    assert packed.parts[0]["members"][0, 0].tolist() == [0, 1, 128, 2, 129, 3, 130]
    truth = packed.window(0, 0, 250, CLASSES, 0.0).targets
    both = packed.window(0, 0, 250, CLASSES, 0.5).targets
    assert truth.sum() == both.sum() == 250
    longest, other = CLASSES.index((0,)), CLASSES.index((1,))  # speaker 0 talks longer
    assert truth[60].argmax() == other
    assert truth[200].argmax() == longest
    assert truth[120].argmax() == CLASSES.index((0, 1))
    assert both[60, other] == 1
    assert both[120].tolist() == (0.5 * np.eye(15)[CLASSES.index((0, 1))] + 0.5 * np.eye(15)[other]).tolist()


def test_a_teacher_s_speaker_who_is_nobody_has_a_bit_of_their_own():
    speakers = np.zeros((1, 500), np.uint8)
    teacher = np.zeros((1, 1, 250, 7), np.float16)
    teacher[0, 0, :, 1] = 1
    assert members_of_teacher(teacher, speakers)[0, 0, 1] == 128


def test_the_loss_is_that_of_the_best_order_of_the_speakers():
    torch.manual_seed(0)
    classes = powerset(3, 2)
    objective = LocalObjective(LocalLossConfig(), classes)
    outputs = torch.randn(2, 9, len(classes)).log_softmax(-1)
    targets = np.random.default_rng(0).dirichlet(np.ones(len(classes)), (2, 9)).astype(np.float32)
    found = float(objective(outputs, LocalBatch(np.zeros((2, 36, 4), np.float32), targets))["classes"])
    total = 0.0
    for one, wanted in zip(outputs, torch.from_numpy(targets), strict=True):
        losses = []
        for order in permutations(range(3)):
            column = [classes.index(tuple(sorted(order[k] for k in each))) for each in classes]
            losses.append(-float((wanted[:, column] * one).sum()))
        total += min(losses)
    assert found == pytest.approx(total / 18, rel=1e-5)


def test_errors_are_missed_false_and_confused_frames():
    truth = np.eye(15, dtype=np.float32)[[0, 1, 1, 2, 5, 0]]  # 5: speakers 0 and 1
    said = torch.eye(15)[[3, 3, 3, 3, 3, 0]]
    assert local_errors(CLASSES, said, truth).tolist() == [1, 1, 1, 5]


def test_a_training_learns_and_resumes_with_the_same_weights(folder, tmp_path):
    packed = PackedConversations(folder, teacher=True)

    def run(out: Path, n_steps: int) -> LocalNetwork:
        torch.manual_seed(1)
        network = LocalNetwork(n_mels=N_MELS, channels=(2, 3), width=8, hidden=4, n_layers=1)
        config = TrainingConfig(**{**SMALL, "n_steps": n_steps, "schedule": "constant"})
        return train_local(network, packed, packed, config, out, loss=LocalLossConfig(teacher=0.3), seconds=4)

    whole = run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    resumed = run(tmp_path / "parts", 4)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    curve = curve_without_seconds(tmp_path / "whole")
    assert curve == curve_without_seconds(tmp_path / "parts")


def test_packed_files_that_do_not_fit_are_refused(tmp_path):
    folder = write_conversations(tmp_path / "bad", 2, speakers=np.zeros((2, 7), np.uint8))
    with pytest.raises(DiarizeError, match="does not fit"):
        PackedConversations(folder)
    (folder / "speakers.npy").unlink()
    with pytest.raises(DiarizeError, match="missing"):
        PackedConversations(folder)
    with pytest.raises(ConfigError, match="lower batch_size"):
        LocalSampler(PackedConversations(write_conversations(tmp_path / "few", 1)), CLASSES, 2, 250, 1)
