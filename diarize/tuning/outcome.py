"""What `tune` has chosen: the settings, their errors, and whether they are better than the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from diarize.config import Config
from diarize.config.changes import changes_as_toml, differences
from diarize.config.preset import DEFAULT_PRESET
from diarize.scoring.der import FROM_UEM, DiarizationScore, pool
from diarize.tuning.gain import FEWEST, Gain


@dataclass(frozen=True, eq=False)
class Outcome:
    """Chosen settings, and scores of each recording in the order in which the recordings were given.

    Attributes
    ----------
    name : str
        Name of the settings to compare with: "default", or that of a preset.
    default, chosen : Config
        The settings to compare with, and those with the lowest DER.
    before, after : sequence of DiarizationScore
        Scores of both.
    crossed : sequence of DiarizationScore
        Scores with the settings chosen on other recordings; empty with one recording.
    of_folds : sequence of mapping
        What was chosen without each fold, as differences from `default`.
    gain : Gain, optional
        By how much `crossed` is better than `before`; None with one recording.
    n_tried : int
        Settings tried.
    seed : int
    curve : sequence of (int, float)
        The settings tried so far and the lowest DER, at the start of the search and after each change.
    """

    name: str
    default: Config
    chosen: Config
    before: Sequence[DiarizationScore]
    after: Sequence[DiarizationScore]
    crossed: Sequence[DiarizationScore]
    of_folds: Sequence[Mapping[str, Any]]
    gain: Gain | None
    n_tried: int
    seed: int
    curve: Sequence[tuple[int, float]] = ()

    @property
    def changes(self) -> dict[str, Any]:
        """The chosen settings that differ from those to compare with."""
        return differences(self.chosen, self.default)

    @property
    def is_better(self) -> bool:
        """Whether the gain is distinguishable from chance."""
        return bool(self.changes) and self.gain is not None and self.gain.is_real

    @property
    def config(self) -> Config:
        """The settings to use: the chosen ones if they are better, otherwise those to compare with."""
        return self.chosen if self.is_better else self.default

    @property
    def verdict(self) -> str:
        """Whether the chosen settings are better, in one sentence."""
        n = len(self.before)
        kept = "the defaults are kept" if self.name == DEFAULT_PRESET else f"those of {self.name} are kept"
        if not self.changes:
            return f"No other settings are better on these recordings: {kept}."
        if n < FEWEST:
            return (
                f"{n} recording{'s' * (n > 1)} cannot show whether a gain is chance, "
                f"at least {FEWEST} are needed: {kept}."
            )
        if not self.is_better:
            return f"The gain is not distinguishable from chance: {kept}."
        return "The gain is distinguishable from chance: the chosen settings are written."

    def summary(self) -> str:
        """The rates and the verdict, as text."""
        rows = [
            (f"{self.name} settings", _percent(pool(self.before).der)),
            ("chosen settings, on the recordings they were chosen on", _percent(pool(self.after).der)),
        ]
        if self.gain is not None:
            low, high = _points(self.gain.low), _points(self.gain.high)
            rows += [
                ("chosen settings, cross-validated", _percent(pool(self.crossed).der)),
                ("gain, cross-validated", f"{_points(self.gain.value)} (95 % interval {low} to {high})"),
            ]
        width = max(len(name) for name, _ in rows)
        lines = [self._conditions(), "", *(f"{name:{width}}  {value}" for name, value in rows)]
        if table := self._table():
            lines += ["", *table]
        if self.curve:
            steps = ", ".join(f"{_percent(der)} after {n}" for n, der in self.curve)
            lines += ["", f"lowest DER by settings tried: {steps}"]
        return "\n".join([*lines, "", self.verdict]) + "\n"

    def to_toml(self, data: Sequence[str], today: date | None = None) -> str:
        """The settings to use as TOML for ``--config``, with all figures in comments.

        Settings that are not used are there as comments.
        """
        when = (today or date.today()).isoformat()
        notes = [f"Written by diarize tune on {when}, from {', '.join(data)}", *self.summary().splitlines()]
        comments = "".join(f"# {note}".rstrip() + "\n" for note in notes)
        used = changes_as_toml(differences(self.config))
        if self.changes and not self.is_better:
            rejected = changes_as_toml(differences(self.chosen)).splitlines()
            unused = ["The chosen settings; remove the marks to use them all the same:", *rejected]
            comments += "#\n" + "".join(f"# {line}".rstrip() + "\n" for line in unused)
        return f"{comments}\n{used}" if used else comments

    def _conditions(self) -> str:
        pooled = pool(self.before)
        of = f"{len(self.before)} recording{'s' * (len(self.before) > 1)}, {pooled.total:.0f} s of speech"
        by = "UEM" if pooled.scored_region_source == FROM_UEM else "reference and result extent"
        return f"{of}; scored region: {by}; {self.n_tried} settings tried, seed {self.seed}; DER in %"

    def _table(self) -> list[str]:
        """Each change, with the number of folds that chose the same."""
        own = self.default.model_dump()
        rows = []
        for name, value in self.changes.items():
            section, _, key = name.partition(".")
            n = sum(chosen.get(name) == value for chosen in self.of_folds)
            folds = f"chosen in {n} of {len(self.of_folds)} folds" if self.of_folds else ""
            rows.append((name, f"{_shown(own[section][key])} -> {_shown(value)}", folds))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [
            "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f}"


def _points(rate: float) -> str:
    """A difference of rates in points, without a negative zero."""
    return f"{round(100 * rate, 2) + 0.0:.2f}"


def _shown(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
