"""Say how much disk space the trainings of a recipe need, and stop if there is less.

A training keeps a checkpoint (weights, their average, the optimizer's state), the model, the best weights and
the snapshots. No network is built in memory.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch

from diarize.audio.features import FeatureConfig
from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables, validate
from diarize.embedding.models import build_from_config
from diarize.errors import DiarizeError
from diarize.experiments.systems import choose_systems, find_systems
from diarize.formats.kaldi import read_utt2spk
from diarize.training.optimizers import TrainingConfig

FEATURES = "features.toml"
SLOTS = {"adamw": 2, "adam": 2, "adadelta": 2, "nesterov": 1, "sgd": 1}
"""Numbers that an optimizer keeps for each weight."""


def bytes_of_training(config: Path, data: Path, overrides: list[str]) -> int:
    """The bytes that the training of a config keeps for a seed, on the first of its sets that `data` has."""
    tables = load_tables([config.with_name(FEATURES), config], RECIPE_TABLES, overrides)
    features = validate(FeatureConfig, tables["features"], str(config))
    training = validate(TrainingConfig, tables["training"], str(config))
    found = [data / name / "utt2spk" for name in tables["evaluation"]["train"] if (data / name).is_dir()]
    if not found:
        return 0
    n_speakers = len(set(read_utt2spk(found[0]).values()))
    with torch.device("meta"):
        network = build_from_config(tables["network"] | {"n_speakers": n_speakers}, features, str(config))
    n_weights = sum(parameter.numel() for parameter in network.parameters())
    copies = 3 + (training.average > 0) + SLOTS[training.optimizer]  # in the checkpoint, the model, the best
    if training.snapshot_every:
        copies += training.n_steps // training.snapshot_every
    return 4 * copies * n_weights


def main() -> None:
    """Read the command line, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp", type=Path, required=True, help="folder of the runs, with data")
    parser.add_argument("--conf", type=Path, required=True, help="folder of the systems")
    parser.add_argument("--system", action="append", default=[], metavar="NAME")
    parser.add_argument("--seeds", type=int, required=True, help="number of seeds")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.SETTING=VALUE")
    arguments = parser.parse_args()

    systems = choose_systems(find_systems(arguments.conf), arguments.system)
    needed = arguments.seeds * sum(
        bytes_of_training(Path(system.config), arguments.exp / "data", arguments.set)
        for name, system in systems.items()
        if system.is_network and system.config and not (arguments.exp / name).exists()
    )
    free = shutil.disk_usage(arguments.exp).free
    told = f"{arguments.exp}: the trainings need about {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
    if needed > free:
        raise DiarizeError(f"{told}; choose fewer systems, or a folder on another disk with --exp")
    if needed:
        print(told)


if __name__ == "__main__":
    run_script(main)
