"""Scores of networks that partition sets of items, and their table beside the papers' figures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.config import RECIPE_TABLES, load_tables
from diarize.errors import ConfigError
from diarize.experiments.runs import NOTHING, Run, format_table, percent, spread, values_of
from diarize.experiments.systems import About, Paper, read_table
from diarize.scoring.clusterings import misclassification_rate, normalized_mutual_information

Labels = NDArray[np.int64]

MR, NMI = "misclassification_rate", "normalized_mutual_information"

TERMS = """
The mean over the sets and the seeds and, in brackets, the range of the seeds. *MR*: the share of items that
are wrong under the best one-to-one map of clusters to the true ones; the paper's is by a greedy map, which is
never lower. *NMI*: with the geometric mean of the two entropies, as scikit-learn had it at the time of the
paper. *Number right*: the share of the sets whose number of clusters was found. *Random*: a random number of
clusters, and a random one for each item; the paper does not say how its random assignment is made.
"""


def score_sets(sets: Iterable[tuple[Labels, Labels]]) -> dict[str, float]:
    """Means over sets, of the true and the found labels (n_items,) of each."""
    pairs = list(sets)
    rates = [misclassification_rate(true, found) for true, found in pairs]
    information = [normalized_mutual_information(true, found, "geometric") for true, found in pairs]
    right = [len(np.unique(true)) == len(np.unique(found)) for true, found in pairs]
    return {
        "n_sets": len(pairs),
        MR: fmean(rates),
        f"{MR}_deviation": pstdev(rates),
        NMI: fmean(information),
        f"{NMI}_deviation": pstdev(information),
        "number_right": fmean(right),
    }


def random_labels(true: Labels, n_most: int, random: np.random.Generator) -> Labels:
    """A random number of clusters from 1 to `n_most`, and a random one of them for each item."""
    return random.integers(random.integers(1, n_most + 1), size=len(true))


def read_about(path: Path) -> tuple[About, Paper]:
    """The title of a TOML file of sets, and its paper's figures.

    Raises
    ------
    ConfigError
        If a table or setting is unknown, invalid or missing.
    """
    tables = load_tables(path, RECIPE_TABLES)
    if not tables["about"]:
        raise ConfigError(f"{path}: no table [about] with title and code")
    return read_table(About, path, tables, "about"), read_table(Paper, path, tables, "paper")


def describe_sets(systems: dict[str, tuple[About, Paper]], runs: dict[str, list[Run]]) -> str:
    """A row for each system, by its name, and one for random labels."""
    rows, random = [], []
    for name, (about, paper) in systems.items():
        own = runs[name]
        random += [Run(run.facts, found) for run in own if isinstance(found := run.find("random"), dict)]
        steps: list[Any] = [run.facts["steps"] for run in own if run.facts.get("steps") is not None]
        cells = _cells(own) if own else ["not run", *[NOTHING] * 2]
        information = paper.normalized_mutual_information
        printed = [
            percent(paper.misclassification_rate),
            NOTHING if information is None else f"{information:g}",
        ]
        rows.append([about.title, *cells, str(len(own)), spread(steps, digits=0), *printed])
    if random:
        rows.append(["random", *_cells(random), *[NOTHING] * 4])
    header = ["", "MR, %", "NMI", "number right, %", "seeds", "batches", "paper: MR, %", "paper: NMI"]
    return format_table(header, rows) + TERMS


def _cells(runs: list[Run]) -> list[str]:
    return [
        percent(values_of(runs, MR)),
        spread(values_of(runs, NMI)),
        percent(values_of(runs, "number_right")),
    ]
