"""A copy of a model with weights of 8 bits: small, and nearly the same."""

import numpy as np
from helpers import REPOSITORY, write_small_model
from scripts import call, message

from diarize.audio import SAMPLE_RATE
from diarize.embedding.embedder import Embedder
from diarize.segments import Segment

SCRIPT = REPOSITORY / "recipes" / "shrink_model.py"


def test_a_small_copy_embeds_nearly_alike(tmp_path, monkeypatch, capsys):
    whole, small = write_small_model(tmp_path / "whole"), tmp_path / "small"
    call(monkeypatch, SCRIPT, "--model", whole, "--out", small)
    sizes = [(folder / "weights.safetensors").stat().st_size / 1e6 for folder in (whole, small)]
    assert sizes[1] < 0.5 * sizes[0]
    assert capsys.readouterr().out == f"{small}: {sizes[1]:.1f} MB of {sizes[0]:.1f} MB\n"
    assert (small / "config.toml").read_text() == (whole / "config.toml").read_text()
    assert {path.name for path in small.iterdir()} == {"weights.safetensors", "config.toml", "MODEL_CARD.md"}
    samples = 0.1 * np.random.default_rng(0).standard_normal(5 * SAMPLE_RATE, dtype=np.float32)
    windows = [Segment(start, start + 1.5) for start in (0.0, 1.0, 3.0)]
    vectors = [Embedder(folder, device="cpu").windows([samples], windows) for folder in (whole, small)]
    cosines = (vectors[0] * vectors[1]).sum(axis=1)
    assert (cosines > 0.99).all()
    assert not np.array_equal(*vectors)


def test_an_existing_folder_is_kept(tmp_path, monkeypatch):
    whole = write_small_model(tmp_path / "whole")
    said = message(monkeypatch, SCRIPT, "--model", whole, "--out", whole)
    assert said == f"shrink_model.py: {whole}: exists; remove it or give another --out"
    assert Embedder(whole, device="cpu").dim == 32
