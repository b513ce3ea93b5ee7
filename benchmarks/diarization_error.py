"""DER, JER and the number of speakers on sets of recordings, by every clusterer, as Markdown tables.

    python benchmarks/diarization_error.py --data DIR [--sets SET ...] [--config FILE.toml ...]
        [--peer resemblyzer --peer-config FILE.toml ...]

DIR holds a folder a set, each with audio/, rttm/ and uem/ with one file a recording. A --config names its
clusterer ([clustering] method) and is for that one; clusterers without one have the defaults.
The peer's rows are its vectors of the same windows of the same detected speech, before the same clusterers,
with the [clustering] and [turns] of --peer-config: thresholds that suit our vectors do not suit its.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from meetings import HELD_OUT, Bench, Recording, known, read_set
from printing import header, percent, table

from diarize.clustering import CLUSTERERS
from diarize.config import Config, load_config
from diarize.errors import ConfigError, DiarizeError
from diarize.files.atomic import atomic_path
from diarize.scoring.der import DiarizationScore, pool

COLUMNS = (
    *("vectors", "clusterer", "number of speakers"),
    *("DER", "miss", "false alarm", "confusion", "JER", "number right"),
)

Row = tuple[tuple[str, str, str], list[DiarizationScore]]


def read_configs(paths: Sequence[Path], clusterers: Sequence[str]) -> dict[str, Config]:
    """A config a clusterer: the file that names it, or the defaults."""
    configs: dict[str, Config] = {}
    for path in paths:
        config = load_config(path)
        method = config.clustering.method
        if method in configs:
            raise ConfigError(f"{path}: a second config for the clusterer {method!r}; give one each")
        configs[method] = config
    return {
        name: configs.get(name) or load_config(overrides={"clustering.method": name}) for name in clusterers
    }


def with_clustering_of(config: Config, other: Config) -> Config:
    """Speech and windows of one config, clustering and turns of another."""
    return config.model_copy(update={"clustering": other.clustering, "turns": other.turns})


def measure(recordings: list[Recording], bench: Bench, vectors: str, configs: dict[str, Config]) -> list[Row]:
    """Scores of every clusterer, number of speakers unknown and known."""
    rows: list[Row] = []
    for name, config in configs.items():
        unknown = [bench.score(each, config) for each in recordings]
        told = [bench.score(each, known(config, each.n_speakers)) for each in recordings]
        rows += [((vectors, name, "unknown"), unknown), ((vectors, name, "known"), told)]
    return rows


def format_set(title: str, rows: list[Row], chosen: Sequence[int]) -> str:
    """The table of some of the recordings, pooled."""
    lines = []
    for names, all_scores in rows:
        scores = [all_scores[i] for i in chosen]
        pooled = pool(scores)
        parts = (pooled.missed, pooled.false_alarm, pooled.confusion)
        rates = (pooled.der, *map(pooled.share, parts), pooled.jer)
        right = sum(score.n_hypothesis == score.n_reference for score in scores)
        lines.append((*names, *map(percent, rates), f"{right} of {len(scores)}"))
    seconds = sum(rows[0][1][i].total for i in chosen)
    of = f"{len(chosen)} recording{'s' * (len(chosen) > 1)}, {seconds:.1f} s of speech"
    return f"## {title}: {of}\n\n{table(COLUMNS, lines, 3)}"


def main() -> None:
    """Measure every set and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--sets", nargs="+", metavar="SET", help="only these folders of DIR")
    parser.add_argument("--model", help="model folder, or the name of a bundled model")
    parser.add_argument("--clusterers", nargs="+", choices=list(CLUSTERERS), default=list(CLUSTERERS))
    parser.add_argument("--config", nargs="+", type=Path, default=[], metavar="FILE")
    parser.add_argument("--peer", choices=["resemblyzer"])
    parser.add_argument("--peer-config", nargs="+", type=Path, default=[], metavar="FILE")
    parser.add_argument(
        "--held-out",
        nargs="+",
        default=HELD_OUT,
        metavar="ID",
        help="recordings whose ids begin so also get a table of their own; default: %(default)s",
    )
    parser.add_argument(
        "--parts",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="also a table of the recordings of all sets whose ids match, such as '*_noise' '*_8spk_*'",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the tables here")
    arguments = parser.parse_args()

    sets = arguments.sets or sorted(path.parent.name for path in arguments.data.glob("*/audio"))
    if not sets:
        raise DiarizeError(f"{arguments.data}: no folder with audio/ in it; give the folder of the sets")
    configs = read_configs(arguments.config, arguments.clusterers)
    peers = read_configs(arguments.peer_config, arguments.clusterers)
    peers = {name: with_clustering_of(configs[name], peer) for name, peer in peers.items()}
    bench, peer_bench = Bench(arguments.model), Bench(arguments.peer) if arguments.peer else None

    first = next(iter(configs.values()))
    one = known(Config(speech=first.speech, embedding=first.embedding), 1)

    conditions = (
        "Collar 0, overlap scored, time of the UEM; in %, pooled over recordings. Detected speech. "
        f"Model {bench.description}. 1 thread, seed 0"
    )
    if arguments.peer and not arguments.peer_config:
        conditions += ". The peer's thresholds are those of our vectors: none were chosen for it"
    everything: dict[tuple[str, str, str], list[DiarizationScore]] = {}
    names: list[str] = []
    parts = [header(conditions, ("resemblyzer",) if arguments.peer else ())]
    for name in sets:
        recordings = read_set(arguments.data / name)
        rows: list[Row] = [
            (("none", "everything one speaker", "1"), [bench.score(each, one) for each in recordings])
        ]
        rows += measure(recordings, bench, "ours", configs)
        if peer_bench:
            rows += measure(recordings, peer_bench, "Resemblyzer", peers)
        names += [each.name for each in recordings]
        for row, scores in rows:
            everything.setdefault(row, []).extend(scores)
        parts.append(format_set(name, rows, range(len(recordings))))
        held_out = [i for i, each in enumerate(recordings) if each.begins_with(arguments.held_out)]
        if 0 < len(held_out) < len(recordings):
            parts.append(format_set(f"{name}, recordings that no setting was chosen on", rows, held_out))

    for pattern in arguments.parts:
        chosen = [i for i, name in enumerate(names) if fnmatchcase(name, pattern)]
        if not chosen:
            raise DiarizeError(f"--parts {pattern}: no recording has such an id")
        parts.append(format_set(f"all sets, {pattern}", list(everything.items()), chosen))

    text = "\n".join(parts)
    print(text, end="")
    if arguments.out:
        with atomic_path(arguments.out) as path:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"diarization_error.py: {error}") from error
