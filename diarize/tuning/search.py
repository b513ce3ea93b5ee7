"""`tune`: settings by their DER on labelled recordings, cross-validated.

A search starts from the best preset. It goes through the groups of settings (``space.py``), takes the best
alternative of each, and repeats this until nothing changes (coordinate descent)::

    preset      default  strong    DER 33.1  34.5
    threshold   0.3 [0.5] 0.7          34.0  33.1  33.6
    min_gap     0.3 [0.7] 1.0         [32.2] 33.1  33.9     -> 0.3, and so on

The DER on the same recordings is too good, because settings were chosen by it. So the search is repeated on
the recordings of all folds but one, and its settings are scored on that one::

    fold 1  |test| search | search | search |
    fold 2  | search |test| search | search |    all test parts together: the cross-validated DER
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from itertools import cycle
from pathlib import Path

import numpy as np

from diarize.config import Config, load_config
from diarize.config.changes import differences, with_settings
from diarize.config.preset import DEFAULT_PRESET
from diarize.errors import ConfigError
from diarize.scoring.der import DiarizationScore
from diarize.tuning.bench import Bench
from diarize.tuning.gain import measure_gain
from diarize.tuning.kept_scores import KeptScores, Scorer
from diarize.tuning.outcome import Outcome
from diarize.tuning.recordings import Recording
from diarize.tuning.space import groups

LEAST_GAIN = 0.001
"""Share of reference speech that a changed group of settings must gain: 0.1 points of DER."""

MOST_LEFT_OUT = 10
"""Up to this number of recordings, each is a fold of its own."""
N_FOLDS = 5
"""Folds of more recordings."""


def tune(
    recordings: Sequence[Recording],
    *,
    bases: Mapping[str, Config] | None = None,
    fixed: Collection[str] = (),
    bench: Scorer | None = None,
    journal: str | Path | None = None,
    most: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    report: Callable[[str, int], None] = lambda step, n: None,
) -> Outcome:
    """Settings with a low DER on recordings, and what is to be expected of them on others.

    Parameters
    ----------
    recordings : sequence of Recording
        With references; `find_recordings` finds them.
    bases : mapping from str to Config, optional
        Settings from which to start, by name; the first ones are those to compare with. By default, the
        preset "default".
    fixed : collection of str
        Names of settings that keep their values, such as "clustering.max_speakers".
    bench : Scorer, optional
        By default, a `Bench` on the CPU.
    journal : path, optional
        A file that keeps all scores, so that the next call goes on where this one ended.
    most : int, optional
        Settings that are tried at most; half of them in the search on all recordings.
    seconds : float, optional
        Seconds after which nothing more is tried; half of them for the search on all recordings.
    seed : int
        Of the folds and of the bootstrap.
    report : callable
        Called with the name of a step and the number of settings tried so far.

    Raises
    ------
    DiarizeError
        If a recording cannot be read, a model is missing, or the journal is of other data.
    """
    if not recordings:
        raise ConfigError("no recordings to choose settings on")
    bases = bases or {DEFAULT_PRESET: load_config(preset=DEFAULT_PRESET)}
    step = "search"
    kept = KeptScores(
        bench or Bench(),
        recordings,
        None if journal is None else Path(journal),
        most=most,
        seconds=seconds,
        report=lambda n: report(step, n),
    )
    name, default = next(iter(bases.items()))
    before = [kept.score(each, default) for each in recordings]
    folds = make_folds(len(recordings), seed)
    kept.allow(0.5 if folds else 1.0)
    curve: list[tuple[int, float]] = []
    chosen = search(recordings, bases, fixed, kept, curve)
    after = [kept.score(each, chosen) for each in recordings]
    of_folds: list[dict[str, object]] = []
    held_out: dict[int, DiarizationScore] = {}
    for number, fold in enumerate(folds, start=1):
        step = f"fold {number} of {len(folds)}"
        kept.allow(0.5 + 0.5 * number / len(folds))
        others = [each for i, each in enumerate(recordings) if i not in fold]
        config = search(others, bases, fixed, kept)
        of_folds.append(differences(config, default))
        held_out |= {i: kept.score(recordings[i], config) for i in fold}
    crossed = [held_out[i] for i in sorted(held_out)]
    return Outcome(
        name=name,
        default=default,
        chosen=chosen,
        before=before,
        after=after,
        crossed=crossed,
        of_folds=of_folds,
        gain=measure_gain(before, crossed, seed) if crossed else None,
        n_tried=kept.n_tried,
        seed=seed,
        curve=curve,
    )


def search(
    recordings: Sequence[Recording],
    bases: Mapping[str, Config],
    fixed: Collection[str],
    kept: KeptScores,
    curve: list[tuple[int, float]] | None = None,
) -> Config:
    """The settings with the lowest DER that coordinate descent finds, within the budget.

    A change must lower the DER by `LEAST_GAIN` for each group that then differs from the first base. To
    `curve`, the number of settings tried so far and the DER are added at the start and after each change.
    """
    default = next(iter(bases.values()))
    if not any(each.seconds for each in recordings):
        return default
    ders = {name: kept.der(recordings, base) for name, base in bases.items()}
    costs = [_cost(der, base is not default) for der, base in zip(ders.values(), bases.values(), strict=True)]
    base = list(bases.values())[int(np.argmin(costs))]
    alternatives = list(groups(base, [each.n_speakers for each in recordings], fixed))

    @cache
    def config(at: tuple[int, ...]) -> Config:
        chosen = [group[i] for group, i in zip(alternatives, at, strict=True)]
        return with_settings(base, {name: value for each in chosen for name, value in each.items()})

    def cost(at: tuple[int, ...]) -> float:
        return _cost(kept.der(recordings, config(at)), sum(i > 0 for i in at))

    def note(at: tuple[int, ...]) -> None:
        der = kept.der(recordings, config(at))
        if curve is not None and der is not None:
            curve.append((kept.n_tried, der))

    at = (0,) * len(alternatives)  # the alternative of each group
    lowest, since = cost(at), 0
    note(at)
    for number in cycle(range(len(at))):
        since += 1  # groups since the last change
        others = [(*at[:number], i, *at[number + 1 :]) for i in range(len(alternatives[number]))]
        costs = [cost(each) for each in others]
        best = int(np.argmin(costs))
        if costs[best] < lowest:
            at, lowest, since = others[best], costs[best], 0
            note(at)
        if since == len(at):
            break
    return config(at)


def _cost(der: float | None, n_changes: int) -> float:
    """The DER, if it is known, and a price for each change."""
    return np.inf if der is None else der + LEAST_GAIN * n_changes


def make_folds(n: int, seed: int) -> list[list[int]]:
    """The indices of the recordings in each fold: of few recordings, one in each; of one, no folds."""
    if n < 2:
        return []
    if n <= MOST_LEFT_OUT:
        return [[i] for i in range(n)]
    order = np.random.default_rng(seed).permutation(n)
    return [sorted(part.tolist()) for part in np.array_split(order, N_FOLDS)]
