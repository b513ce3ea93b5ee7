"""Write RESULTS.md: the clusterings of the test speakers by every system, beside its paper's figures.

Reads EXP/<system>/seed*/{run.json,scores.json}, EXP/identification/<system>/seed*/ and
EXP/experiments/<name>/<value>/seed*/, as write_run.py and score_clustering.py write them, and for the sizes
EXP/data, or the data.json that keep_runs.py writes. The systems, the experiments and the papers' figures are
those of --conf; a run with another name has a row under its name. What was not run is marked as "not run".
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from diarize.cli.script import run_script
from diarize.experiments.clusterer_tables import (
    describe_centring,
    describe_clusterers,
    describe_everyone,
    describe_layers,
    describe_regimes,
)
from diarize.experiments.runs import percent, read_runs, values_of
from diarize.experiments.sweeps import Series, describe_experiment, series_of_numbers
from diarize.experiments.systems import (
    add_other_experiments,
    add_other_identifiers,
    add_other_runs,
    find_experiments,
    find_systems,
)
from diarize.experiments.tables import (
    MAIN,
    ORACLE,
    ORACLE_LEGACY,
    describe_data,
    describe_errors,
    describe_groups,
    describe_identification,
    describe_machines,
    describe_making,
    describe_numbers,
)
from diarize.files.text import read_text, write_text
from diarize.report.curves import plot_lines
from diarize.report.style import to_svg

REPOSITORY = Path(__file__).resolve().parent.parent
CONF = REPOSITORY / "recipes" / "conf"
HEAD = """# Results of speaker clustering

Written from the runs' own files by

    {command}

Rates are in %: the mean over seeds and, in brackets, the range. "not run" is what it says, and "-" what is
not defined, not scored, or not printed by the paper. The papers' figures are for TIMIT; beside other speakers
they are no target.
"""


def main() -> None:
    """Read the command line and the runs, write the page and its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp", type=Path, required=True, help="folder of the runs")
    parser.add_argument(
        "--conf", type=Path, default=CONF, help="folder of the systems (default: recipes/conf)"
    )
    parser.add_argument("--out", type=Path, required=True, help="Markdown file")
    parser.add_argument("--figures", type=Path, help="folder of the SVG files; default: figures beside --out")
    parser.add_argument("--notes", type=Path, help="Markdown above the tables: how to read them")
    arguments = parser.parse_args()
    out, exp = arguments.out, arguments.exp
    figures = arguments.figures or out.parent / "figures"

    systems = add_other_runs(find_systems(arguments.conf), exp)
    experiments = add_other_experiments(find_experiments(arguments.conf), exp)
    runs = {name: read_runs(exp / name, "sets") for name in systems}

    def link(path: str) -> str:
        file = REPOSITORY / path
        shown = file.relative_to(REPOSITORY) if file.is_relative_to(REPOSITORY) else file
        return f"[`{shown}`]({os.path.relpath(file, out.resolve().parent)})"

    def draw(name: str, series: Series, x: str, title: str) -> str:
        lines = {line: several for line, several in series.items() if several}
        if not lines:
            return ""
        svg = to_svg(plot_lines(lines, x, "MR", log_x=True), name, title)
        write_text(svg.replace("<svg", '<svg style="background: white"', 1), figures / f"{name}.svg")
        return f"\n![{title}]({os.path.relpath(figures / f'{name}.svg', out.parent)})\n"

    numbers = draw("speakers", series_of_numbers(systems, runs), "speakers", "MR over the number of speakers")
    sections = {
        "Data": describe_data(exp),
        f"Errors, {MAIN}": describe_errors(systems, runs),
        "How each was made": describe_making(systems, runs, link),
        "Identification": describe_identification(add_other_identifiers(systems, exp), exp, link),
        "MR / legacy MR against the number of speakers": describe_numbers(systems, runs) + numbers,
        "Groups of speakers": describe_groups(systems, runs),
        "Centred embeddings, and noise": describe_centring(systems, runs),
        "Layers": describe_layers(systems, runs),
        "Clusterers side by side": describe_clusterers(systems, runs),
        "Amount of speech": describe_regimes(systems, runs),
        "All speakers": describe_everyone(systems, runs),
    }
    for name, one in experiments.items():
        table, series = describe_experiment(one, exp / "experiments" / name)
        figure = draw(name, series, one.axis, one.title) if series.get("here") else ""
        head = f"Papers' figures: {one.paper.source}.\n\n" if series and one.paper.source else ""
        sections[one.title] = head + table + figure
    sections["Machine, versions, date"] = describe_machines(
        [run for several in runs.values() for run in several]
    )
    command = shlex.join(["recipes/write_results.py", *sys.argv[1:]])
    notes = "\n" + read_text(arguments.notes) if arguments.notes else ""
    page = (
        HEAD.format(command=command)
        + notes
        + "".join(f"\n## {title}\n\n{text}" for title, text in sections.items())
    )
    write_text(page, out)
    missing = [name for name, several in runs.items() if not several]
    for name, several in runs.items():
        rates = [values_of(several, "sets", MAIN, *keys) for keys in (ORACLE, ORACLE_LEGACY)]
        if rates[0]:
            print("{}: MR {} %, legacy MR {} %".format(systems[name].title, *map(percent, rates)))
    print(f"{out}: {len(systems) - len(missing)} systems; not run: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    run_script(main)
