"""The stage `assign`: who speaks in each frame, from two sources.

The embeddings say whose voice it is; the local speakers (``speech/local.py``) say which frames are one voice,
and how many talk. Neither is right everywhere, so both count::

    local speakers  window 1   0 ######        ######          each is assigned to the speaker of the
                               1        ########               recording whose voice it has, no two of
                    window 2   0     ########                  a window to the same
                               1  ###        #########
    shares          A  111111.5           .5111                of the windows in which a speaker talks
                    B        .511111111111
    pieces          BBAAAAAAABBBBBBBBAAAAAAA                   likelihood of 0.75 s of voice
    first speaker   A  ######        ######                    the likeliest path through shares and pieces
                    B        ########
    others                 where the local speakers are more, by their shares

References
----------
Bredin, "pyannote.audio 2.1 speaker diarization pipeline: principle, benchmark, and recipe", Interspeech
2023: one embedding for each local speaker, and the number of speakers in a frame.
Landini, Profant, Diez, Burget: Bayesian HMM clustering of x-vector sequences (VBx) in speaker diarization,
Computer Speech & Language 71, 2022: the chain of pieces.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.partitions import Labels
from diarize.config import Config
from diarize.embedding.record import Voices
from diarize.machine.threads import one_blas_thread
from diarize.pipeline.records import Labelled
from diarize.pipeline.viterbi import likeliest_path, posteriors
from diarize.segments import Segment
from diarize.speakers.number import window_weight
from diarize.speakers.plda import Backend
from diarize.speech.detect import Heard
from diarize.speech.hysteresis import runs
from diarize.speech.local import FRAME_LENGTH, Local, frames_inside
from diarize.speech.windows import nearest_windows

Matrix = NDArray[np.float64]

FLOOR = 0.05
"""Added to the shares before their logarithm, so that a speaker whom no window hears is unlikely, not
impossible."""

VOTE = 3.0
"""Nats for each clustered window inside a local speaker, in favour of that window's speaker."""

LONGEST_SAMPLE = 1.5
"""Independent windows that a local speaker counts as, at most."""

POSTERIOR_STEP = 0.1
"""Seconds from one posterior to the next."""

TEMPER = 0.5
"""Factor of the scores in the posteriors: neighbouring frames are not independent (docs/choices.md)."""


def assign(
    labelled: Labelled, voices: Voices, heard: Heard, backend: Backend | None, config: Config
) -> Labelled:
    """Who speaks when: segments of each speaker, which overlap where several speak.

    Parameters
    ----------
    labelled : Labelled
        The windows of `voices` and their labels 0, 1, ... without a gap.
    voices : Voices
    heard : Heard
        Speech, and the local speakers.
    backend : Backend, optional
        The back end of the network that made the embeddings. Without it, the labels of the windows say whose
        voice it is.
    config : Config
    """
    local, labels = heard.local, labelled.labels
    if local is None or not len(labels):
        return labelled
    k = int(labels.max()) + 1
    speech = frames_inside(heard.segments, local.n_frames)
    n_voices = np.where(speech, local.mean(local.active.sum(axis=2)).round().clip(1, k), 0).astype(int)
    times = (np.arange(local.n_frames) + 0.5) * FRAME_LENGTH
    with one_blas_thread():
        fits = None if backend is None else _fits(voices, labels, backend, config)
        near = nearest_windows(times, voices.windows)
        fit = None if fits is None else fits[0]
        shares = shares_of(local, labels[near], fit, voices.local, k, config.embedding.hop)
        scores = config.resegmentation.local_weight * np.log(shares + FLOOR)
        if fits is not None and voices.pieces:
            scores += fits[1][nearest_windows(times, voices.pieces)]
        scores *= FRAME_LENGTH
        talking = _speakers(scores, shares, n_voices, config.resegmentation.change_cost)
        for lost in np.flatnonzero(~talking.any(axis=0)):  # their windows are theirs
            at = (labels[near] == lost) & (n_voices > 0)
            talking[at] = False
            talking[at, lost] = True
        certainty = _posteriors(scores, talking, shares, config.resegmentation.change_cost)
    return Labelled(*_segments(talking), labelled.evidence, certainty)


def _fits(voices: Voices, labels: Labels, backend: Backend, config: Config) -> tuple[Matrix, Matrix]:
    """Log-likelihoods of the speakers: in nats for each local speaker, in nats a second for each piece."""
    centre = voices.vectors.mean(axis=0)
    weight = window_weight(config.clustering, config.embedding.hop)
    shares = np.eye(int(labels.max()) + 1)[labels]
    speakers = backend.speakers(backend.whiten(voices.vectors, centre), shares, weight)
    seconds_a_sample = config.clustering.seconds_a_sample
    of_local = backend.log_likelihoods(backend.whiten(voices.local_vectors, centre), *speakers)
    of_local *= np.minimum(voices.local_seconds / seconds_a_sample, LONGEST_SAMPLE)[:, None]
    of_pieces = backend.log_likelihoods(backend.whiten(voices.piece_vectors, centre), *speakers)
    return of_local, of_pieces / max(seconds_a_sample, config.resegmentation.hop)


def _speakers(scores: Matrix, shares: Matrix, n_voices: NDArray[np.int64], cost: float) -> NDArray[np.bool_]:
    """Whether each speaker talks in each frame, (n_frames, k).

    The likeliest path through the scores (n_frames, k) of the frames with speech is the first speaker;
    others follow by their shares, as many as there are voices.
    """
    talking = np.zeros(shares.shape, bool)
    spoken = np.flatnonzero(n_voices)
    if len(spoken):
        talking[spoken, likeliest_path(scores[spoken], cost)] = True
    for number in range(2, int(n_voices.max(initial=0)) + 1):
        at = np.flatnonzero(n_voices >= number)
        rest = np.where(talking[at], -1, shares[at])
        other = rest.argmax(axis=1)
        heard = rest[np.arange(len(at)), other] > 0
        talking[at[heard], other[heard]] = True
    return talking


def _posteriors(
    scores: Matrix, talking: NDArray[np.bool_], shares: Matrix, cost: float
) -> NDArray[np.float32]:
    """The probability (n_frames, k) that a speaker talks in a frame.

    For the first speaker of a frame it is that of the paths through the scores, tempered, as neighbouring
    frames are not independent; for the others, their share where it is larger.
    """
    group = round(POSTERIOR_STEP / FRAME_LENGTH)
    speech = talking.any(axis=1, keepdims=True)
    padded = np.pad(scores * speech, ((0, -len(scores) % group), (0, 0)))
    sums = padded.reshape(-1, group, scores.shape[1]).sum(axis=1)
    found = posteriors(TEMPER * sums, cost).repeat(group, axis=0)[: len(scores)]
    several = talking.sum(axis=1, keepdims=True) > 1
    certainty: NDArray[np.float32] = np.where(several, np.maximum(found, shares), found).astype(np.float32)
    return certainty


def _segments(talking: NDArray[np.bool_]) -> tuple[list[Segment], Labels]:
    """The runs of each speaker's frames as segments in the order of their starts, and their labels."""
    found = [
        (Segment(first * FRAME_LENGTH, behind * FRAME_LENGTH), speaker)
        for speaker in range(talking.shape[1])
        for first, behind in runs(talking[:, speaker]).tolist()
    ]
    found.sort(key=lambda each: (each[0], each[1]))
    return [segment for segment, _ in found], np.array([speaker for _, speaker in found], np.int64)


def shares_of(
    local: Local,
    labels_of_frames: Labels,
    fit: Matrix | None,
    keys: NDArray[np.intp],
    k: int,
    hop: float,
) -> Matrix:
    """The share (n_frames, k) of the windows that hear a frame in which each speaker talks.

    Within a window, each local speaker is assigned to one speaker, no two to the same if there are enough.

    Parameters
    ----------
    local : Local
    labels_of_frames : array (n_frames,)
        The label of the clustered window nearest to each frame.
    fit : array (n_keys, k) or None
        Log-likelihood of each speaker for a local speaker's voice.
    keys : array (n_keys, 2)
        Window and number of each local speaker who talks, in order of the windows.
    k : int
        Number of speakers.
    hop : float
        Seconds from one clustered window to the next.
    """
    from scipy.optimize import linear_sum_assignment  # takes half a second

    active, alone = local.active, local.alone
    spoken = np.zeros((*active.shape[:2], k), np.float32)
    scores = np.zeros((len(keys), k))
    for row, (window, number) in enumerate(keys):
        first = local.firsts[window]
        at = first + np.flatnonzero(alone[window, :, number])
        votes = np.bincount(labels_of_frames[at[at < len(labels_of_frames)]], minlength=k)
        scores[row] = VOTE * votes * FRAME_LENGTH / hop
    if fit is not None:
        scores += fit
    borders = np.searchsorted(keys[:, 0], np.arange(len(active) + 1))
    for window, (begin, end) in enumerate(pairwise(borders.tolist())):
        if begin == end:
            continue
        rows, columns = linear_sum_assignment(-scores[begin:end])
        assigned = scores[begin:end].argmax(axis=1)  # for those who are more than the speakers
        assigned[rows] = columns
        for row, speaker in enumerate(assigned):
            spoken[window, :, speaker] += active[window, :, keys[begin + row, 1]]
    return local.mean(np.minimum(spoken, 1))
