"""DER over a grid of clusterers, windows and turn settings on development recordings, as Markdown tables.

    python benchmarks/choose_defaults.py --data SET [SET ...] [--recordings ID ...] [--peer resemblyzer]
        [--write DIR]

A SET holds audio/, rttm/ and uem/, each with one file for each recording; held-out recordings are left out.
The DER is pooled in each set, and the mean over the sets, with equal weights, is minimised: first over every
clusterer with every pair of window and hop, then, for the best of these, over the settings of turns. One
table has the DER of each family on a set, with the setting chosen on the other sets. --write puts the best
config of each clusterer at the best window into DIR, for --config of diarization_error.py.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from meetings import HELD_OUT, read_sets
from printing import header, percent, table

from diarize.clustering import CLUSTERERS
from diarize.config import ClusteringConfig, Config, EmbeddingConfig, TurnConfig
from diarize.errors import DiarizeError
from diarize.files.atomic import atomic_path
from diarize.scoring.der import pool
from diarize.tuning import Recording
from diarize.tuning.bench import Bench, known

# The grids are wide enough for embeddings that all lie close together.
MERGE_DISTANCES = {
    "average": np.arange(0.1, 1.0, 0.05),
    "complete": np.arange(0.2, 1.25, 0.05),
    "ward": np.arange(0.02, 0.52, 0.02),
}
SMALLEST = (1, 2, 3, 5)
OPTIONS: dict[str, dict[str, Sequence[Any]]] = {
    "agglomerative silhouette": {
        "criterion": ("silhouette",),
        "linkage": tuple(MERGE_DISTANCES),
        "one_speaker": (0.1, 0.15, 0.2, 0.25, 0.3),
        "min_cluster_size": (2, 3, 4, 5),
    },
    "dominant-sets": {
        "affinity": (None, "cosine", "gaussian", "locally-scaled"),  # None: the pipeline's default
        "coarseness": (0.0, 0.02, 0.05, 0.1, 0.15, 0.25, 0.4, 0.7, 1.0),
        "min_cluster_size": (1, 3, 5),
    },
    "spectral": {"min_neighbors": (2, 4, 6, 8, 12), "max_neighbors": (0.15, 0.25, 0.4)},
    "density": {"min_cluster_size": (2, 3, 4, 5, 8, 12), "min_samples": (1, 2, 3, 5)},
}
WINDOWS = ((1.0, 0.5), (1.5, 0.5), (1.5, 0.75), (2.0, 0.5), (2.0, 1.0), (3.0, 0.75))
TURNS = {
    "smoothing": (1, 3, 5),
    "min_turn": (0.0, 0.25, 0.5, 1.0),
    "min_gap": (0.0, 0.25, 0.5, 1.0),
}
N_TURN_ROWS = 10


@dataclass(frozen=True, eq=False)
class Trial:
    """A config and its DER on each set, with the number of speakers unknown and known."""

    family: str
    config: Config
    unknown: tuple[float, ...]
    known: tuple[float, ...]

    def cells(self) -> list[str]:
        """The columns of DER."""
        means = (np.mean(self.unknown), np.mean(self.known))
        return [percent(float(rate)) for rate in (*means, *self.unknown, *self.known)]


def by_unknown(trial: Trial) -> tuple[float, float]:
    """The key to minimise, with the number of speakers unknown."""
    return float(np.mean(trial.unknown)), float(np.mean(trial.known))


def by_known(trial: Trial) -> tuple[float, float]:
    """The key to minimise, with the number of speakers known."""
    return by_unknown(trial)[::-1]


def combinations(choices: dict[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of one value of each name; names with the value None are left out."""
    for values in itertools.product(*choices.values()):
        pairs = zip(choices, values, strict=True)
        yield {name: value for name, value in pairs if value is not None}


def settings(methods: Sequence[str], has_backend: bool) -> Iterator[tuple[str, ClusteringConfig]]:
    """Every setting of the clusterers, with its family; the defaults of each clusterer come first."""
    for method in methods:
        if has_backend:
            yield f"{method} evidence", ClusteringConfig(method=method)
        yield f"{method} default", ClusteringConfig(method=method, evidence=False)
        for family, choices in OPTIONS.items():
            if family.split()[0] == method:
                for options in combinations(choices):
                    yield family, ClusteringConfig(method=method, options=options, evidence=False)
    if "agglomerative" in methods:
        for linkage, distances in MERGE_DISTANCES.items():
            for distance, smallest in itertools.product(distances, SMALLEST):
                options = {"linkage": linkage, "min_cluster_size": smallest}
                threshold = round(float(distance), 3)
                yield (
                    f"agglomerative {linkage}",
                    ClusteringConfig(method="agglomerative", threshold=threshold, options=options),
                )


def describe(config: ClusteringConfig) -> str:
    """Threshold and options as in a config file."""
    values = {"threshold": config.threshold, **config.options}
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None) or "-"


def try_config(bench: Bench, sets: dict[str, list[Recording]], family: str, config: Config) -> Trial:
    """The DER of a config on each set."""

    def errors(is_known: bool) -> tuple[float, ...]:
        return tuple(
            pool(
                [
                    bench.score(each, known(config, each.n_speakers if is_known else None))
                    for each in recordings
                ]
            ).der
            for recordings in sets.values()
        )

    return Trial(family, config, errors(False), errors(True))


def best_of_each(trials: Sequence[Trial], key: Any, names: Any) -> list[Trial]:
    """The best trial of each name that `names` gives, best first; of equal trials, the first."""
    best: dict[Any, Trial] = {}
    for trial in trials:
        name = names(trial)
        if name not in best or key(trial) < key(best[name]):
            best[name] = trial
    return sorted(best.values(), key=key)


def distinct(trials: Sequence[Trial]) -> list[Trial]:
    """The trials, best first; of trials with the same errors, only the first."""
    return best_of_each(trials, by_unknown, lambda trial: (trial.unknown, trial.known))


def chosen_elsewhere(trials: Sequence[Trial]) -> list[float]:
    """For each set, the DER of the trial that is best on the mean of the other sets, number unknown."""

    def elsewhere(trial: Trial, i: int) -> float:
        return float(np.mean(np.delete(trial.unknown, i)))

    indices = range(len(trials[0].unknown))
    return [min(trials, key=lambda trial, i=i: elsewhere(trial, i)).unknown[i] for i in indices]


def format_config(config: Config) -> str:
    """The config as TOML, without [speech]."""
    tables = config.model_dump(exclude_none=True, include={"embedding", "clustering", "turns"})
    tables["clustering"].pop("min_speakers")
    tables["clustering.options"] = tables["clustering"].pop("options")
    return "\n".join(
        f"[{title}]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
        for title, values in tables.items()
    )


def main() -> None:
    """Try the grids and print the best."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="SET")
    parser.add_argument("--recordings", nargs="+", metavar="ID", help="only these")
    parser.add_argument(
        "--held-out",
        nargs="+",
        default=HELD_OUT,
        metavar="ID",
        help="leave out recordings whose ids begin with one of these; default: %(default)s",
    )
    parser.add_argument("--model", help="model folder, or the name of a bundled model")
    parser.add_argument("--peer", choices=["resemblyzer"], help="use its embeddings instead of ours")
    parser.add_argument("--clusterers", nargs="+", choices=list(CLUSTERERS), default=list(CLUSTERERS))
    parser.add_argument(
        "--windows", nargs="+", metavar="W:HOP", default=[f"{w:g}:{hop:g}" for w, hop in WINDOWS]
    )
    parser.add_argument("--families", nargs="+", metavar="WORD", help="only families with one of these words")
    parser.add_argument("--top", type=int, default=20, help="rows of the last table")
    parser.add_argument("--write", type=Path, metavar="DIR", help="write the best config of each clusterer")
    arguments = parser.parse_args()

    sets = {
        name: [each for each in these if arguments.recordings is None or each.name in arguments.recordings]
        for name, these in read_sets(arguments.data, arguments.held_out).items()
    }
    found = {each.name for recordings in sets.values() for each in recordings}
    if missing := set(arguments.recordings or found) - found:
        parser.error(f"no such recordings, or held out: {' '.join(sorted(missing))}")
    if empty := [name for name, recordings in sets.items() if not recordings]:
        parser.error(f"no recording left in {' '.join(empty)}")
    bench = Bench(arguments.peer or arguments.model)

    trials: list[Trial] = []
    for pair in arguments.windows:
        window, hop = map(float, pair.split(":"))
        embedding = EmbeddingConfig(window=window, hop=hop)
        for family, clustering in settings(
            arguments.clusterers, bench.embedder(Config()).backend is not None
        ):
            if arguments.families and not set(arguments.families) & set(family.split()):
                continue
            trials.append(try_config(bench, sets, family, Config(embedding=embedding, clustering=clustering)))
        print(f"window {pair}: {len(trials)} trials so far", file=sys.stderr)
    best = min(trials, key=by_unknown)
    there = [trial for trial in trials if trial.config.embedding == best.config.embedding]
    turn_trials = [
        try_config(bench, sets, best.family, best.config.model_copy(update={"turns": TurnConfig(**turns)}))
        for turns in combinations(TURNS)
    ]
    turns = min(turn_trials, key=by_unknown).config.turns

    columns = [
        *("DER unknown", "DER known"),
        *(f"{name}, {number}" for number in ("unknown", "known") for name in sets),
    ]
    counts = ", ".join(f"{name} {len(recordings)}" for name, recordings in sets.items())
    packages = ("resemblyzer",) if arguments.peer else ()
    print(
        header(
            f"Embeddings: {bench.description}. Recordings: {counts}. DER in %, pooled in a set, mean over "
            "the sets; number of speakers unknown and known; collar 0, overlap scored, time of the UEM. "
            "1 thread, seed 0",
            packages,
        )
    )

    def show(title: str, chosen: Sequence[Trial]) -> None:
        rows = []
        for trial in chosen:
            embedding = trial.config.embedding
            labels = (
                trial.family,
                f"{embedding.window:g}/{embedding.hop:g}",
                describe(trial.config.clustering),
            )
            rows.append((*labels, *trial.cells()))
        print(f"## {title}\n\n{table(('family', 'window/hop', 'setting', *columns), rows, 3)}")

    here = f"window {best.config.embedding.window:g} s, hop {best.config.embedding.hop:g} s"
    show(
        "Best setting of each window and hop",
        best_of_each(
            trials, by_unknown, lambda trial: (trial.config.embedding.window, trial.config.embedding.hop)
        ),
    )
    show(
        f"Best of each family, {here}, number unknown",
        best_of_each(there, by_unknown, lambda trial: trial.family),
    )
    show(
        f"Best of each family, {here}, number known",
        best_of_each(there, by_known, lambda trial: trial.family),
    )
    if len(sets) > 1:
        rows = []
        for family in dict.fromkeys(trial.family for trial in there):
            ders = chosen_elsewhere([trial for trial in there if trial.family == family])
            rows.append((family, percent(float(np.mean(ders))), *map(percent, ders)))
        print(f"## Chosen on the other sets, number unknown\n\n{table(('family', 'mean', *sets), rows)}")
    print(f"## Turn settings for {best.family}, {describe(best.config.clustering)}\n")
    ranked = distinct(turn_trials)[:N_TURN_ROWS]
    rows = [
        (*(f"{getattr(trial.config.turns, name):g}" for name in TURNS), *trial.cells())
        for trial in (*ranked, best)
    ]
    rows = [(note, *row) for note, row in zip([*[""] * len(ranked), "default"], rows, strict=True)]
    print(table(("", *TURNS, *columns), rows))
    show(
        f"Best {arguments.top} of all {len(trials)} trials (of those with the same errors, the first)",
        distinct(trials)[: arguments.top],
    )

    if arguments.write:
        for trial in best_of_each(there, by_unknown, lambda trial: trial.config.clustering.method):
            config = trial.config.model_copy(update={"turns": turns})
            with atomic_path(arguments.write / f"{config.clustering.method}.toml") as path:
                path.write_text(format_config(config), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"choose_defaults.py: {error}") from error
