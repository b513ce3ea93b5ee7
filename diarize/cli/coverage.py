"""What `diarize score --coverage` shows: the error of the surest turns, by how much is kept."""

from __future__ import annotations

import json
from pathlib import Path

from diarize.errors import ConfigError, DiarizeError

RATES = ("wrong", "confused", "false")
"""Shares of the time kept."""


def parse_costs(text: str) -> tuple[float, float, float]:
    """The costs of a missed, a false and a confused second in "1,1,3".

    Raises
    ------
    ConfigError
        If these are not three numbers of at least 0.
    """
    try:
        missed, false, confused = (float(each) for each in text.split(","))
    except ValueError:
        missed = false = confused = -1.0
    if not all(0 <= each < float("inf") for each in (missed, false, confused)):
        raise ConfigError(
            f"--costs {text}: write the costs of a missed, false and confused second, such as 1,1,3"
        )
    return missed, false, confused


def score_coverage(
    reference: Path, hypothesis: Path, uem: Path | None, collar: float, costs: str | None, format: str
) -> str:
    """The curve as a table or as JSON.

    Raises
    ------
    ConfigError
        If the costs are no costs.
    DiarizeError
        If a file cannot be read, or no turn of a recording with a reference has a confidence.
    """
    given = None if costs is None else parse_costs(costs)
    from diarize.report.results import find_results, read_results
    from diarize.scoring.coverage import format_coverage_table, pool
    from diarize.scoring.inputs import regions_by_recording, turns_by_recording
    from diarize.scoring.regions import TurnErrors, find_turn_errors

    truth = turns_by_recording(reference)
    regions = None if uem is None else regions_by_recording(uem)
    confidence: list[float] = []
    errors: list[TurnErrors] = []
    n_recordings = 0
    for result in (each for path in find_results([hypothesis]) for each in read_results(path)):
        if result.recording not in truth or (regions is not None and result.recording not in regions):
            continue
        scored = None if regions is None else regions[result.recording]
        found = find_turn_errors(truth[result.recording], result.turns, scored=scored, collar=collar)
        known = [
            (sure, each) for sure, each in zip(result.confidence, found, strict=True) if sure is not None
        ]
        n_recordings += bool(known)
        confidence += [sure for sure, _ in known]
        errors += [each for _, each in known]
    if not confidence:
        raise DiarizeError(
            f"{hypothesis}: no turn of a recording of {reference} has a confidence, as JSON may have"
        )
    curve = pool(confidence, errors)
    if format == "json":
        document = {
            "recordings": n_recordings,
            "turns": len(confidence),
            "area": dict(zip(RATES, curve.area.tolist(), strict=True)),
            "area_by_chance": dict(zip(RATES, curve.risk[-1].tolist(), strict=True)),
            "area_at_best": dict(zip(RATES, curve.best_area.tolist(), strict=True)),
            "least_confidence": curve.thresholds.tolist(),
            "coverage": curve.coverage.tolist(),
            **dict(zip(RATES, curve.risk.T.tolist(), strict=True)),
        }
        if given is not None:
            document["cost"] = curve.costs(*given).tolist()
        return json.dumps(document, indent=1) + "\n"
    of = "1 recording" if n_recordings == 1 else f"{n_recordings} recordings"
    conditions = f"{len(confidence)} turns of {of}, collar {collar:g} s each side"
    return f"{conditions}\n\n{format_coverage_table(curve, given)}"
