"""Experiments that vary one setting: a table and the lines of a figure, beside the paper's."""

from __future__ import annotations

from pathlib import Path

from diarize.experiments.runs import (
    NOTHING,
    code,
    format_table,
    layers_of,
    natural_order,
    percent,
    read_runs,
    spread,
    values_of,
)
from diarize.experiments.systems import Experiment
from diarize.experiments.tables import (
    LISTS,
    MAIN,
    MR,
    NOT_RUN,
    ORACLE,
    ORACLE_LEGACY,
    Runs,
    Systems,
    size_of,
)

Series = dict[str, dict[float, list[float]]]
"""Named lines of a figure: the values of the runs at each x."""


def describe_experiment(experiment: Experiment, folder: Path) -> tuple[str, Series]:
    """A table with a row for each value and one by layer, and, if the values are numbers, lines of a figure.

    The first line is ours.

    If nothing was run, the text is one line.
    """
    found = sorted((path.name for path in folder.glob("*") if path.is_dir()), key=natural_order)
    found_runs = {value: runs for value in found if (runs := read_runs(folder / value, "sets"))}
    if not found_runs:
        return f"{NOT_RUN}\n", {}
    values = list(dict.fromkeys([*experiment.paper.values, *experiment.runs, *found]))
    are_numbers = all(value.isdigit() for value in values)
    if are_numbers:
        values.sort(key=int)
    series: Series = {name: {} for name in ("here", *experiment.paper.curves)}
    rows = []
    for value in values:
        runs = found_runs.get(value, [])
        rates = values_of(runs, "sets", MAIN, *ORACLE)
        figures = dict(zip(experiment.paper.curves, experiment.paper.values.get(value, []), strict=False))
        if are_numbers:
            for name, several in {"here": rates, **{name: [rate] for name, rate in figures.items()}}.items():
                series[name] |= {float(value): several} if several else {}
        rows.append(
            [
                value.replace("_", ", "),
                percent(rates) if runs else NOT_RUN,
                percent(values_of(runs, "sets", MAIN, *ORACLE_LEGACY)),
                percent(values_of(runs, "sets", MAIN, "dominant_sets", MR)),
                spread([run.facts["steps"] for run in runs if "steps" in run.facts], digits=0),
                str(len(runs)),
                *(percent(figures.get(name)) for name in experiment.paper.curves),
                code(runs[0].facts["command"]) if runs else NOTHING,
                code(runs[0].facts.get("config")) if runs else NOTHING,
            ]
        )
    header = [
        experiment.axis,
        "MR, oracle cut",
        "legacy MR, oracle cut",
        "MR, dominant sets",
        "batches",
        "seeds",
    ]
    header += experiment.paper.curves
    table = format_table([*header, "command", "config"], rows)
    by_layer = {value: found_runs[value] for value in values if value in found_runs}
    return table + _describe_layers(experiment.axis, by_layer), series


def _describe_layers(axis: str, runs: Runs) -> str:
    """MR at the oracle cut by layer, for the values of an experiment; nothing if no run has other layers."""
    layers = dict.fromkeys(name for several in runs.values() for name in layers_of(several))
    if len(layers) < 2:
        return ""
    rows = [
        [
            value.replace("_", ", "),
            *(percent(values_of(several, "layers", layer, *ORACLE)) for layer in layers),
        ]
        for value, several in runs.items()
    ]
    return f"\nMR, oracle cut, by layer:\n\n{format_table([axis, *layers], rows)}"


def series_of_numbers(systems: Systems, runs: Runs) -> Series:
    """The lines of a figure: MR over the number of test speakers."""
    return {
        system.title: {
            float(size_of(runs, one)): rates
            for one in LISTS
            if (rates := values_of(runs[name], "sets", one, *ORACLE))
        }
        for name, system in systems.items()
    }
