"""Compare the parts of a data folder without training a network: distances of all pairs, or a vector a part.

gmm: distances of Gaussian mixtures over MFCC 1 to 19. svm: cross likelihood ratios of one-class machines over
130 ms of MFCC and pitch, scaled by the lowest and highest values of --train. anchor-gmm: mean log-likelihoods
under the mixtures of every recording of --train, MFCC 1 to 20. mfcc-statistics: mean and deviation of MFCC
1 to 19. resnet: the mean embedding of a trained model. The first two write the arrays recording, speaker and
distances (n, n), the others embeddings.

Stadelmann and Freisleben, "Unfolding speaker clustering potential: a biomimetic approach", ACM MM 2009.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, load_audio
from diarize.audio.features import mfcc
from diarize.embedding.embedder import Embedder
from diarize.embedding.table import Embeddings
from diarize.errors import ConfigError, DiarizeError
from diarize.experiments.gmm import Likelihoods, fit_mixtures, gmm_distances
from diarize.experiments.mfcc_statistics import mfcc_statistics
from diarize.experiments.parts import Part, read_parts
from diarize.experiments.pitch import pitch
from diarize.experiments.speaker_sets import read_list
from diarize.experiments.svm import scaling, time_model_distances
from diarize.files.atomic import atomic_path
from diarize.formats.kaldi import read_data_folder
from diarize.machine.threads import one_blas_thread

Array = NDArray[np.floating]
DISTANCES, VECTORS = ("gmm", "svm"), ("anchor-gmm", "mfcc-statistics", "resnet")
TRAINED = ("svm", "anchor-gmm")


def mfcc_and_pitch(samples: Samples) -> Array:
    """MFCC 1 to 19 and the fundamental frequency in Hz (0 where unvoiced): (n_frames, 20)."""
    return np.hstack([mfcc(samples), pitch(samples)[:, None]])


def anchor_cepstra(samples: Samples) -> Array:
    """MFCC 1 to 20: (n_frames, 20)."""
    return mfcc(samples, last=20)


def load_frames(files: Sequence[str], extract: Callable[[Samples], Array]) -> list[Array]:
    """The frames of each file."""
    return [extract(load_audio(file)) for file in files]


def joined_frames(parts: Sequence[Part], extract: Callable[[Samples], Array]) -> list[Array]:
    """The frames of each part, its recordings one after the other."""
    return [np.concatenate(load_frames(part.files, extract)) for part in parts]


def training_files(folder: Path) -> list[str]:
    """Every recording of a data folder."""
    return list(read_data_folder(folder).wav_scp.values())


def tell(stage: str, done: int, total: int) -> None:
    """Say how far a long comparison is, every ten parts."""
    if done % 10 == 0 or done == total:
        print(f"{stage}: {done} of {total}", flush=True)


def compare_by_svm(parts: Sequence[Part], train: Path, n_jobs: int, seed: int) -> Array:
    """Distances (n, n) of the time model."""
    low, width = scaling(np.concatenate(load_frames(training_files(train), mfcc_and_pitch)))
    frames = [(part - low) / width for part in joined_frames(parts, mfcc_and_pitch)]
    return time_model_distances(frames, n_jobs=n_jobs, seed=seed, progress=tell)


def embed_by_anchors(parts: Sequence[Part], train: Path, n_mixtures: int) -> Array:
    """The likelihoods (n, n_models) of each part, its recordings counting alike."""
    anchors = load_frames(training_files(train), anchor_cepstra)
    likelihoods = Likelihoods([fit_mixtures(frames, n_mixtures) for frames in anchors])
    return np.stack(
        [
            np.mean([likelihoods(one) for one in load_frames(part.files, anchor_cepstra)], axis=0)
            for part in parts
        ]
    )


def embed_by_model(parts: Sequence[Part], model: str | None) -> Array:
    """The mean embedding (n, dim) of each part's recordings."""
    embedder = Embedder(model, threads=1)
    return np.stack(
        [np.mean([embedder(file, whole=True).vectors[0] for file in part.files], axis=0) for part in parts]
    )


def main() -> None:
    """Read the command line, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", choices=(*DISTANCES, *VECTORS), required=True)
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder with utt2part")
    parser.add_argument("--speakers", type=Path, help="list of the speakers to take; by default all")
    parser.add_argument("--train", type=Path, help="Kaldi data folder that svm and anchor-gmm learn from")
    parser.add_argument("--model", help="of resnet: a model folder or name; by default the bundled one")
    parser.add_argument("--mixtures", type=int, default=128, help="of each model of anchor-gmm")
    parser.add_argument("--out", type=Path, required=True, help="npz file")
    parser.add_argument("--nj", type=int, default=1, help="processes of svm")
    parser.add_argument("--seed", type=int, default=1, help="of svm; nothing else is random")
    arguments = parser.parse_args()

    started = time.monotonic()
    torch.set_num_threads(1)
    system, train = arguments.system, arguments.train
    if system in TRAINED and train is None:
        raise ConfigError(f"system {system} needs --train, a data folder to learn from")
    parts = read_parts(arguments.data, read_list(arguments.speakers) if arguments.speakers else None)
    recording = np.array([part.name for part in parts])
    speaker = np.array([part.speaker for part in parts])
    with one_blas_thread():
        if system == "gmm":
            values = gmm_distances([fit_mixtures(frames) for frames in joined_frames(parts, mfcc)])
        elif system == "svm":
            values = compare_by_svm(parts, train, arguments.nj, arguments.seed)
        elif system == "anchor-gmm":
            values = embed_by_anchors(parts, train, arguments.mixtures)
        elif system == "resnet":
            values = embed_by_model(parts, arguments.model)
        else:
            values = mfcc_statistics(joined_frames(parts, mfcc))
    if system in DISTANCES:
        with atomic_path(arguments.out) as path:
            np.savez(path, recording=recording, speaker=speaker, distances=values)
    else:
        end = np.array([sum(len(load_audio(file)) for file in part.files) / SAMPLE_RATE for part in parts])
        Embeddings(recording, np.zeros(len(parts)), end, values, speaker).save(arguments.out)
    seconds = time.monotonic() - started
    print(f"{arguments.out}: {system}, {len(parts)} parts of {len(set(speaker))} speakers in {seconds:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"compare_utterances.py: {error}") from error
