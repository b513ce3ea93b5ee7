"""Systems that train no network: distances of all pairs of parts, or one embedding for each part.

A baseline is a function of this file and a line of `BASELINES`. Its system is a TOML file with [baseline].

References
----------
T. Stadelmann, B. Freisleben: Unfolding speaker clustering potential: a biomimetic approach.
ACM Multimedia, 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from diarize.audio import Samples, load_audio
from diarize.audio.features import mfcc
from diarize.experiments.gmm import Likelihoods, fit_mixtures, gmm_distances
from diarize.experiments.mfcc_statistics import mfcc_statistics
from diarize.experiments.parts import Part
from diarize.experiments.pitch import pitch
from diarize.experiments.svm import Report, scaling, time_model_distances
from diarize.experiments.systems import BaselineConfig
from diarize.formats.kaldi import read_data_folder

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Task:
    """What a baseline may use besides the parts.

    Attributes
    ----------
    config : BaselineConfig
    train : path, optional
        A Kaldi data folder to train on.
    n_processes : int
    progress : callable, optional
        Called with the stage, the number of items done, and their total.
    """

    config: BaselineConfig
    train: Path | None = None
    n_processes: int = 1
    progress: Report | None = None

    def training_frames(self, extract: Callable[[Samples], Array]) -> list[Array]:
        """The frames of every recording to train on."""
        assert self.train is not None
        return _load_frames(list(read_data_folder(self.train).wav_scp.values()), extract)


@dataclass(frozen=True)
class Baseline:
    """How parts are compared; the output, distances (n, n) or embeddings (n, dim); whether it trains."""

    compare: Callable[[Sequence[Part], Task], Array]
    gives_distances: bool = False
    learns: bool = False


def mfcc_and_pitch(samples: Samples) -> Array:
    """MFCC 1 to 19 and the fundamental frequency in Hz (0 where unvoiced): (n_frames, 20)."""
    return np.hstack([mfcc(samples), pitch(samples)[:, None]])


def anchor_cepstra(samples: Samples) -> Array:
    """MFCC 1 to 20: (n_frames, 20)."""
    return mfcc(samples, last=20)


def cepstra(samples: Samples, deltas: int = 0, with_pitch: bool = False) -> Array:
    """MFCC 1 to 19, their differences up to an order, and the fundamental frequency in Hz: (n_frames, dim).

    A difference is the slope of a line through five frames; at the ends, the last frame is repeated.
    """
    orders = [np.asarray(mfcc(samples), np.float64)]
    for _ in range(deltas):
        orders.append(savgol_filter(orders[-1], 5, polyorder=1, deriv=1, axis=0, mode="nearest"))
    return np.hstack([*orders, *([pitch(samples)[:, None]] if with_pitch else [])])


def compare_by_gmm(parts: Sequence[Part], task: Task) -> Array:
    """Distances between Gaussian mixtures over `cepstra`."""
    extract = partial(cepstra, deltas=task.config.deltas, with_pitch=task.config.pitch)
    return gmm_distances([fit_mixtures(frames) for frames in _joined_frames(parts, extract)])


def compare_by_svm(parts: Sequence[Part], task: Task) -> Array:
    """Cross likelihood ratios of one-class machines over 130 ms of MFCC and pitch.

    The frames are scaled by the lowest and the highest values in the training recordings.
    """
    low, width = scaling(np.concatenate(task.training_frames(mfcc_and_pitch)))
    frames = [(part - low) / width for part in _joined_frames(parts, mfcc_and_pitch)]
    seed = task.config.seed
    return time_model_distances(frames, n_jobs=task.n_processes, seed=seed, progress=task.progress)


def embed_by_anchors(parts: Sequence[Part], task: Task) -> Array:
    """Mean log-likelihoods under the mixtures of every training recording, MFCC 1 to 20.

    The recordings of a part have equal weight.
    """
    anchors = task.training_frames(anchor_cepstra)
    likelihoods = Likelihoods([fit_mixtures(frames, task.config.mixtures) for frames in anchors])
    frames = (_load_frames(part.files, anchor_cepstra) for part in parts)
    return np.stack([np.mean([likelihoods(one) for one in own], axis=0) for own in frames])


def embed_by_statistics(parts: Sequence[Part], task: Task) -> Array:
    """Mean and standard deviation of MFCC 1 to 19."""
    return mfcc_statistics(_joined_frames(parts, mfcc))


BASELINES = {
    "gmm": Baseline(compare_by_gmm, gives_distances=True),
    "svm": Baseline(compare_by_svm, gives_distances=True, learns=True),
    "anchor-gmm": Baseline(embed_by_anchors, learns=True),
    "mfcc-statistics": Baseline(embed_by_statistics),
}
"""The baselines by kind, the setting of [baseline]."""


def _load_frames(files: Sequence[str], extract: Callable[[Samples], Array]) -> list[Array]:
    """The frames of each file."""
    return [extract(load_audio(file)) for file in files]


def _joined_frames(parts: Sequence[Part], extract: Callable[[Samples], Array]) -> list[Array]:
    """The frames of each part, its recordings one after the other."""
    return [np.concatenate(_load_frames(part.files, extract)) for part in parts]
