"""The disk space of trainings: as much as their files take, or an error before anything is written."""

import shutil
from collections import namedtuple

import pytest
from helpers import REPOSITORY
from scripts import call, message

pytestmark = pytest.mark.recipe

SCRIPT = REPOSITORY / "recipes" / "estimate_space.py"
SYSTEM = """
[about]
title = "A"
code = "diarize/networks/blstm.py"
[network]
family = "blstm"
hidden = 8
[loss]
kind = "pairwise-kl"
[training]
n_steps = 100
optimizer = "adam"
average = 0.0
batches = "sentences"
snapshot_every = 25
[evaluation]
train = ["train_590", "train_100"]
layer = "lstm2"
"""
N_WEIGHTS = (
    (16 + 8) * 32 * 2 + 2 * 32  # lstm1: kernel and recurrent weights of two directions, biases
    + (16 + 8) * 32 * 2 + 2 * 32  # lstm2, of both directions' 16 states
    + 16 * 50 + 50 + 50 * 25 + 25 + 25 * 5 + 5  # dense layers for 5 speakers
)  # fmt: skip
COPIES = 1 + 2 + 1 + 1 + 4  # weights, Adam's state, model, best, snapshots


@pytest.fixture
def words(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a.toml").write_text(SYSTEM)
    (tmp_path / "conf" / "features.toml").write_text("[features]\nn_mels = 16\n")
    data = tmp_path / "exp" / "data" / "train_100"
    data.mkdir(parents=True)
    (data / "utt2spk").write_text("".join(f"u{k} s{k % 5}\n" for k in range(10)))
    return ["--exp", tmp_path / "exp", "--conf", tmp_path / "conf", "--seeds", 3]


def with_free(monkeypatch, n_bytes):
    usage = namedtuple("Usage", "total used free")(10**15, 0, n_bytes)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)


def test_what_the_files_take_is_counted(words, tmp_path, monkeypatch, capsys):
    needed = 3 * COPIES * 4 * N_WEIGHTS
    with_free(monkeypatch, needed)
    call(monkeypatch, SCRIPT, *words)
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'exp'}: the trainings need about 0.0 GB")
    with_free(monkeypatch, needed - 1)
    assert message(monkeypatch, SCRIPT, *words) == (
        f"estimate_space.py: {tmp_path / 'exp'}: the trainings need about 0.0 GB, 0.0 GB are free; "
        "choose fewer systems, or a folder on another disk with --exp"
    )
    call(monkeypatch, SCRIPT, *words, "--set", "training.snapshot_every=0")


def test_what_exists_needs_no_more(words, tmp_path, monkeypatch, capsys):
    with_free(monkeypatch, 0)
    (tmp_path / "exp" / "a").mkdir()
    call(monkeypatch, SCRIPT, *words)
    assert not capsys.readouterr().out
