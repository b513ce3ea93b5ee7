"""Log-mel spectrograms and MFCC, whole or streamed, with the configurations of published systems.

Only this module imports torchaudio. The compiled extension of its wheel does not load with a CPU-only or
newer torch. This module needs only the pure-Python part, so if the import fails, it is repeated without the
extension, as torchaudio itself does when it was built without one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from threading import Lock
from types import ModuleType
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from diarize.audio.pieces import Samples
from diarize.audio.recordings import SAMPLE_RATE
from diarize.config import Settings, check_order

Frames = NDArray[np.float32]

_importing = Lock()
"""Held while torchaudio is imported, so that a second thread never sees a partial import."""


@cache
def _torchaudio_functional() -> ModuleType:
    with _importing:
        return _import_functional()


def _import_functional() -> ModuleType:
    try:
        import torchaudio.functional as functional
    except (OSError, RuntimeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        extension = ModuleType("torchaudio._extension")
        extension._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
        extension.fail_if_no_align = lambda function: function  # type: ignore[attr-defined]
        sys.modules["torchaudio._extension"] = extension
        import torchaudio.functional as functional
    return functional


class FeatureConfig(Settings):
    """Settings of a log-mel spectrogram. Lengths are samples at 16 kHz."""

    n_fft: int = Field(512, ge=2, le=65536)
    window: int = Field(400, ge=2, description="length of the window, at most n_fft")
    hop: int = Field(160, ge=1)
    window_shape: Literal["hann", "hamming", "symmetric-hann", "symmetric-hamming", "povey"] = Field(
        "hann", description="povey: the symmetric hann to the power of 0.85"
    )
    n_mels: int = Field(64, ge=1)
    f_min: float = Field(20.0, ge=0, description="Hz")
    f_max: float = Field(7600.0, gt=0, le=SAMPLE_RATE / 2, description="Hz")
    preemphasis: float = Field(0.0, ge=0, lt=1)
    convention: Literal["librosa", "kaldi"] = Field(
        "librosa",
        description="librosa: frames centred, Slaney's mels; kaldi: whole frames within the samples, each "
        "less its mean and pre-emphasised on its own, HTK's mels",
    )
    compression: Literal["ln", "log10-10000", "decibel", "kaldi", "nemo", "none"] = Field(
        "ln",
        description="ln(x + 1e-6); log10(1 + 10000 x); (10 log10 x, 80 under the peak at least, + 80) / 95; "
        "ln(max(x, 2^-23)); ln(x + 2^-24); x",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_order(self, "window", "n_fft")
        check_order(self, "hop", "window")
        if self.f_min >= self.f_max:
            raise ValueError(f"f_min = {self.f_min:g} is not less than f_max = {self.f_max:g}")
        n_bins = self.n_fft // 2 + 1
        if self.n_mels > n_bins:
            raise ValueError(f"n_mels = {self.n_mels} is more than n_fft / 2 + 1 = {n_bins}, the frequencies")
        return self

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return SAMPLE_RATE / self.hop


DEFAULT = FeatureConfig()
"""The features of the bundled model: 64 mels of 25 ms every 10 ms."""

ZHAW = FeatureConfig(n_fft=1024, window=1024, n_mels=128, f_min=0, f_max=8000, compression="log10-10000")
"""Lukic et al., "Speaker identification and clustering using CNNs", MLSP 2016, and its successors."""

LEARN_TO_CLUSTER = FeatureConfig(window=320, n_mels=128, f_min=0, f_max=8000, compression="decibel")
"""Meier et al., "Learning neural models for end-to-end clustering", ANNPR 2018."""

GMM_MFCC = FeatureConfig(
    n_fft=512, window=320, window_shape="hamming", n_mels=24, f_min=0, f_max=7600, preemphasis=0.97
)
"""Stadelmann and Freisleben, "Unfolding speaker clustering potential", ACM MM 2009 (with MFCC 1 to 19)."""

CONFIGURATIONS = {
    "default": DEFAULT, "zhaw": ZHAW, "learn-to-cluster": LEARN_TO_CLUSTER, "gmm-mfcc": GMM_MFCC
}  # fmt: skip


def log_mel(samples: Samples, config: FeatureConfig = DEFAULT) -> Frames:
    """The log-mel spectrogram of samples (n_samples,) at 16 kHz: (1 + n_samples // hop, n_mels).

    Frame t is centred on sample t * hop; zeros are added at both ends. The mels are librosa's default
    (Slaney's scale and area normalisation) over the power spectrum. With Kaldi's convention, frame t begins
    at sample t * hop, and there are max(0, 1 + (n_samples - window) // hop) frames.
    """
    blocks = list(stream_log_mel([samples], config))
    return np.concatenate(blocks) if blocks else np.zeros((0, config.n_mels), dtype=np.float32)


def log_mel_tensor(samples: torch.Tensor, config: FeatureConfig = DEFAULT) -> torch.Tensor:
    """The frames (batch, n, n_mels) of `log_mel` that lie within samples (batch, n_samples), differentiable.

    Frame t is centred on sample n_fft / 2 + t * hop. Settings other than librosa's convention with "ln" or
    "log10-10000" raise a ValueError.
    """
    if config.convention != "librosa" or config.compression not in ("ln", "log10-10000"):
        raise ValueError(f"no differentiable log-mel for {config.convention}, {config.compression}")
    window, filters = _window_and_filters(config)
    spectrum = torch.stft(
        samples, config.n_fft, config.hop, config.window, window, center=False, return_complex=True
    )  # (batch, n_fft / 2 + 1, n)
    power = (spectrum.real**2 + spectrum.imag**2).transpose(1, 2) @ filters
    return (power + 1e-6).log() if config.compression == "ln" else (1 + 10_000 * power).log10()


def mfcc(samples: Samples, config: FeatureConfig = GMM_MFCC, *, first: int = 1, last: int = 19) -> Frames:
    """Mel-frequency cepstral coefficients `first` to `last` of samples (n_samples,): (n_frames, n_mfcc).

    The orthonormal type-II cosine transform of the log-mel spectrogram; number 0 is the mean level.
    """
    if not 0 <= first <= last < config.n_mels:
        raise ValueError(f"coefficients lie between 0 and {config.n_mels - 1}, got first={first} last={last}")
    transform = _torchaudio_functional().create_dct(last + 1, config.n_mels, norm="ortho").numpy()
    return log_mel(samples, config) @ transform[:, first:]


def stream_log_mel(blocks: Iterable[Samples], config: FeatureConfig = DEFAULT) -> Iterator[Frames]:
    """The same spectrogram from blocks of samples, in blocks (n, n_mels).

    Joined, the blocks equal `log_mel` of all samples. Memory is bounded by the largest block, except with the
    compression "decibel": its floor depends on the loudest value of the recording, so no frame is given
    before the end.
    """
    powers = _stream_mel(blocks, config)
    if config.compression != "decibel":
        yield from (_compress(power, config) for power in powers)
        return
    held = list(powers)
    if held:
        yield _compress(np.concatenate(held), config)


def _stream_mel(blocks: Iterable[Samples], config: FeatureConfig) -> Iterator[Frames]:
    """Mel power spectra (n, n_mels) from blocks of samples.

    ::

        zeros |  samples ...                             | zeros
        [== frame 0 ==]
             [== frame 1 ==]     each block computes the frames that it completes;
                  [== ...        samples that the next frame needs are kept
    """
    kaldi = config.convention == "kaldi"  # no zeros at the ends
    carried = np.zeros(0 if kaldi else config.n_fft // 2, dtype=np.float32)
    length = config.window if kaldi else config.n_fft
    previous = np.float32(0)
    n_samples = n_frames = 0
    for block in blocks:
        n_samples += len(block)
        if config.preemphasis and len(block) and not kaldi:
            block, previous = block - config.preemphasis * np.append(previous, block[:-1]), block[-1]
        carried = np.append(carried, block.astype(np.float32))
        ready = max(0, (len(carried) - length) // config.hop + 1)
        if ready:
            yield _mel_power(carried, ready, config)
            carried = carried[ready * config.hop :]
            n_frames += ready
    rest = 1 + n_samples // config.hop - n_frames if n_samples else 0
    if rest and not kaldi:
        yield _mel_power(np.append(carried, np.zeros(config.n_fft, dtype=np.float32)), rest, config)


def _mel_power(samples: Samples, n_frames: int, config: FeatureConfig) -> Frames:
    window, filters = _window_and_filters(config)
    if config.convention == "kaldi":
        frames = torch.from_numpy(samples).unfold(0, config.window, config.hop)[:n_frames]
        frames = frames - frames.mean(dim=1, keepdim=True)
        before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
        spectrum = torch.fft.rfft((frames - config.preemphasis * before) * window, n=config.n_fft)
        return (spectrum.abs().square() @ filters).numpy()
    used = torch.from_numpy(samples[: config.n_fft + (n_frames - 1) * config.hop])
    power = _torchaudio_functional().spectrogram(
        used, pad=0, window=window, n_fft=config.n_fft, hop_length=config.hop, win_length=config.window,
        power=2.0, normalized=False, center=False,
    )  # (n_fft / 2 + 1, n_frames)  # fmt: skip
    return (power.T @ filters).numpy()


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # what is kept can be used for gradients as well
def _window_and_filters(config: FeatureConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """The window (window,) and the filters (n_fft / 2 + 1, n_mels)."""
    name = config.window_shape.removeprefix("symmetric-")
    shape = torch.hamming_window if name == "hamming" else torch.hann_window
    window = shape(config.window, periodic=name == config.window_shape and name != "povey")
    if name == "povey":
        window = window**0.85
    if config.convention == "kaldi":
        return window, _kaldi_filters(config)
    filters = _torchaudio_functional().melscale_fbanks(
        config.n_fft // 2 + 1, config.f_min, config.f_max, config.n_mels, SAMPLE_RATE, "slaney", "slaney"
    )
    return window, filters


def _kaldi_filters(config: FeatureConfig) -> torch.Tensor:
    """Triangles of height 1 (n_fft / 2 + 1, n_mels), equally wide on HTK's mel scale 1127 ln(1 + f / 700)."""
    hertz = np.arange(config.n_fft // 2 + 1) * SAMPLE_RATE / config.n_fft
    mel, low, high = (1127 * np.log1p(np.array(f) / 700) for f in (hertz, config.f_min, config.f_max))
    place = (mel[:, None] - low) / (high - low) * (config.n_mels + 1) - np.arange(config.n_mels)
    filters = np.minimum(place, 2 - place).clip(0)  # 0 at an edge, 1 in the middle
    filters[-1] = 0  # Kaldi leaves out the bin at half the rate
    return torch.from_numpy(filters.astype(np.float32))


def _compress(power: Frames, config: FeatureConfig) -> Frames:
    match config.compression:
        case "ln":
            return np.log(power + np.float32(1e-6))
        case "log10-10000":
            return np.log10(1 + np.float32(10_000) * power)
        case "kaldi":
            return np.log(np.maximum(power, np.float32(2**-23)))
        case "nemo":
            return np.log(power + np.float32(2**-24))
        case "none":
            return power
    decibel = 10 * np.log10(np.maximum(power, np.float32(1e-10)))
    return (np.maximum(decibel, decibel.max() - 80) + 80) / 95
