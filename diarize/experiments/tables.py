"""The tables of a page of results: the clusterings of test speakers by every system, beside its paper's.

Each ``describe_`` function gives Markdown. What was not run is marked as "not run".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from diarize.experiments.runs import (
    NOTHING,
    Run,
    code,
    format_table,
    percent,
    read_json,
    read_runs,
    spread,
    values_of,
)
from diarize.experiments.systems import Identification, System
from diarize.formats.kaldi import read_utt2spk
from diarize.scoring.clusterings import wilson_interval

MAIN, SAMPLE, LISTS = "test_40", "timit_sample", ("test_20", "test_40", "test_60", "test_80")
MR, LEGACY = "misclassification_rate", "legacy_misclassification_rate"
ORACLE = ("agglomerative", "condensed", "oracle_cut", MR)
ORACLE_LEGACY = ("agglomerative", "condensed", "oracle_legacy_misclassification_rate")
SCORES = ("adjusted_rand_index", "cluster_purity", "normalized_mutual_information")
NOT_RUN = "not run"

Systems = dict[str, System]
Runs = dict[str, list[Run]]
"""The runs of each system, by seed."""

TERMS = """
Every speaker has two parts, of about 80 and 20 % of their sentences; the parts are clustered. *MR*: the share
of parts that are wrong under the best one-to-one map of clusters to speakers. *Legacy MR*: the stricter rate
of the papers of 2016 and 2017; not to be compared with MR. *Oracle cut*: complete linkage on cosine distance
(GMM and SVM: on their own distances), cut at the lowest rate for these speakers, as in the papers; it uses
the true speakers. *Rows*: the same on the rows of the distance matrix, as the published code does. *Threshold
of dev*: cut at the height that is best for the development speakers. *Dominant sets*: theta 0.1, epsilon
1e-6, 7 neighbours; on distances, in the unit that is best for the development speakers. *k*: the number of
clusters found. *Oracle k*: cut at the true number of speakers. *95 % interval*: Wilson's, of the mean MR, a
part an observation (2 N for N speakers).
"""


def with_number(runs: list[Run], *keys: str) -> str:
    """MR in % and the number of clusters found."""
    numbers = values_of(runs, *keys, "n_clusters")
    return f"{percent(values_of(runs, *keys, MR))}; k = {spread(numbers, digits=1)}" if numbers else NOTHING


def side_by_side(figures: list[float | None]) -> str:
    """A paper's figures in %, if it prints one of them."""
    return " / ".join(map(percent, figures)) if any(one is not None for one in figures) else NOTHING


def batches(system: System, runs: list[Run]) -> str:
    """The number of batches trained, and the paper's; nothing for systems that do not train in batches."""
    steps = [run.facts["steps"] for run in runs if run.facts.get("steps") is not None]
    told = (run.facts["paper_steps"] for run in runs if run.facts.get("paper_steps"))
    paper = next(told, None) if runs else system.paper.steps
    return f"{spread(steps, digits=0)} / {paper or NOTHING}" if steps or paper else NOTHING


def count_data(folder: Path) -> dict[str, dict[str, int]]:
    """The number of speakers and sentences of each set of a folder with data folders."""
    found = {}
    for path in sorted(folder.glob("*/utt2spk")):
        speakers = read_utt2spk(path)
        found[path.parent.name] = {"speakers": len(set(speakers.values())), "sentences": len(speakers)}
    return found


def describe_data(exp: Path) -> str:
    """The speakers and sentences of each set: of EXP/data, or, of runs without it, of EXP/data.json."""
    kept = exp / "data.json"
    counts = read_json(kept) if kept.is_file() else count_data(exp / "data")
    rows = [[name, str(one["speakers"]), str(one["sentences"])] for name, one in counts.items()]
    return format_table(["set", "speakers", "sentences"], rows) if rows else f"{NOT_RUN}\n"


LENGTHS = {
    "full": "Networks trained as long as in their paper, and systems that train none:",
    "short": "Networks trained for fewer batches than in their paper, not to be ranked with the others:",
    "unknown": "Networks without a paper that tells the length of the training:",
    "not run": "Not run:",
}


def length_of_training(system: System, runs: list[Run]) -> str:
    """A key of `LENGTHS`: how long the runs were trained, within a tenth of the paper's length."""
    if not runs:
        return "not run"
    if not system.is_network:
        return "full"
    shares = [
        run.facts["steps"] / run.facts["paper_steps"]
        for run in runs
        if run.facts.get("steps") is not None and run.facts.get("paper_steps")
    ]
    if not shares:
        return "unknown"
    return "full" if min(shares) >= 0.9 else "short"


def describe_errors(systems: Systems, runs: Runs) -> str:
    """The main tables: systems of equal training in each."""
    groups: dict[str, list[list[str]]] = {length: [] for length in LENGTHS}
    for name, system in systems.items():
        groups[length_of_training(system, runs[name])].append(_errors(system, runs[name]))
    header = ["system", "MR, oracle cut", "95 % interval", "legacy MR, oracle cut", "MR, oracle cut, rows"]
    header += ["MR, threshold of dev", "MR, dominant sets", "ARI, oracle k", "ACP, oracle k", "NMI, oracle k"]
    header += [
        f"MR, oracle cut, {SAMPLE}",
        f"MR, dominant sets, {SAMPLE}",
        "seeds",
        "batches / the paper's",
        "paper: MR / legacy MR",
        "source",
    ]
    tables = [f"{LENGTHS[length]}\n\n{format_table(header, rows)}" for length, rows in groups.items() if rows]
    n_speakers = size_of(runs, MAIN)
    fewer = "" if n_speakers == number_in(MAIN) else f"\n{MAIN} has {n_speakers} speakers here.\n"
    return "\n".join(tables) + fewer + TERMS


def _errors(system: System, runs: list[Run]) -> list[str]:
    """The row of a system in the main table."""
    figures, source = system.paper, system.paper.source or NOTHING
    paper = side_by_side([figures.misclassification_rate, figures.legacy_misclassification_rate])
    if not runs:
        return [system.title, NOT_RUN, *[NOTHING] * 11, batches(system, []), paper, source]
    rates, n_parts = values_of(runs, "sets", MAIN, *ORACLE), values_of(runs, "sets", MAIN, "n_parts")
    interval = NOTHING
    if rates and n_parts:
        bounds = wilson_interval(fmean(rates) * n_parts[0], n_parts[0])
        interval = " to ".join(percent(bound) for bound in bounds)
    tree = ("sets", MAIN, "agglomerative", "condensed")
    true_number = [spread(values_of(runs, *tree, "oracle_number", score)) for score in SCORES]
    return [
        system.title,
        percent(rates),
        interval,
        percent(values_of(runs, "sets", MAIN, *ORACLE_LEGACY)),
        percent(values_of(runs, "sets", MAIN, "agglomerative", "rows", "oracle_cut", MR)),
        with_number(runs, *tree, "dev_threshold"),
        with_number(runs, "sets", MAIN, "dominant_sets"),
        *true_number,
        percent(values_of(runs, "sets", SAMPLE, *ORACLE)),
        percent(values_of(runs, "sets", SAMPLE, "dominant_sets", MR)),
        str(len(runs)),
        batches(system, runs),
        paper,
        source,
    ]


def number_in(name: str) -> int:
    """The number in the name of a list of test speakers: 40 of test_40."""
    return int(name.removeprefix("test_"))


def size_of(runs: Runs, name: str) -> int:
    """The number of speakers of a list in the runs, which a small corpus does not fill."""
    found = (run.find("sets", name, "n_speakers") for several in runs.values() for run in several)
    known = [n for n in found if n is not None]
    return known[0] if known else number_in(name)


def describe_making(systems: Systems, runs: Runs, link: Callable[[str], str]) -> str:
    """How each row was made."""
    rows = []
    for name, system in systems.items():
        facts = [run.facts for run in runs[name]]
        config = next((one["config"] for one in facts if one.get("config")), system.config)
        seconds = [one["seconds"] for one in facts if one.get("seconds") is not None]
        rows.append(
            [
                system.title,
                code(facts[0]["command"]) if facts else NOT_RUN,
                link(config) if config else NOTHING,
                link(system.code) if system.code else NOTHING,
                batches(system, runs[name]),
                spread(seconds, digits=0),
            ]
        )
    return format_table(["system", "command", "config", "code", "batches / the paper's", "seconds"], rows)


def describe_numbers(systems: Systems, runs: Runs) -> str:
    """MR and legacy MR for sets of speakers of increasing size; lists of the same speakers are one column."""
    sizes = {size_of(runs, one): one for one in reversed(LISTS)}
    lists = [sizes[n] for n in sorted(sizes)]
    rows = []
    for name, system in systems.items():
        cells = [NOT_RUN] * len(lists)
        if runs[name]:
            rates = [
                [values_of(runs[name], "sets", one, *keys) for keys in (ORACLE, ORACLE_LEGACY)]
                for one in lists
            ]
            cells = [" / ".join(percent(values) for values in pair) for pair in rates]
        printed = system.paper.legacy_by_speakers
        paper = side_by_side([printed.get(str(n)) for n in sorted(sizes)])
        rows.append([system.title, *cells, paper])
    header = [str(n) for n in sorted(sizes)]
    return format_table(["system", *header, f"paper, legacy MR: {' / '.join(header)}"], rows)


def describe_groups(systems: Systems, runs: Runs) -> str:
    """MR at the oracle cut and of dominant sets for groups of speakers: lists whose name is not a number."""
    groups = sorted(
        {
            name
            for several in runs.values()
            for run in several
            for name in run.find("sets") or {}
            if name.startswith("test_") and not name.removeprefix("test_").isdigit()
        }
    )
    if not groups:
        return f"{NOT_RUN}\n"
    ways = (ORACLE, ("dominant_sets", MR))
    rows = [
        [
            system.title,
            *(percent(values_of(runs[name], "sets", group, *way)) for group in groups for way in ways),
        ]
        for name, system in systems.items()
        if runs[name]
    ]
    header = [f"{group}, {way}" for group in groups for way in ("oracle cut", "dominant sets")]
    return format_table(["system", *header], rows)


def describe_identification(systems: Systems, exp: Path, link: Callable[[str], str]) -> str:
    """Errors in identifying training speakers: of their held-out parts, and of the recordings of these."""
    rows = []
    for name, system in systems.items():
        runs = read_runs(exp / "identification" / name, "parts")
        cells = [NOT_RUN, *[NOTHING] * 4]
        if runs:
            rights = [values_of(runs, unit, "accuracy") for unit in ("parts", "recordings")]
            cells = [
                *(percent([1 - right for right in several]) for several in rights),
                spread(values_of(runs, "n_speakers"), digits=0),
                str(len(runs)),
                code(runs[0].facts["command"]),
            ]
        known = system.identification or Identification()
        code_of = link(system.code) if system.code else NOTHING
        rows.append([system.title, *cells, code_of, percent(known.error), known.source or NOTHING])
    header = ["system", "error, part", "error, recording", "speakers", "seeds", "command", "code"]
    return format_table([*header, "paper: error, part", "source"], rows)


def describe_machines(runs: list[Run]) -> str:
    """The machines, versions and dates of the runs."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for run in runs:
        versions = ", ".join(f"{name} {version}" for name, version in run.facts.get("versions", {}).items())
        machine = (run.facts["machine"], f"Python {run.facts.get('python', NOTHING)}, {versions}")
        rows.setdefault(machine, []).append(run.facts["date"])
    cells = [
        [*machine, str(len(dates)), " to ".join(sorted({min(dates), max(dates)}))]
        for machine, dates in rows.items()
    ]
    return format_table(["machine", "versions", "runs", "date"], cells) if cells else f"{NOT_RUN}\n"
