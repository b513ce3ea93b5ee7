"""Identify the speakers of the recordings in `held_out`, and write the share that is correct as JSON.

Each held-out recording is identified alone, and all held-out recordings of a speaker together. Without
--model, the system is Gaussian mixtures, 32 for each speaker over their other recordings, and the largest
mean log-likelihood decides. With --model, it is a CNN that was trained on the other recordings, and the
largest mean of its softmax outputs for consecutive segments decides. The intervals are Wilson's, 95 %.

Stadelmann and Freisleben, "Unfolding speaker clustering potential: a biomimetic approach", ACM MM 2009;
Lukic et al., "Speaker identification and clustering using convolutional neural networks", MLSP 2016.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from diarize.cli.script import run_script
from diarize.embedding.models import load_model
from diarize.errors import ConfigError, FormatError
from diarize.experiments.identification import identify_by_gmm, score_identification
from diarize.experiments.speaker_sets import read_list
from diarize.files.text import read_text, write_text
from diarize.machine.threads import one_blas_thread
from diarize.networks.cnn import CNN
from diarize.training.packed import PackedFeatures, cut_segments


def identify_by_cnn(folder: Path, features: Path, model: Path) -> dict[str, object]:
    """Scores of single recordings and of whole parts, by the mean softmax output of their segments."""
    network = load_model(model).network
    if not isinstance(network, CNN):
        raise ConfigError(f"{model}: not a cnn; give the model of a training of recipes/conf/cnn-*.toml")
    packed, n_speakers = PackedFeatures.load(features, network.n_mels), network.classifier.layer.out_features
    if n_speakers != packed.n_speakers:
        raise ConfigError(
            f"{model}: trained on {n_speakers} speakers, but {features} has {packed.n_speakers}; "
            "give the features of its training"
        )
    utterances, held_out = read_text(features / "utterances.txt").split(), read_list(folder / "held_out")
    if unknown := sorted(set(held_out) - set(utterances)):
        raise FormatError(f"{folder}/held_out: {unknown[0]} is not in {features}; pack it again")

    random = np.random.default_rng()  # unused: nothing is shuffled
    outputs: dict[int, list[np.ndarray]] = {speaker: [] for speaker in range(n_speakers)}
    chosen = packed.select(np.isin(np.array(utterances)[packed.clip], held_out))
    for start, length, speaker in zip(chosen.start, chosen.length, chosen.speaker, strict=True):
        segments = cut_segments(packed.mel[start : start + length], network.n_frames, "none", random)
        with torch.inference_mode():
            outputs[int(speaker)].append(network.layers(torch.from_numpy(segments))["softmax"].numpy())

    def is_right(softmax: np.ndarray, speaker: int) -> bool:
        return int(softmax.mean(axis=0).argmax()) == speaker

    return score_identification(outputs, is_right, n_speakers)


def main() -> None:
    """Read the command line, identify, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder with held_out")
    parser.add_argument("--features", type=Path, help="the packed features of --data; for --model")
    parser.add_argument("--model", type=Path, help="model folder of a CNN that was trained on these speakers")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    arguments = parser.parse_args()
    if (arguments.model is None) != (arguments.features is None):
        parser.error("--model and --features go together")

    started = time.monotonic()
    torch.set_num_threads(1)
    if arguments.model is None:
        system = "gmm"
        with one_blas_thread():
            scores = identify_by_gmm(arguments.data)
    else:
        system, scores = "cnn", identify_by_cnn(arguments.data, arguments.features, arguments.model)
    seconds = round(time.monotonic() - started, 1)
    report = json.dumps({"system": system, **scores, "seconds": seconds}, indent=1)
    write_text(report + "\n", arguments.out)
    print(report)


if __name__ == "__main__":
    run_script(main)
