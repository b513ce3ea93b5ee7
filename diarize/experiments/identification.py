"""Identification of known speakers: the share of held-out recordings, and of whole parts, that is correct.

References
----------
T. Stadelmann, B. Freisleben: Unfolding speaker clustering potential: a biomimetic approach.
ACM Multimedia, 2009.
Y. Lukic et al.: Speaker identification and clustering using convolutional neural networks. MLSP, 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from diarize.audio import load_audio
from diarize.audio.features import Frames, mfcc
from diarize.experiments.gmm import Likelihoods, fit_mixtures
from diarize.experiments.parts import read_split
from diarize.scoring.clusterings import wilson_interval

S = TypeVar("S", int, str)


def score_identification(
    held_out: Mapping[S, Sequence[NDArray[np.floating]]],
    is_right: Callable[[NDArray[np.floating], S], bool],
    n_speakers: int,
) -> dict[str, object]:
    """Scores of single recordings, and of all recordings of a speaker together, with Wilson's 95 % interval.

    Parameters
    ----------
    held_out : dict
        Speaker to arrays (n, dim), one for each recording.
    is_right : callable
        Whether an array is identified as the speaker's.
    n_speakers : int
        Number of known speakers.
    """
    recordings = [is_right(one, speaker) for speaker, own in held_out.items() for one in own]
    parts = [is_right(np.concatenate(own), speaker) for speaker, own in held_out.items() if own]
    return {"n_speakers": n_speakers, "recordings": _score(recordings), "parts": _score(parts)}


def identify_by_gmm(folder: Path) -> dict[str, object]:
    """Scores of the held-out recordings of a data folder, by 32 mixtures of each speaker's other recordings.

    The identified speaker is the one with the largest mean log-likelihood.
    """
    train, test = (_load_frames(files) for files in read_split(folder))
    speakers = sorted(train)
    likelihoods = Likelihoods([fit_mixtures(np.concatenate(train[speaker])) for speaker in speakers])

    def is_right(frames: NDArray[np.floating], speaker: str) -> bool:
        return speakers[int(likelihoods(frames).argmax())] == speaker

    return score_identification({speaker: test[speaker] for speaker in speakers}, is_right, len(speakers))


def _load_frames(files: Mapping[str, Sequence[str]]) -> dict[str, list[Frames]]:
    """MFCC 1 to 19 of each speaker's files."""
    return {speaker: [mfcc(load_audio(file)) for file in own] for speaker, own in files.items()}


def _score(right: Sequence[bool]) -> dict[str, object]:
    """The number of identifications, the share that is correct, and its interval."""
    n_right = sum(right)
    return {
        "n": len(right),
        "n_right": n_right,
        "accuracy": n_right / len(right),
        "interval": wilson_interval(n_right, len(right)),
    }
