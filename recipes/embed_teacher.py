"""Embed a training set with an open network, as targets for distillation: OUT/teacher.npz.

The teacher is a file of export_teacher.py or any other that --model takes as FILE.onnx, campplus, or
Resemblyzer's network, whose weights come in its wheel (pip install "diarize-toolkit[resemblyzer]"). The
target of a recording at a speed is 0.4 times its own vector plus 0.6 times the mean of its speaker's at that
speed, less the mean of all, of length 1: (n_recordings, n_speeds, dim), recordings in sorted order.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import load_audio
from diarize.config import RECIPE_TABLES, load_tables
from diarize.embedding.encoders import find_network
from diarize.errors import ConfigError, DiarizeError
from diarize.files.atomic import atomic_path
from diarize.formats.kaldi import read_whole_recordings
from diarize.training.augment import change_speed

OWN_SHARE = 0.4


def start_worker(teacher: str) -> None:
    """Load the teacher into this process; one thread each."""
    global _teacher
    torch.set_num_threads(1)
    _teacher = find_network(teacher)


def embed(path: str, speeds: list[float]) -> NDArray[np.float32]:
    """The teacher's vectors (n_speeds, dim) of one recording."""
    samples = load_audio(path)
    changed = [samples if speed == 1.0 else change_speed(samples, speed) for speed in speeds]
    return np.stack([_teacher.utterance(one) for one in changed])


def main() -> None:
    """Read the command line, embed, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder")
    parser.add_argument("--config", type=Path, required=True, help="TOML with [pack]")
    parser.add_argument("--teacher", default="resemblyzer", help="FILE.onnx, campplus or resemblyzer")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--nj", type=int, default=2, help="processes")
    arguments = parser.parse_args()

    speeds = sorted(set(load_tables(arguments.config, RECIPE_TABLES)["pack"].get("speeds", ())))
    if not speeds:
        raise ConfigError(f"{arguments.config}: [pack] needs speeds, those of the features")
    data = read_whole_recordings(arguments.data)
    utterances = sorted(data.wav_scp, key=str.encode)
    paths = [data.wav_scp[utterance] for utterance in utterances]
    start_worker(arguments.teacher)  # a missing one is told here, not in a process
    with ProcessPoolExecutor(
        arguments.nj, initializer=start_worker, initargs=(arguments.teacher,)
    ) as executor:
        vectors = np.stack(list(executor.map(partial(embed, speeds=speeds), paths, chunksize=16)))

    _, speaker = np.unique([data.utt2spk[utterance] for utterance in utterances], return_inverse=True)
    sums = np.zeros((speaker.max() + 1, *vectors.shape[1:]))
    np.add.at(sums, speaker, vectors)
    means = sums / np.bincount(speaker)[:, None, None]
    targets = OWN_SHARE * vectors + (1 - OWN_SHARE) * means[speaker]
    targets -= targets.mean(axis=(0, 1))
    targets /= np.linalg.norm(targets, axis=2, keepdims=True)
    with atomic_path(arguments.out / "teacher.npz") as path:
        np.savez(path, targets=targets.astype(np.float32), speeds=speeds)
    print(f"{arguments.out / 'teacher.npz'}: {targets.shape}")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"embed_teacher.py: {error}") from error
