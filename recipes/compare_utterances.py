"""Compare the parts of a data folder without training a network: distances, or embeddings of the parts.

The kind of comparison comes from [baseline] in --config: one of diarize/experiments/baselines.py, or model,
the mean embedding by a trained model (`model`; by default the bundled one). gmm and svm write the arrays
recording, speaker and distances (n, n); the others write embeddings. With --sentences, every recording is a
part, and kinds that give distances write nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables, validate
from diarize.embedding.embedder import Embedder
from diarize.embedding.table import Embeddings
from diarize.errors import ConfigError
from diarize.experiments.baselines import BASELINES, Baseline, Task
from diarize.experiments.parts import Part, read_parts
from diarize.experiments.speaker_sets import read_list
from diarize.experiments.systems import BaselineConfig
from diarize.files.atomic import atomic_path
from diarize.machine.threads import one_blas_thread


def embed_by_model(parts: Sequence[Part], task: Task) -> NDArray[np.floating]:
    """The mean embedding (n, dim) of each part's recordings."""
    embedder = Embedder(task.config.model, threads=1)
    return np.stack(
        [np.mean([embedder(file, whole=True).vectors[0] for file in part.files], axis=0) for part in parts]
    )


KINDS = {**BASELINES, "model": Baseline(embed_by_model)}


def tell(stage: str, done: int, total: int) -> None:
    """Print the progress of a long comparison, every ten parts."""
    if done % 10 == 0 or done == total:
        print(f"{stage}: {done} of {total}", flush=True)


def main() -> None:
    """Read the command line, compare, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help="TOML with [baseline]")
    parser.add_argument(
        "--set", action="append", default=[], metavar="baseline.SETTING=VALUE", help="overrides the config"
    )
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder with utt2part")
    parser.add_argument("--speakers", type=Path, help="list of speakers; by default all")
    parser.add_argument("--train", type=Path, help="Kaldi data folder that svm and anchor-gmm train on")
    parser.add_argument("--sentences", action="store_true", help="compare single recordings")
    parser.add_argument("--out", type=Path, required=True, help="npz file")
    parser.add_argument("--nj", type=int, default=1, help="number of processes of svm")
    arguments = parser.parse_args()

    started = time.monotonic()
    torch.set_num_threads(1)
    source = f"{arguments.config}: [baseline]"
    table = load_tables(arguments.config, RECIPE_TABLES, arguments.set)["baseline"]
    config = validate(BaselineConfig, table, source)
    if config.kind not in KINDS:
        raise ConfigError(f"{source}: unknown kind '{config.kind}'; known: {', '.join(KINDS)}")
    baseline = KINDS[config.kind]
    if baseline.learns and arguments.train is None:
        raise ConfigError(f"{config.kind} needs --train, a data folder to train on")
    parts = read_parts(arguments.data, read_list(arguments.speakers) if arguments.speakers else None)
    if arguments.sentences:
        if baseline.gives_distances:
            print(f"{arguments.config.stem}: distances, so single recordings are not compared")
            return
        parts = [Part(file, part.speaker, (file,)) for part in parts for file in part.files]
    recording = np.array([part.name for part in parts])
    speaker = np.array([part.speaker for part in parts])
    with one_blas_thread():
        values = baseline.compare(parts, Task(config, arguments.train, arguments.nj, tell))
    if baseline.gives_distances:
        with atomic_path(arguments.out) as path:
            np.savez(path, recording=recording, speaker=speaker, distances=values)
    else:
        end = np.array([sum(len(load_audio(file)) for file in part.files) / SAMPLE_RATE for part in parts])
        Embeddings(recording, np.zeros(len(parts)), end, values, speaker).save(arguments.out)
    seconds = time.monotonic() - started
    n_speakers = len(set(speaker))
    print(
        f"{arguments.out}: {arguments.config.stem}, "
        f"{len(parts)} parts of {n_speakers} speakers in {seconds:.0f} s"
    )


if __name__ == "__main__":
    run_script(main)
