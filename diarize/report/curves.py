"""Curves as figures: losses and rates over the steps of a training, and results over a parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from diarize.report.style import INK, LINE_COLOURS, MARKERS, new_figure, styled

Rows = Sequence[Mapping[str, float]]
Runs = Mapping[float, Sequence[float]]

_NO_CURVE = ("step", "seconds")
_HIGHER_IS_BETTER = ("accuracy",)
_RATES = ("eer", "error", "mr", "rate", *_HIGHER_IS_BETTER)
_WIDE = 20.0
"""Losses whose largest value is this many times the smallest are drawn on a logarithmic axis."""


def find_best(rows: Rows) -> tuple[str, Mapping[str, float]] | None:
    """The column that decides the best step, and the best row; None if nothing was held out.

    The column is validation_loss, or else the first whose name begins with validation or dev.
    """
    held_out = [name for name in _columns(rows) if name.startswith(("validation", "dev"))]
    if not held_out:
        return None
    name = "validation_loss" if "validation_loss" in held_out else held_out[0]
    sign = -1 if name.endswith(_HIGHER_IS_BETTER) else 1
    return name, min(_known(rows, name), key=lambda row: sign * row[name])


@styled
def plot_curve(rows: Rows) -> Figure:
    """The curve of a training: a panel each for losses, error rates and the learning rate, over the steps.

    Every row has a `step`. Columns are rates or losses by their names (`dev_eer`, `accuracy`). A value may be
    missing or NaN. The best step is marked (see `find_best`).

    Raises
    ------
    ValueError
        If there are no rows, or no value to draw.
    """
    panels: dict[str, list[str]] = {"loss": [], "rate": [], "learning rate": []}
    for name in _columns(rows):
        panels[_panel(name)].append(name)
    panels = {title: names for title, names in panels.items() if names}
    if not panels:
        raise ValueError(f"a curve needs rows with a step and a loss or a rate, got {len(rows)} rows")
    figure = new_figure(8, 0.6 + 2.4 * len(panels))
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    colours = iter(LINE_COLOURS * len(rows[-1]))
    best = find_best(rows)
    for panel, (title, names) in zip(axes, panels.items(), strict=True):
        for name in names:
            known = _known(rows, name)
            steps, values = [row["step"] for row in known], [row[name] for row in known]
            marker = "o" if len(known) < 40 else ""
            label = name.replace("_", " ")
            panel.plot(steps, values, color=next(colours), marker=marker, markersize=3, label=label)
        _scale(panel, title, [row[name] for name in names for row in _known(rows, name)])
        panel.grid(visible=True)
        if best is not None:
            panel.axvline(best[1]["step"], color=INK, linestyle=":", linewidth=1)
        if title != "learning rate":
            panel.legend(loc="upper left", bbox_to_anchor=(1, 1))
    axes[-1].set_xlabel("step")
    if best is not None:
        name, row = best
        told = f"best {name.replace('_', ' ')}: {row[name]:.4g} at step {row['step']:g}"
        axes[0].set_title(told, loc="left")
    return figure


@styled
def plot_lines(
    series: Mapping[str, Runs], x_label: str, y_label: str, *, percent: bool = True, log_x: bool = False
) -> Figure:
    """Named lines of a result: each is the mean of its runs, in a band from the lowest to the highest.

    `series` has for each name the values of the runs at each x: ``{"CNN": {0.5: [0.1, 0.12], 1.0: [0.05]}}``.

    Raises
    ------
    ValueError
        If there is no series, or one has no run at some x.
    """
    if not series or not all(runs and all(runs.values()) for runs in series.values()):
        raise ValueError(f"every series needs a run at each of its x, got {series!r}")
    figure = new_figure(8, 4)
    axes = figure.subplots()
    for number, (name, runs) in enumerate(series.items()):
        x = sorted(runs)
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(x, [np.mean(runs[at]) for at in x], color=colour, marker=marker, markersize=4, label=name)
        low, high = [min(runs[at]) for at in x], [max(runs[at]) for at in x]
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    if log_x:
        axes.set_xscale("log")
        axes.set_xticks(sorted({at for runs in series.values() for at in runs}))
        axes.xaxis.set_major_formatter(FuncFormatter(_plain))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(visible=True)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _columns(rows: Rows) -> list[str]:
    """The columns that have a value to draw, in order."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if name not in _NO_CURVE and _known(rows, name)]


def _known(rows: Rows, name: str) -> list[Mapping[str, float]]:
    """The rows that have a finite value of that name."""
    return [row for row in rows if math.isfinite(row.get(name, math.nan))]


def _panel(name: str) -> str:
    if name == "learning_rate":
        return "learning rate"
    return "rate" if name.split("_")[-1] in _RATES else "loss"


def _scale(axes: Axes, title: str, values: Sequence[float]) -> None:
    """Name the vertical axis, and choose its scale."""
    axes.set_ylabel(title)
    if title == "loss" and 0 < _WIDE * min(values) < max(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(_plain))
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif title == "rate":
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylim(bottom=0)


def _plain(value: float, _: object) -> str:
    return f"{value:g}"
