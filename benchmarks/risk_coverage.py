"""How wrong the surest turns are, by how many are kept, for each set and all sets, as Markdown tables.

    python benchmarks/risk_coverage.py --data SET [SET ...] [--preset NAME] [--figure FILE.svg]

SET is a folder with audio/, rttm/ and uem/, each with one file for each recording. A turn is wrong where its
speaker does not talk: another one does (confused), or nobody (false).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from meetings import read_set
from printing import header

from diarize.config import load_config
from diarize.errors import DiarizeError
from diarize.files.text import write_text
from diarize.report.curves import plot_lines
from diarize.report.style import to_svg
from diarize.scoring.coverage import RiskCoverage, format_coverage_table, pool
from diarize.scoring.regions import TurnErrors, find_turn_errors
from diarize.tuning.bench import Bench

POINTS = 20
"""Points of a line of the figure."""


def main() -> None:
    """Measure the sets, one by one and together."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="SET")
    parser.add_argument("--preset", help="settings by name; default: the defaults")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="also draw the curves, as SVG")
    arguments = parser.parse_args()

    config = load_config(preset=arguments.preset)
    bench = Bench()
    curves: dict[str, RiskCoverage] = {}
    everything: list[tuple[float, TurnErrors]] = []
    print(header(f"Collar 0, time of the UEM, detected speech; preset {arguments.preset or 'default'}"))
    for folder in arguments.data:
        own: list[tuple[float, TurnErrors]] = []
        recordings = read_set(folder)
        for recording in recordings:
            found = bench.name_turns(recording, config)
            errors = find_turn_errors(recording.turns, found.turns, scored=recording.scored)
            own += [(sure.confidence, each) for sure, each in zip(found.certainty or (), errors, strict=True)]
        bench.forget()
        curves[f"{folder.name} ({len(recordings)})"] = pool(*zip(*own, strict=True))
        everything += own
    if len(curves) > 1:
        curves["all"] = pool(*zip(*everything, strict=True))
    for name, curve in curves.items():
        print(f"## {name}: {len(curve.confidence)} turns, {curve.seconds.sum():.1f} s\n")
        print(format_coverage_table(curve))
    if arguments.figure:
        grid = [point / POINTS for point in range(1, POINTS + 1)]
        series = {
            name: {100 * share: [float(curve.risk[curve.at(share), 1])] for share in grid}
            for name, curve in curves.items()
        }
        figure = plot_lines(series, "time of turns kept, in %", "confused")
        write_text(
            to_svg(figure, "risk-coverage", "The share of confused time, by the time kept") + "\n",
            arguments.figure,
        )


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"risk_coverage.py: {error}") from error
