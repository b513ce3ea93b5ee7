"""The verifier of a model: learned from clips of training speakers, calibrated on development speakers.

Each clip is heard three times: as it is, over the telephone, and from afar (in a room, with noise). For the
back end the three are different clips of a speaker, so what they differ in counts as variation within the
speaker. For the calibration, and for tests, a side of a trial has some seconds of clips of one speaker::

    clips of a speaker   [--1--][---2---][-3-][----4----]       in random order
    enrolled              |====== 10 s ======|
    tested                                        |=5 s=|       from the other end; no clip is on both sides
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from diarize.audio import SAMPLE_RATE, Samples
from diarize.clustering.affinity import Matrix
from diarize.embedding.embedder import Embedder
from diarize.speakers.enrolment import Verifier
from diarize.speakers.plda import Backend
from diarize.training.augment import add_noise, reverberate, telephone

CHANNELS = ("wideband", "telephone", "far")
MATCHES = (
    *((channel, channel) for channel in CHANNELS),
    *(("wideband", "telephone"), ("wideband", "far"), ("telephone", "far")),
)
"""Channels of the enrolled and of the tested side."""
NOISE = 5.0, 15.0
"""dB between the speech from afar and the noise."""
SHARES = (0.1, 0.03, 0.01, 0.003, 0.001)
"""Shares of pairs of different speakers in the tail of a verifier."""
WINDOW_GRID = (1.0, 2.0, 4.0)
SESSION_GRID = (0.05, 0.1, 0.2, 0.4)
"""Values of w and c that are tried."""


class EmbeddedClip(NamedTuple):
    """A clip in a channel."""

    vectors: Matrix
    """(n_windows, dim)"""
    seconds: NDArray[np.float64]
    """(n_windows,): seconds of speech that each window adds to those before it."""


class Side(NamedTuple):
    """Some seconds of a speaker's clips."""

    vector: NDArray[np.float64]
    """(dim,), the mean over the windows."""
    seconds: float


class Draw(NamedTuple):
    """Two sides of a speaker, from different clips, each in every channel."""

    speaker: str
    group: str
    number: int
    enrolled: dict[str, Side]
    tested: dict[str, Side]


class Trials(NamedTuple):
    """Pairs of an enrolled and a tested side, in one match of channels."""

    enrolled: tuple[Matrix, NDArray[np.float64]]
    """Vectors (n, dim) and seconds (n,)."""
    tested: tuple[Matrix, NDArray[np.float64]]
    same: NDArray[np.bool_]
    """(n, n): pairs of one speaker."""
    different: NDArray[np.bool_]
    """(n, n): pairs of different speakers of one group, such as a language."""


def channel_copies(
    samples: Samples, noises: Sequence[Samples], rooms: Sequence[Samples], random: Generator
) -> Iterator[tuple[str, Samples]]:
    """The samples in each channel of CHANNELS."""
    yield "wideband", samples
    yield "telephone", telephone(samples)
    room, noise = (each[int(random.integers(len(each)))] for each in (rooms, noises))
    yield "far", add_noise(reverberate(samples, room), noise, random.uniform(*NOISE), random)


def hear_clip(samples: Samples, embedder: Embedder) -> EmbeddedClip:
    """The windows of a clip, in which speech is detected."""
    table = embedder(samples, rate=SAMPLE_RATE)
    reached = np.concatenate([[0.0], np.maximum.accumulate(table.end)[:-1]]) if len(table) else table.end
    return EmbeddedClip(table.vectors.astype(np.float64), table.end - np.maximum(table.start, reached))


def draw_sides(
    clips: Mapping[tuple[str, str], EmbeddedClip],
    speakers: Mapping[str, str],
    groups: Mapping[str, str],
    seconds: tuple[float, float],
    n_draws: int,
    seed: int,
) -> list[Draw]:
    """Sides of so many seconds, enrolled and tested, of each speaker who has as much in different clips.

    Parameters
    ----------
    clips : mapping
        From (clip, channel) to its windows.
    speakers, groups : mapping
        Of each clip.
    """
    own: dict[str, list[str]] = {}
    for clip, speaker in speakers.items():
        own.setdefault(speaker, []).append(clip)
    draws = []
    for speaker, number in product(own, range(n_draws)):
        order = np.random.default_rng((seed, number)).permutation(len(own[speaker]))
        names = [own[speaker][i] for i in order]
        first = {each: _fill([clips[name, each] for name in names], seconds[0]) for each in CHANNELS}
        used = max(n_clips for _, n_clips in first.values())
        rest = names[used:][::-1]
        last = {each: _fill([clips[name, each] for name in rest], seconds[1]) for each in CHANNELS}
        enrolled, tested = (
            {each: side for each, (side, _) in sides.items() if side is not None} for sides in (first, last)
        )
        if len(enrolled) == len(tested) == len(CHANNELS):
            draws.append(Draw(speaker, groups[names[0]], number, enrolled, tested))
    return draws


def _fill(clips: Iterable[EmbeddedClip], seconds: float) -> tuple[Side | None, int]:
    """The first windows that have so many seconds, None if there are fewer, and the number of clips used."""
    vectors: list[NDArray[np.float64]] = []
    total, number = 0.0, 0
    for number, clip in enumerate(clips, 1):
        for vector, added in zip(*clip, strict=True):
            vectors.append(vector)
            total += float(added)
            if total >= 0.9 * seconds:  # the next window would often be too much
                return Side(np.mean(vectors, axis=0), total), number
    return None, number


def make_trials(draws: Sequence[Draw], enrolled: str, tested: str) -> Trials:
    """All pairs of draws in a match of channels."""
    speaker, group, number = (
        np.array([getattr(draw, name) for draw in draws]) for name in ("speaker", "group", "number")
    )
    one = speaker[:, None] == speaker
    sides = [
        (np.array([side.vector for side in each]), np.array([side.seconds for side in each]))
        for each in ([draw.enrolled[enrolled] for draw in draws], [draw.tested[tested] for draw in draws])
    ]
    return Trials(sides[0], sides[1], one & (number[:, None] == number), ~one & (group[:, None] == group))


def fit_verifier(centre: NDArray[np.float64], backend: Backend, conditions: Sequence[Trials]) -> Verifier:
    """The law with the least cost of its scores over all conditions, and the tail of different speakers.

    Conditions have equal weight, and so have pairs of one speaker and of two within each of them. The cost is
    that of the logarithmic scoring rule, Cllr of the paper that ``speakers/enrolment.py`` names.
    """
    best: tuple[float, Verifier] | None = None
    for window, session in product(WINDOW_GRID, SESSION_GRID):
        plain = Verifier(centre, backend, np.array([window, session, 1.0, 0.0]), np.empty((0, 2)))
        ratios, same, weights = _pool(plain, conditions)
        fitted = LogisticRegression(C=np.inf).fit(ratios[:, None], same, weights)
        scale, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        scores = scale * ratios + offset
        cost = float(np.average(np.logaddexp(0, np.where(same, -scores, scores)), weights=weights))
        tail = _tail(scores[~same], weights[~same])
        if best is None or cost < best[0]:
            best = cost, Verifier(centre, backend, np.array([window, session, scale, offset]), tail)
    assert best is not None
    return best[1]


def _pool(
    verifier: Verifier, conditions: Sequence[Trials]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """The scores of the pairs of all conditions, whether they are of one speaker, and their weights."""
    ratios, same, weights = [], [], []
    for trials in conditions:
        scores = score_trials(verifier, trials)
        for pairs, is_same in ((trials.same, True), (trials.different, False)):
            ratios.append(scores[pairs])
            same.append(np.full(pairs.sum(), is_same))
            weights.append(np.full(pairs.sum(), 1 / max(pairs.sum(), 1)))
    return np.concatenate(ratios), np.concatenate(same), np.concatenate(weights)


def score_trials(verifier: Verifier, trials: Trials) -> Matrix:
    """The scores (n, n) of all pairs."""
    return verifier.scores(verifier.sides_of(*trials.enrolled), verifier.sides_of(*trials.tested))


def _tail(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> Matrix:
    """The scores that the SHARES of weighted pairs reach, (n, 2)."""
    order = np.argsort(-scores)
    reached = np.cumsum(weights[order]) / weights.sum()
    at = np.searchsorted(reached, SHARES).clip(max=len(scores) - 1)
    return np.stack([np.array(SHARES), scores[order[at]]], axis=1)
