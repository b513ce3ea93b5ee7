"""DER, JER and number of speakers on sets of recordings, for every clusterer, as Markdown tables.

    python benchmarks/diarization_error.py --data DIR [--sets SET ...] [--preset NAME] [--gain DB]
        [--config FILE.toml ...] [--peer resemblyzer --peer-config FILE.toml ...]

DIR holds a folder for each set, with audio/, rttm/ and uem/ and one file for each recording. A --config
applies to the clusterer that it names ([clustering] method); clusterers without a config use the defaults.
The peer's rows use its embeddings of the same windows of the same detected speech, and the same clusterers,
with [clustering] and [turns] of --peer-config, because thresholds for our embeddings do not suit others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from meetings import HELD_OUT, begins_with, read_set
from printing import header, percent, table

from diarize.audio import Samples
from diarize.clustering import CLUSTERERS, TRAINED_CLUSTERERS
from diarize.config import Config, load_config
from diarize.errors import ConfigError, DiarizeError
from diarize.files.atomic import atomic_path
from diarize.scoring.der import DiarizationScore, pool
from diarize.tuning import Recording
from diarize.tuning.bench import Bench, known

COLUMNS = (
    *("embeddings", "clusterer", "number of speakers"),
    *("DER", "miss", "false alarm", "confusion", "JER", "number right"),
)

Row = tuple[tuple[str, str, str], list[DiarizationScore]]


@dataclass(frozen=True, eq=False)
class LevelledRecording(Recording):
    """A recording made louder or quieter, as a file of 16 bits holds it."""

    gain: float = 0.0
    """dB."""

    def blocks(self) -> Iterator[Samples]:
        """Its samples."""
        for block in super().blocks():
            bits = np.round(2**15 * 10 ** (self.gain / 20) * block).clip(-(2**15), 2**15 - 1)
            yield bits.astype(np.float32) / 2**15


def with_gain(recording: Recording, gain: float) -> LevelledRecording:
    """The recording, made louder by `gain` dB."""
    given = {field.name: getattr(recording, field.name) for field in fields(recording)}
    return LevelledRecording(**given, gain=gain)


def read_configs(
    paths: Sequence[Path], clusterers: Sequence[str], preset: str | None = None
) -> dict[str, Config]:
    """A config for each clusterer: the file that names it, or the preset."""
    configs: dict[str, Config] = {}
    for path in paths:
        config = load_config(path, preset=preset)
        method = config.clustering.method
        if method in configs:
            raise ConfigError(f"{path}: a second config for the clusterer {method!r}; give one for each")
        configs[method] = config
    return {
        name: configs.get(name) or load_config(overrides={"clustering.method": name}, preset=preset)
        for name in clusterers
    }


def with_clustering_of(config: Config, other: Config) -> Config:
    """The config with clustering and turns of another one."""
    return config.model_copy(update={"clustering": other.clustering, "turns": other.turns})


def measure(recordings: list[Recording], bench: Bench, vectors: str, configs: dict[str, Config]) -> list[Row]:
    """Scores of every clusterer, with the number of speakers unknown and known."""
    rows: list[Row] = []
    for name, config in configs.items():
        unknown = [bench.score(each, config) for each in recordings]
        told = [bench.score(each, known(config, each.n_speakers)) for each in recordings]
        rows += [((vectors, name, "unknown"), unknown), ((vectors, name, "known"), told)]
    return rows


def format_set(title: str, rows: list[Row], chosen: Sequence[int]) -> str:
    """The table of the chosen recordings, pooled."""
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
    parser.add_argument(
        "--clusterers",
        nargs="+",
        choices=[*CLUSTERERS, *TRAINED_CLUSTERERS],
        default=list(CLUSTERERS),
    )
    parser.add_argument("--config", nargs="+", type=Path, default=[], metavar="FILE")
    parser.add_argument("--preset", help="settings by name, which a --config overrides")
    parser.add_argument(
        "--gain", type=float, metavar="DB", help="make the recordings louder or, below 0, quieter; as 16 bits"
    )
    parser.add_argument("--peer", choices=["resemblyzer"])
    parser.add_argument("--peer-config", nargs="+", type=Path, default=[], metavar="FILE")
    parser.add_argument(
        "--held-out",
        nargs="+",
        default=HELD_OUT,
        metavar="ID",
        help="recordings whose ids begin with one of these also get their own table; default: %(default)s",
    )
    parser.add_argument(
        "--parts",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="also print a table of the recordings whose ids match, such as '*_noise' '*_8spk_*'",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the tables here")
    arguments = parser.parse_args()

    sets = arguments.sets or sorted(path.parent.name for path in arguments.data.glob("*/audio"))
    if not sets:
        raise DiarizeError(f"{arguments.data}: no folder with audio/ in it; give the folder of the sets")
    configs = read_configs(arguments.config, arguments.clusterers, arguments.preset)
    peers = read_configs(arguments.peer_config, arguments.clusterers)
    peers = {name: with_clustering_of(configs[name], peer) for name, peer in peers.items()}
    first = next(iter(configs.values()))
    bench = Bench(arguments.model or first.embedding.model)
    peer_bench = Bench(arguments.peer) if arguments.peer else None
    one = known(Config(speech=first.speech, embedding=first.embedding), 1)

    conditions = (
        "Collar 0, overlap scored, time of the UEM; in %, pooled over recordings. Detected speech. "
        f"Model {bench.description}. 1 thread, seed 0"
    )
    if arguments.peer and not arguments.peer_config:
        conditions += ". The peer's thresholds are those for our embeddings: none were chosen for it"
    everything: dict[tuple[str, str, str], list[DiarizationScore]] = {}
    names: list[str] = []
    parts = [header(conditions, ("resemblyzer",) if arguments.peer else ())]
    for name in sets:
        recordings = read_set(arguments.data / name)
        if arguments.gain is not None:
            recordings = [with_gain(each, arguments.gain) for each in recordings]
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
        held_out = [i for i, each in enumerate(recordings) if begins_with(each, arguments.held_out)]
        if 0 < len(held_out) < len(recordings):
            parts.append(format_set(f"{name}, recordings on which no setting was chosen", rows, held_out))

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
