"""Embeddings that are the output of another layer."""

import numpy as np
import pytest
import torch
from command_line import demo_samples
from helpers import small_model
from planted import TINY

from diarize import Embedder
from diarize.audio.features import FeatureConfig, log_mel
from diarize.embedding.models import SegmentsConfig, load_model, save_model
from diarize.errors import ConfigError
from diarize.networks import build_network
from diarize.segments import Segment


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("small"))


def names_of(model, n_dimensions):
    """Modules whose output has so many dimensions."""
    found = {}
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: found.setdefault(name, out))
        for name, module in model.network.named_modules()
        if name
    ]
    with torch.inference_mode():
        model.network(torch.zeros(1, 200, model.features.n_mels))
    for hook in hooks:
        hook.remove()
    return [name for name, out in found.items() if isinstance(out, torch.Tensor) and out.ndim == n_dimensions]


def test_the_layer_output_is_the_embedding_itself(model):
    samples, windows = 2 * demo_samples(6.0), [Segment(1, 2.5), Segment(3, 4.5)]  # not made louder
    vectors = Embedder(model, device="cpu", threads=1, layer="output").windows([samples], windows)
    for row, window in zip(vectors, windows, strict=True):
        piece = samples[round(window.start * 16000) : round(window.end * 16000)]
        with torch.inference_mode():
            expected = model.network(torch.from_numpy(log_mel(piece, model.features))[None])[0].numpy()
        np.testing.assert_allclose(row, expected / np.linalg.norm(expected), atol=1e-5)


def test_maps_of_a_convolution_are_averaged(model):
    name = names_of(model, 4)[0]
    embedder = Embedder(model, device="cpu", threads=1, layer=name)
    assert embedder.backend is None
    vectors = embedder.windows([demo_samples(6.0)], [Segment(1, 2.5)])
    assert vectors.shape == (1, embedder.dim)
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-5)
    assert embedder.model.name.endswith(f":{name}")


def test_an_unknown_layer_names_the_known_ones(model):
    with pytest.raises(ConfigError, match="has no layer 'nonsense'; known: "):
        Embedder(model, device="cpu", layer="nonsense")


def test_a_layer_with_one_row_for_each_frame_is_refused(model):
    name = next(iter(names_of(model, 3)), None)
    if name is None:
        pytest.skip("no such layer in this network")
    with pytest.raises(ConfigError, match="not one row for each window"):
        Embedder(model, device="cpu", layer=name)


def test_networks_of_fixed_segments_take_their_own_layers(tmp_path):
    torch.manual_seed(0)
    table = {"family": "blstm", "n_mels": 64, **TINY["blstm"]}
    network = build_network(**table)
    save_model(
        tmp_path / "net", network, FeatureConfig(), table, "# net\n", segments=SegmentsConfig(seconds=0.5)
    )
    model = load_model(tmp_path / "net")
    layers = network.eval().layers(torch.zeros(1, 50, 64))
    for name, output in layers.items():
        assert Embedder(model, device="cpu", layer=name).dim == output.shape[1]


def test_third_party_networks_have_none():
    with pytest.raises(ConfigError, match="model campplus: only networks of this project have layers"):
        Embedder("campplus", device="cpu", layer="output")
