"""Systems and experiments of a recipe: one TOML file each, with its title and its paper's figures.

A folder such as recipes/conf is the registry: every system in it is run and has a row in RESULTS.md. A
network has the tables [network], [loss], [training] and [evaluation], a baseline has [baseline]. Both have
[about] and, if a paper prints figures, [paper]. Systems with [identification] identify known speakers. An
experiment is a file in the folder experiments, with [about], [runs] and [paper].
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from diarize.config import RECIPE_TABLES, Settings, load_tables, validate
from diarize.errors import ConfigError
from diarize.experiments.runs import read_runs

EXPERIMENT_TABLES = ("about", "runs", "paper")
NO_SYSTEMS = ("data", "experiments", "identification")
"""Folders among the runs that do not belong to a system."""

S = TypeVar("S", bound=Settings)


class About(Settings):
    """The title of a system, and where it is implemented."""

    title: str
    code: str


class Paper(Settings):
    """A system's figures in its paper, as shares of 1, and how long it trained there: batches, or epochs."""

    source: str = ""
    misclassification_rate: float | None = None
    legacy_misclassification_rate: float | None = None
    normalized_mutual_information: float | None = None
    legacy_by_speakers: dict[str, float] = Field(default_factory=dict)
    steps: int | None = Field(None, ge=1)
    epochs: int | None = Field(None, ge=1, description="passes through the training sentences")


class Evaluation(Settings):
    """A network's training set (of several, the first that the corpus has), and its layer of embeddings."""

    train: list[str] = Field(min_length=1)
    layer: str


class Identification(Settings):
    """The error rate that a paper prints for the identification of known speakers."""

    source: str = ""
    error: float | None = None


class BaselineConfig(Settings):
    """How parts are compared without training a network."""

    kind: str
    mixtures: int = Field(128, ge=1, description="mixtures of each model of anchor-gmm")
    deltas: int = Field(0, ge=0, le=2, description="for kind gmm: orders of differences of the MFCC, too")
    pitch: bool = Field(False, description="for kind gmm: the fundamental frequency, too")
    model: str | None = Field(
        None, description="for kind model: a folder or name; by default the bundled model"
    )
    seed: int = Field(1, description="seed of svm; the other kinds are deterministic")
    only_parts: bool = Field(False, description="leave out all_speakers and single sentences")


@dataclass(frozen=True)
class System:
    """A system as its file describes it; without a file, its title is its name."""

    name: str
    title: str
    is_network: bool
    code: str | None = None
    config: str | None = None
    paper: Paper = field(default_factory=Paper)
    identification: Identification | None = None


class Axis(Settings):
    """The title of an experiment, and the setting that it varies."""

    title: str
    axis: str


class Curves(Settings):
    """An experiment's figures in its paper: one for each run and curve."""

    source: str = ""
    curves: list[str] = Field(default_factory=list)
    values: dict[str, list[float]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """A series of runs that vary one setting, and its paper's curves.

    `runs` has words by the name of each run: the system, and the options of recipes/run_system.sh.
    """

    name: str
    title: str
    axis: str
    runs: dict[str, str]
    paper: Curves = field(default_factory=Curves)


def read_system(path: Path) -> System | None:
    """The system of a TOML file; None if the file has no [about], such as that of the features.

    Raises
    ------
    ConfigError
        If a table or setting is unknown, invalid or missing.
    """
    tables = load_tables(path, RECIPE_TABLES)
    if not tables["about"]:
        return None
    about, paper = read_table(About, path, tables, "about"), read_table(Paper, path, tables, "paper")
    if bool(tables["network"]) == bool(tables["baseline"]):
        raise ConfigError(f"{path}: a system has either [network] or [baseline]")
    if tables["network"]:
        read_table(Evaluation, path, tables, "evaluation")
    else:
        read_table(BaselineConfig, path, tables, "baseline")
    identification = (
        read_table(Identification, path, tables, "identification") if tables["identification"] else None
    )
    is_network = bool(tables["network"])
    return System(path.stem, about.title, is_network, about.code, str(path), paper, identification)


def find_paper_steps(config: Path, n_sentences: int) -> int | None:
    """The number of batches that the paper of a network trained, of so many sentences; None if unknown.

    Raises
    ------
    ConfigError
        As `read_system` does.
    """
    tables = load_tables(config, RECIPE_TABLES)
    paper = read_table(Paper, config, tables, "paper")
    if paper.epochs is None:
        return paper.steps
    return math.ceil(paper.epochs * n_sentences / tables["training"]["batch_size"])


def find_systems(folder: Path) -> dict[str, System]:
    """The systems of a folder by name, networks first.

    Raises
    ------
    ConfigError
        If a file is invalid, or there is none.
    """
    systems = [system for path in sorted(folder.glob("*.toml"), key=_stem) if (system := read_system(path))]
    if not systems:
        raise ConfigError(f"{folder}: no TOML file of a system; a system needs a table [about]")
    return {system.name: system for system in sorted(systems, key=lambda one: not one.is_network)}


def find_experiments(folder: Path) -> dict[str, Experiment]:
    """The experiments of a folder by name.

    Raises
    ------
    ConfigError
        If a file is invalid.
    """
    found = {}
    for path in sorted((folder / "experiments").glob("*.toml"), key=_stem):
        tables = load_tables(path, EXPERIMENT_TABLES)
        about, paper = read_table(Axis, path, tables, "about"), read_table(Curves, path, tables, "paper")
        if wrong := [name for name, words in tables["runs"].items() if not isinstance(words, str)]:
            raise ConfigError(f"{path}: [runs]: {wrong[0]} needs a system and its options as text")
        if wrong := [name for name, row in paper.values.items() if len(row) != len(paper.curves)]:
            raise ConfigError(
                f"{path}: [paper]: {wrong[0]} needs {len(paper.curves)} figures, one for each curve"
            )
        found[path.stem] = Experiment(path.stem, about.title, about.axis, tables["runs"], paper)
    return found


def choose_systems(systems: dict[str, System], names: Collection[str]) -> dict[str, System]:
    """The named systems, or all if none is named.

    Raises
    ------
    ConfigError
        If a name is unknown; the message lists the known ones.
    """
    if unknown := sorted(set(names) - systems.keys()):
        raise ConfigError(f"unknown system {unknown[0]}; known: {' '.join(systems)}")
    return {name: system for name, system in systems.items() if not names or name in names}


def add_other_runs(systems: dict[str, System], exp: Path) -> dict[str, System]:
    """The systems, plus those with runs in a folder of experiments but no file; their title is their name."""
    others = sorted({path.parent.parent.name for path in exp.glob("*/seed*/scores.json")})
    found = dict(systems)
    for name in others:
        if name not in systems and name not in NO_SYSTEMS:
            is_network = any("steps" in run.facts for run in read_runs(exp / name))
            found[name] = System(name, name, is_network)
    return found


def add_other_experiments(experiments: dict[str, Experiment], exp: Path) -> dict[str, Experiment]:
    """The experiments, plus those that have runs but no file."""
    others = sorted({path.parents[2].name for path in exp.glob("experiments/*/*/seed*/scores.json")})
    found = dict(experiments)
    return found | {name: Experiment(name, name, "run", {}) for name in others if name not in found}


def add_other_identifiers(systems: dict[str, System], exp: Path) -> dict[str, System]:
    """The systems that identify speakers: those with [identification], and those with such runs."""
    others = {path.parent.parent.name for path in exp.glob("identification/*/seed*/scores.json")}
    found = {name: system for name, system in systems.items() if system.identification}
    for name in sorted(others - found.keys()):
        system = systems.get(name, System(name, name, is_network=False))
        found[name] = replace(system, identification=Identification())
    return found


def _stem(path: Path) -> str:
    return path.stem


def read_table(kind: type[S], path: Path, tables: dict[str, dict[str, Any]], name: str) -> S:
    """The settings in a table of a TOML file.

    Raises
    ------
    ConfigError
        If one is unknown, invalid or missing.
    """
    return validate(kind, tables[name], f"{path}: [{name}]")
