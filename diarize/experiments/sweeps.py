"""Experiments that vary one setting: a table and the lines of a figure, beside the paper's."""

from __future__ import annotations

from pathlib import Path

from diarize.experiments.runs import (
    NOTHING,
    code,
    format_table,
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
    """A table with a row for each value, and, if the values are numbers, the lines of a figure, ours first.

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
    return format_table([*header, "command", "config"], rows), series


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
