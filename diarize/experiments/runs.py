"""The runs of a recipe on disk, and their numbers as cells of a Markdown table.

A run is a folder seed<N> with run.json (recipes/write_run.py) and scores.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from diarize.config import RECIPE_TABLES, load_tables
from diarize.errors import FormatError
from diarize.files.text import read_text

NOTHING = "-"
DESCRIPTIONS = ("about", "paper", "identification")
"""Tables of a system's TOML file that change no result."""


@dataclass(frozen=True)
class Run:
    """The contents of run.json and scores.json of one seed."""

    facts: dict[str, Any]
    scores: dict[str, Any]

    def find(self, *keys: str) -> Any:
        """The value at these keys of the scores; None if there is none."""
        found: Any = self.scores
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found


def read_json(path: Path, *needed: str) -> dict[str, Any]:
    """The object of a JSON file, which must have the needed keys.

    Raises
    ------
    FormatError
        If the file cannot be read, is not a JSON object, or a key is missing.
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise FormatError(f"{path}, line {error.lineno}: not JSON ({error.msg}); make it again") from error
    if not isinstance(content, dict):
        raise FormatError(f"{path}: a JSON object is needed, got a {type(content).__name__}")
    for key in needed:
        if key not in content:
            raise FormatError(f"{path}: no key {key!r}; make it again")
    return content


def settings_in_force(config: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """The settings of a system's TOML file with overrides, without those that only describe it.

    Raises
    ------
    ConfigError
        As `load_tables` does.
    """
    tables = load_tables(config, RECIPE_TABLES, overrides)
    return {name: table for name, table in tables.items() if table and name not in DESCRIPTIONS}


def natural_order(text: str) -> list[tuple[int, str]]:
    """A sort key that puts seed2 before seed10."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", text)]


def read_runs(folder: Path, *needed: str) -> list[Run]:
    """The runs of a folder that have scores, by seed; none if there is no folder.

    Raises
    ------
    FormatError
        If a file is damaged, scores lack a needed key, or there are scores without run.json.
    """
    scored = sorted(folder.glob("seed*/scores.json"), key=lambda path: natural_order(str(path)))
    return [
        Run(read_json(path.with_name("run.json"), "command", "date", "machine"), read_json(path, *needed))
        for path in scored
    ]


def values_of(runs: Iterable[Run], *keys: str) -> list[float]:
    """The numbers at these keys of the scores, for the runs that have one."""
    found = (run.find(*keys) for run in runs)
    return [value for value in found if isinstance(value, int | float)]


def layers_of(runs: Iterable[Run]) -> list[str]:
    """The layers that the first of the runs with any was scored by."""
    return list(next((found for run in runs if (found := run.find("layers"))), {}))


def spread(values: Sequence[float], factor: float = 1, digits: int = 3) -> str:
    """Mean and, if they differ, range of the values: `2.19 (1.25 to 3.75)`."""
    if not values:
        return NOTHING
    mean, low, high = (f"{factor * x:.{digits}f}" for x in (fmean(values), min(values), max(values)))
    return mean if low == high else f"{mean} ({low} to {high})"


def percent(values: float | Sequence[float] | None) -> str:
    """Shares of 1 in %, in the form of `spread`."""
    if values is None:
        return NOTHING
    return spread(values if isinstance(values, Sequence) else [values], 100, 2)


def code(text: str | None) -> str:
    """Text as Markdown code that fits a table cell."""
    return f"`{text}`".replace("|", r"\|") if text else NOTHING


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, with a line break at its end."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
