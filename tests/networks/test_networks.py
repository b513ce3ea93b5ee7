"""The embedding network: what an output sees, how frames are pooled, how large it is."""

import math

import pytest
import torch

from diarize.errors import ConfigError
from diarize.networks import build_network

FAMILIES = {
    "resnet": {"family": "resnet", "channels": [4, 8, 8], "heads": 4},
    "deeper resnet": {"family": "resnet", "channels": [4, 8, 8], "blocks": [2, 1, 1], "heads": 4},
    "tdnn": {"family": "tdnn", "channels": 32, "dilations": [1, 3, 2], "n_features": 12, "heads": 4},
    "separable": {
        "family": "tdnn",
        "channels": 32,
        "dilations": [2],
        "separable": True,
        "n_features": 32,
    },
}
SEEN = {"resnet": (39, 4), "deeper resnet": (47, 4), "tdnn": (29, 2), "separable": (13, 2)}
"""Context and stride."""


@pytest.fixture(scope="module", params=FAMILIES)
def network(request):
    torch.manual_seed(0)
    network = build_network(**FAMILIES[request.param], n_mels=16, dim=12).double()
    network.name = request.param
    network(torch.randn(8, 80, 16, dtype=torch.float64))  # normalisations that are not the identity
    return network.eval()


def random_mel(n_frames: int, batch: int = 1, n_mels: int = 16) -> torch.Tensor:
    return torch.randn(
        batch, n_frames, n_mels, dtype=torch.float64, generator=torch.Generator().manual_seed(n_frames)
    )


def test_an_output_depends_on_exactly_its_context(network):
    assert (network.context, network.stride) == SEEN[network.name]
    mel = random_mel(90).requires_grad_()
    features = network.frames(mel)[0]
    for j in range(len(features)):
        (gradient,) = torch.autograd.grad(features[j].sum(), mel, retain_graph=True)
        seen = gradient[0].abs().sum(dim=1).nonzero().flatten().tolist()
        assert seen == list(range(j * network.stride, j * network.stride + network.context))


@pytest.mark.parametrize("more", range(10))
def test_the_number_of_outputs(network, more):
    n_frames = network.context + more
    features = network.frames(random_mel(n_frames))
    assert features.shape == (1, (n_frames - network.context) // network.stride + 1, network.n_features)


@pytest.mark.parametrize(("first", "count"), [(0, 1), (0, 5), (7, 12), (35, 5)])
def test_a_long_input_at_once_gives_the_features_of_its_windows(network, first, count):
    mel = random_mel(200)
    whole = network.frames(mel)
    start = first * network.stride
    window = mel[:, start : start + network.context + (count - 1) * network.stride]
    torch.testing.assert_close(network.frames(window), whole[:, first : first + count])
    torch.testing.assert_close(network(window), network.pool(whole[:, first : first + count]))


@pytest.mark.parametrize("family", FAMILIES)
def test_backward_in_time_gives_the_features_backward(family):
    """With kernels symmetric in time; a shortcut off the centre of its block would show."""
    torch.manual_seed(0)
    network = build_network(**FAMILIES[family], n_mels=16, dim=12).double().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv1d | torch.nn.Conv2d):
            module.weight.data += module.weight.data.flip(-1)
    mel = random_mel(network.context + 10 * network.stride)
    torch.testing.assert_close(network.frames(mel.flip(1)), network.frames(mel).flip(1))


def test_what_lies_behind_the_mask_does_not_count(network):
    features = network.frames(random_mel(99, batch=2))
    n_frames = features.shape[1]
    everything = torch.ones(2, n_frames, dtype=torch.bool)
    torch.testing.assert_close(network.pool(features, everything), network.pool(features))

    mask = everything.clone()
    mask[0, 5:] = False
    mask[1, :3] = False
    other = torch.where(mask.unsqueeze(-1), features, 1e3 * torch.ones_like(features))
    pooled = network.pool(other, mask)
    torch.testing.assert_close(pooled[:1], network.pool(features[:1, :5]))
    torch.testing.assert_close(pooled[1:], network.pool(features[1:, 3:]))


def test_pooling_is_the_papers_sums(network):
    features = network.frames(random_mel(60))
    n_frames, n_features = features.shape[1:]
    scores = network.attention(features)[0]  # (frames, heads)
    n_heads = scores.shape[1]
    means, deviations = [], []
    for feature in range(n_features):
        score = scores[:, feature // (n_features // n_heads)].tolist()
        total = sum(math.exp(s) for s in score)
        weights = [math.exp(s) / total for s in score]
        values = features[0, :, feature].tolist()
        mean = sum(weights[t] * values[t] for t in range(n_frames))
        square = sum(weights[t] * values[t] ** 2 for t in range(n_frames))
        means.append(mean)
        deviations.append(math.sqrt(max(square - mean**2, 1e-5)))
    statistics = torch.tensor([means + deviations], dtype=torch.float64)
    vector = network.embedding(network.pool_norm(statistics))
    torch.testing.assert_close(network.pool(features), vector / vector.norm())


def test_the_order_of_the_frames_does_not_matter_to_the_pooling(network):
    features = network.frames(random_mel(80))
    torch.testing.assert_close(network.pool(features.flip(1)), network.pool(features))


def test_vectors_have_length_1(network):
    vectors = network(random_mel(50, batch=5))
    assert vectors.shape == (5, 12)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("channels", [[4, 4, 8], [8, 8, 16]])
def test_gradients_do_not_hang_on_the_memory_format(channels):
    """oneDNN has kernels for channels last that go wrong, or crash, with few channels."""
    gradients = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        network = build_network("resnet", n_mels=16, channels=channels, heads=4, dim=12)
        network.to(memory_format=memory_format)
        network(random_mel(80, batch=16).float())[:, 0].sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    for plain, last in zip(*gradients, strict=True):
        torch.testing.assert_close(last, plain, rtol=1e-3, atol=1e-5)


def test_one_frame_has_a_gradient(network):
    """Its deviation is 0, where a square root has no slope."""
    mel = random_mel(network.context).requires_grad_()
    (gradient,) = torch.autograd.grad(network(mel)[0, 0], mel)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize(
    ("n_mels", "channels", "blocks", "heads", "dim"),
    [
        (64, (32, 64, 128), (1, 1, 1), 8, 256),
        (16, (4, 6, 10), (1, 1, 1), 5, 7),
        (16, (4, 6, 10), (1, 2, 3), 5, 7),
    ],
)
def test_the_number_of_parameters(n_mels, channels, blocks, heads, dim):
    def convolution(width_in: int, width: int, size: int) -> int:
        return size * width_in * width + 2 * width  # and a normalisation's scale and shift

    def block(width_in: int, width: int, changes: bool) -> int:
        shortcut = convolution(width_in, width, 1) if changes else 0
        return convolution(width_in, width, 9) + convolution(width, width, 9) + shortcut

    narrow, middle, wide = channels
    n_features = wide * n_mels // 8
    expected = (
        convolution(1, narrow, 9)
        + block(narrow, narrow, False)
        + block(narrow, middle, True)
        + block(middle, wide, True)
        + sum((n - 1) * block(width, width, False) for n, width in zip(blocks, channels, strict=True))
        + (n_features * 128 + 128)
        + (128 * heads + heads)
        + 2 * 2 * n_features
        + (2 * n_features * dim + dim)
    )
    network = build_network("resnet", n_mels=n_mels, channels=channels, blocks=blocks, heads=heads, dim=dim)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert network.n_features == n_features


def test_the_default_network_is_small():
    assert sum(parameter.numel() for parameter in build_network("resnet").parameters()) == 967_656


def test_an_unknown_family_is_told_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"^unknown network 'gru'; known: resnet, tdnn, cnn, blstm$"):
        build_network("gru")


def test_an_unknown_parameter_is_told_with_the_known_ones():
    message = r"^network 'resnet': unknown setting 'depth'; known: n_mels, channels, blocks, heads, dim$"
    with pytest.raises(ConfigError, match=message):
        build_network("resnet", depth=3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"channels": [8, 8]}, r"channels are three numbers, got \[8, 8\]"),
        ({"blocks": [1, 1]}, r"blocks are three numbers, got \[1, 1\]"),
        ({"n_mels": 20}, "n_mels is a multiple of 8, got 20"),
        ({"n_mels": 8, "channels": [4, 4, 9], "heads": 2}, "heads divide the 9 features, got 2"),
    ],
)
def test_numbers_that_do_not_fit_are_told(parameters, message):
    with pytest.raises(ConfigError, match=f"^network 'resnet': {message}$"):
        build_network("resnet", **parameters)


def test_a_tdnn_without_blocks_is_told():
    with pytest.raises(ConfigError, match=r"^network 'tdnn': dilations needs one or more numbers, got none$"):
        build_network("tdnn", dilations=[])


def test_the_number_of_parameters_of_a_tdnn():
    """Of a separable one, each block has three numbers a channel in place of a matrix a tap."""
    dense, separable = (
        sum(
            p.numel()
            for p in build_network("tdnn", channels=32, dilations=[1, 2], separable=thin).parameters()
        )
        for thin in (False, True)
    )
    assert dense - separable == 2 * 3 * (32 * 32 - 32)
