"""The CNN and the BLSTM that learn to tell their training speakers apart."""

import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from diarize.errors import ConfigError
from diarize.networks import build_network
from diarize.networks.blstm import BLSTM, BidirectionalLSTM, hard_sigmoid
from diarize.networks.classifier import Classifier
from diarize.networks.cnn import CNN

N_SPEAKERS, N_MELS, N_FRAMES = 3, 24, 20
SMALL = {
    "cnn": {"n_speakers": N_SPEAKERS, "n_mels": N_MELS, "n_frames": N_FRAMES},
    "blstm": {"n_speakers": N_SPEAKERS, "n_mels": N_MELS, "hidden": 5},
}
KINDS = [
    ("cnn", {}),
    ("cnn", {"batch_norm": False}),
    ("cnn", {"output": "cosine"}),
    ("blstm", {}),
    ("blstm", {"legacy_reshape": True}),
    ("blstm", {"output": "cosine"}),
]
each_kind = pytest.mark.parametrize(("family", "settings"), KINDS)


def build(family: str, **settings):
    torch.manual_seed(0)
    return build_network(family, **SMALL[family], **settings).double()


def random_mel(batch: int = 4, n_frames: int = N_FRAMES, n_mels: int = N_MELS) -> torch.Tensor:
    generator = torch.Generator().manual_seed(n_frames)
    return torch.randn(batch, n_frames, n_mels, dtype=torch.float64, generator=generator)


def n_parameters(family: str, **settings) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_network(family, **settings).parameters())


@each_kind
def test_layers_of_a_classifier(family, settings):
    network, mel = build(family, **settings).eval(), random_mel()
    layers = network.layers(mel)
    sizes = {"lstm2": 10} if family == "blstm" else {}
    sizes |= {"dense1": 10 * N_SPEAKERS, "dense2": 5 * N_SPEAKERS}
    sizes |= {"output": N_SPEAKERS, "softmax": N_SPEAKERS}
    assert [(name, tuple(layer.shape)) for name, layer in layers.items()] == [
        (name, (4, size)) for name, size in sizes.items()
    ]
    torch.testing.assert_close(network(mel), layers["output"], rtol=0, atol=0)
    scale = 30 if settings.get("output") == "cosine" else 1
    torch.testing.assert_close(layers["softmax"], (scale * layers["output"]).softmax(dim=1))
    torch.testing.assert_close(network.layers(mel[1:2])["dense1"][0], layers["dense1"][1])


@each_kind
def test_gradients_reach_every_weight(family, settings):
    network = build(family, **settings)
    F.cross_entropy(network(random_mel()), torch.tensor([0, 1, 2, 0])).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@each_kind
def test_only_training_is_random(family, settings):
    network, mel = build(family, **settings), random_mel()
    assert not torch.equal(network(mel), network(mel))
    network.eval()
    torch.testing.assert_close(network(mel), network(mel), rtol=0, atol=0)


@each_kind
def test_autocast_rounds_the_output_but_a_little(family, settings):
    network, mel = build(family, **settings).float().eval(), random_mel().float()
    exact = network(mel)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(mel)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).norm() < 0.03 * exact.norm()


@pytest.mark.parametrize("family", ["cnn", "blstm"])
def test_cosines_do_not_depend_on_the_length_of_a_speakers_weights(family):
    network, mel = build(family, output="cosine").eval(), random_mel()
    cosines = network(mel)
    assert cosines.abs().max() <= 1
    with torch.no_grad():
        network.classifier.layer.weight *= torch.tensor([[0.1], [2.0], [30.0]])
    torch.testing.assert_close(network(mel), cosines)
    dense2 = network.layers(mel)["dense2"]
    expected = F.cosine_similarity(dense2[:, None], network.classifier.layer.weight[None], dim=2)
    torch.testing.assert_close(cosines, expected)


def test_the_classifier_is_linear_or_cosine():
    with pytest.raises(ValueError, match="output is linear or cosine, got 'softmax'"):
        Classifier(4, 2, output="softmax")
    with pytest.raises(ConfigError, match="network 'cnn': output is linear or cosine"):
        build_network("cnn", n_speakers=2, output="softmax")


@pytest.mark.parametrize(
    ("family", "settings", "millions"),
    [
        ("cnn", {"n_speakers": 100, "batch_norm": False}, 38.2),
        ("cnn", {"n_speakers": 590, "batch_norm": False}, 241),
        ("cnn", {"n_speakers": 630, "batch_norm": False}, 259),
        ("cnn", {"n_speakers": 590, "batch_norm": False, "n_frames": 50}, 104),
        ("blstm", {"n_speakers": 100}, 3.43),
    ],
)
def test_the_papers_sizes(family, settings, millions):
    assert float(f"{n_parameters(family, **settings) / 1e6:.3g}") == millions


def test_batch_norm_adds_a_gain_and_an_offset_a_channel():
    with_norm, without = (n_parameters("cnn", n_speakers=10, batch_norm=norm) for norm in (True, False))
    assert with_norm - without == 2 * (32 + 64 + 100)


@pytest.mark.parametrize(("n_frames", "n_features"), [(100, 37_632), (50, 14_336)])
def test_the_papers_flat_lengths(n_frames, n_features):
    assert CNN(1, n_frames=n_frames).n_features == n_features


def test_image_sizes_of_the_cnn():
    network, shapes = CNN(2).eval(), []
    for layer in (network.conv1, network.conv2, network.dense1):
        layer.register_forward_hook(lambda _, x, y: shapes.append((*x[0].shape[1:], *y.shape[1:])))
    network(torch.zeros(1, 100, 128))
    assert shapes == [(1, 128, 100, 32, 125, 97), (32, 61, 47, 64, 58, 44), (64 * 28 * 21, 20)]


def test_the_cnns_first_filter_spans_mels_by_frames():
    """An impulse in (frame, mel) comes out of the first convolution as the mirrored filter."""
    network, mel = build("cnn").eval(), torch.zeros(1, N_FRAMES, N_MELS, dtype=torch.float64)
    mel[0, 10, 12] = 1.0
    seen = []
    network.conv1.register_forward_hook(lambda module, inputs, output: seen.append(output))
    network(mel)
    torch.testing.assert_close(seen[0][0, :, 9:13, 7:11], network.conv1.weight[:, 0].flip(1, 2))


def test_the_cnn_in_its_papers_order():
    network, mel = build("cnn"), random_mel()
    network(mel)  # normalisations that are not the identity
    network.eval()
    with torch.no_grad():
        for norm in (network.norm1, network.norm2, network.norm3):
            norm.weight.uniform_(-1, 1)  # the order of normalisation and pooling matters where it is negative
            norm.bias.uniform_(-1, 1)
    x = mel.transpose(1, 2)[:, None]
    for conv, norm in ((network.conv1, network.norm1), (network.conv2, network.norm2)):
        x = F.max_pool2d(norm(conv(x).clamp_min(0)), 4, stride=2)
    dense1 = network.dense1(x.flatten(1)).clamp_min(0)
    dense2 = network.dense2(network.norm3(dense1)).clamp_min(0)
    layers = network.layers(mel)
    torch.testing.assert_close(layers["dense1"], dense1)
    torch.testing.assert_close(layers["dense2"], dense2)
    torch.testing.assert_close(layers["output"], network.classifier.layer(dense2))


def test_without_batch_norm_relu_may_follow_the_pooling():
    """Values and gradients are those of ReLU before the pooling."""
    network, mel = build("cnn", batch_norm=False).eval(), random_mel()
    network.layers(mel)["dense1"].sum().backward()
    gradients = [parameter.grad.clone() for parameter in (network.conv1.weight, network.conv2.weight)]
    network.zero_grad()
    x = F.max_pool2d(F.relu(network.conv1(mel.transpose(1, 2)[:, None])), 4, stride=2)
    x = F.max_pool2d(F.relu(network.conv2(x)), 4, stride=2)
    dense1 = F.relu(network.dense1(x.flatten(1)))
    torch.testing.assert_close(network.layers(mel)["dense1"], dense1)
    dense1.sum().backward()
    torch.testing.assert_close([network.conv1.weight.grad, network.conv2.weight.grad], gradients)


@pytest.mark.parametrize("shape", [(4, N_FRAMES - 1, N_MELS), (4, N_MELS, N_FRAMES), (N_FRAMES, N_MELS)])
def test_the_cnn_takes_exactly_its_frames(shape):
    with pytest.raises(ValueError, match=rf"mel is \(batch, 20, 24\), got {re.escape(str(shape))}$"):
        build("cnn")(torch.zeros(shape, dtype=torch.float64))


def test_an_image_too_small_for_the_cnn():
    with pytest.raises(ValueError, match="19 or more, got 128 and 18"):
        CNN(2, n_frames=18)
    assert CNN(2, n_mels=19, n_frames=19).n_features == 64


@pytest.mark.parametrize("shape", [(4, N_FRAMES, N_MELS + 1), (4, 0, N_MELS), (N_FRAMES, N_MELS)])
def test_the_blstm_takes_its_mels(shape):
    with pytest.raises(
        ValueError, match=rf"mel is \(batch, frames, 24\), got \({', '.join(map(str, shape))}\)"
    ):
        build("blstm")(torch.zeros(shape, dtype=torch.float64))


@pytest.mark.parametrize("n_frames", [1, 2, 57])
def test_the_blstm_takes_any_number_of_frames(n_frames):
    assert build("blstm")(random_mel(n_frames=n_frames)).shape == (4, N_SPEAKERS)


def numpy_lstm(x: np.ndarray, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """States (frames, hidden) of an LSTM over (frames, n_inputs), a number at a time."""
    hidden = len(recurrent)
    state, cell, states = np.zeros(hidden), np.zeros(hidden), []
    for frame in x:
        z = frame @ kernel + state @ recurrent + bias
        state, cell = state.copy(), cell.copy()
        for unit in range(hidden):
            gate = [min(max(0.2 * z[k * hidden + unit] + 0.5, 0), 1) for k in (0, 1, 3)]
            candidate = np.tanh(z[2 * hidden + unit])
            cell[unit] = gate[1] * cell[unit] + gate[0] * candidate
            state[unit] = gate[2] * np.tanh(cell[unit])
        states.append(state)
    return np.array(states)


def test_the_lstm_is_its_equations_in_either_direction():
    torch.manual_seed(1)
    lstm = BidirectionalLSTM(6, 4).double()
    with torch.no_grad():
        lstm.bias.normal_()
    x = 4 * random_mel(3, 9, 6)  # large enough for the gates to reach both of their ends
    kernel, recurrent, bias = (p.detach().numpy() for p in (lstm.kernel, lstm.recurrent, lstm.bias))
    for row, states in zip(x.numpy(), lstm(x).detach().numpy(), strict=True):
        forward = numpy_lstm(row, kernel[0], recurrent[0], bias[0, 0])
        backward = numpy_lstm(row[::-1], kernel[1], recurrent[1], bias[1, 0])[::-1]
        np.testing.assert_allclose(states, np.hstack([forward, backward]), rtol=1e-12, atol=1e-12)


def test_hard_sigmoid():
    x = torch.tensor([-9.0, -2.5, -1.0, 0.0, 1.0, 2.5, 9.0], dtype=torch.float64)
    torch.testing.assert_close(hard_sigmoid(x), (0.2 * x + 0.5).clamp(0, 1))


def test_the_blstm_starts_like_keras():
    torch.manual_seed(0)
    lstm = BidirectionalLSTM(12, 8)
    for recurrent in lstm.recurrent:
        torch.testing.assert_close(recurrent @ recurrent.T, torch.eye(8), atol=1e-5, rtol=0)
    assert lstm.bias.view(2, 4, 8).mean(dim=2).tolist() == [[0, 1, 0, 0]] * 2
    limit = (6 / (12 + 32)) ** 0.5
    assert 0.95 * limit < lstm.kernel.abs().max() <= limit


def test_the_embedding_is_the_last_state_of_either_direction():
    network, mel = build("blstm").eval(), random_mel()
    states = network.lstm2(network.lstm1(mel))
    expected = torch.cat([states[:, -1, :5], states[:, 0, 5:]], dim=1)
    torch.testing.assert_close(network.layers(mel)["lstm2"], expected)


def test_the_dense_layers_of_the_blstm_are_linear():
    network = build("blstm").eval()
    layers = network.layers(random_mel())
    torch.testing.assert_close(layers["dense1"], network.dense1(layers["lstm2"]))
    torch.testing.assert_close(layers["dense2"], network.dense2(layers["dense1"]))
    torch.testing.assert_close(layers["output"], network.classifier.layer(layers["dense2"]))


def test_legacy_reshape_reads_the_image_row_by_row():
    mel = random_mel()
    true, legacy = build("blstm").eval(), build("blstm", legacy_reshape=True).eval()
    image = mel.transpose(1, 2).numpy()  # (batch, mels, frames), as the published program holds it
    reshaped = torch.from_numpy(image.reshape(4, N_FRAMES, N_MELS).copy())
    torch.testing.assert_close(legacy(mel), true(reshaped))
    assert not torch.allclose(legacy(mel), true(mel))


def test_build_network_makes_the_classifiers():
    assert isinstance(build("cnn"), CNN)
    assert isinstance(build("blstm"), BLSTM)
