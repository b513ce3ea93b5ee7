"""The error of the surest turns, by how much is kept: the risk-coverage curve, and the cost of errors.

::

    error %  14 |                        ...*     all turns are kept
                |              ..*****''''
              5 |   ....*****''
                +--------------------------
                0                       100   % of the time of turns that is kept, the surest first
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diarize.errors import DiarizeError
from diarize.scoring.regions import TurnErrors
from diarize.scoring.tables import markdown_table

SHOWN = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.25)
"""The shares of the table."""


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Turns with their confidence and errors, of one recording or of several.

    A turn is wrong where its speaker does not talk; speech that no turn has is no part of it.

    Parameters
    ----------
    confidence : (n_turns,) array
    seconds : (n_turns, 3) array
        Of each turn: its speaker talks, others talk, nobody talks.

    Raises
    ------
    DiarizeError
        If no turn has scored time.

    References
    ----------
    Geifman, El-Yaniv: Selective classification for deep neural networks, NeurIPS 2017 (risk and coverage).
    Chow: On optimum recognition error and reject tradeoff, IEEE Transactions on Information Theory 16, 1970
    (costs).
    """

    confidence: NDArray[np.float64]
    seconds: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not self.seconds.sum() > 0:
            raise DiarizeError("no turn with a confidence lies in the scored time")

    @cached_property
    def thresholds(self) -> NDArray[np.float64]:
        """The least confidence that is kept at each point of the curve (n_points,), falling."""
        return np.unique(self.confidence)[::-1]

    @cached_property
    def _kept(self) -> NDArray[np.float64]:
        """Seconds of the turns that are kept at each point, (n_points, 3)."""
        return np.array([self.seconds[self.confidence >= least].sum(axis=0) for least in self.thresholds])

    @property
    def coverage(self) -> NDArray[np.float64]:
        """The share of the time of all turns that is kept at each point, (n_points,)."""
        kept: NDArray[np.float64] = self._kept.sum(axis=1) / self.seconds.sum()
        return kept

    @property
    def risk(self) -> NDArray[np.float64]:
        """Shares of the time kept at each point, (n_points, 3): wrong (the sum of both), confused, false."""
        return _risk(self._kept)

    @property
    def area(self) -> NDArray[np.float64]:
        """The mean of the risk over the coverage, (3,)."""
        return _area(self._kept)

    @property
    def best_area(self) -> NDArray[np.float64]:
        """The area of each share (3,) if the turns with the least of it were the surest."""
        scored = self.seconds[self.seconds.sum(axis=1) > 0]
        orders = _risk(scored).argsort(axis=0, kind="stable").T
        return np.array([_area(np.cumsum(scored[order], axis=0))[i] for i, order in enumerate(orders)])

    def at(self, share: float) -> int:
        """The first point of the curve at which this share of the time is kept."""
        return int(np.searchsorted(self.coverage, share - 1e-9))

    def costs(self, missed: float, false: float, confused: float) -> NDArray[np.float64]:
        """The cost of all turns at each point (n_points,), given the costs of a second.

        A right or confused second that is left out is missed. Speech that no turn has is not counted.
        """
        right, wrong, silent = self._kept.T
        left_out = self.seconds[:, :2].sum() - right - wrong
        cost: NDArray[np.float64] = missed * left_out + confused * wrong + false * silent
        return cost


def pool(confidence: Sequence[float], errors: Sequence[TurnErrors]) -> RiskCoverage:
    """The curve of turns, of one recording or of several."""
    return RiskCoverage(np.array(confidence, float), np.array(errors, float).reshape(-1, 3))


def format_coverage_table(curve: RiskCoverage, costs: Sequence[float] | None = None) -> str:
    """The curve as a Markdown table, its area, and with `costs` the threshold with the lowest cost."""
    rows: list[tuple[str, ...]] = [("kept %", "wrong %", "confused %", "false %", "least confidence")]
    for at in dict.fromkeys(map(curve.at, SHOWN)):
        shares = (curve.coverage[at], *curve.risk[at])
        rows.append((*(f"{100 * share:.1f}" for share in shares), f"{curve.thresholds[at]:.2f}"))
    lines = [*markdown_table(rows), ""]
    for column, what in enumerate(("wrong", "confused")):
        area, chance, best = (100 * each[column] for each in (curve.area, curve.risk[-1], curve.best_area))
        lines.append(
            f"area under the curve, {what}: {area:.1f} %; by chance {chance:.1f} %, at best {best:.1f} %"
        )
    if costs is not None:
        cost = curve.costs(*costs)
        best = len(cost) - 1 - int(cost[::-1].argmin())  # of equal ones, that which keeps most
        given = ", ".join(f"{each:g}" for each in costs)
        lines.append(
            f"costs of a missed, false and confused second {given}: lowest with --min-confidence "
            f"{curve.thresholds[best]:.2f}: {cost[best]:.1f}; all turns: {cost[-1]:.1f}"
        )
    return "\n".join([*lines, ""])


def _risk(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shares of rows (n, 3) of seconds that are wrong, confused and false, (n, 3)."""
    _, confused, false = seconds.T
    parts = np.stack([confused + false, confused, false], axis=1)
    shares: NDArray[np.float64] = parts / np.maximum(seconds.sum(axis=1), 1e-12)[:, None]
    return shares


def _area(kept: NDArray[np.float64]) -> NDArray[np.float64]:
    coverage = kept.sum(axis=1) / kept[-1].sum()
    area: NDArray[np.float64] = np.diff(coverage, prepend=0.0) @ _risk(kept)
    return area
