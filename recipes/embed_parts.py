"""Embed the parts A and B of every speaker of a data folder: the mean of a layer over all their segments.

The frames of each recording are cut into consecutive segments. The remainder at its end is dropped, and a
recording shorter than a segment is padded with zeros. Writes OUT/<layer>.npz for each layer, with a row for
each part.

Lukic et al., "Learning embeddings for speaker clustering based on voice equality", MLSP 2017.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio.features import Frames
from diarize.cli.script import run_script
from diarize.embedding.models import load_model
from diarize.embedding.table import Embeddings
from diarize.errors import ConfigError, FormatError
from diarize.files.atomic import remove_leftovers
from diarize.files.text import read_text
from diarize.formats.kaldi import read_utt2spk
from diarize.networks import Network
from diarize.networks.frame_network import FrameNetwork
from diarize.networks.weights import load_weights
from diarize.training.packed import PackedFeatures, cut_segments


@torch.inference_mode()
def activations(network: Network, segments: Frames, device: str) -> dict[str, NDArray[np.float32]]:
    """Each layer's activations (n, dim) for segments (n, n_frames, n_mels)."""
    if isinstance(network, FrameNetwork):
        raise ConfigError(
            "the output of the model is embeddings, so there are no layers to choose; give a cnn or blstm"
        )
    batches = [network.layers(batch.to(device)) for batch in torch.from_numpy(segments).split(200)]
    return {name: torch.cat([batch[name] for batch in batches]).cpu().numpy() for name in batches[0]}


def main() -> None:
    """Read the command line, embed, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--weights", type=Path, help="a snapshot of the training instead of the model's weights"
    )
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder with utt2part")
    parser.add_argument("--features", type=Path, required=True, help="the packed features of --data")
    parser.add_argument("--seconds", type=float, required=True, help="length of a segment")
    parser.add_argument("--layers", nargs="+", help="names of layers; by default all")
    parser.add_argument("--shuffle", choices=("none", "segment", "utterance"), default="none")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="seed of the shuffling")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    model = load_model(arguments.model, arguments.device)
    if arguments.weights:
        load_weights(model.network, arguments.weights)
    packed = PackedFeatures.load(arguments.features, model.features.n_mels)
    utterances = read_text(arguments.features / "utterances.txt").split()
    utt2part, utt2spk = (read_utt2spk(arguments.data / name) for name in ("utt2part", "utt2spk"))
    if missing := sorted(set(utterances) ^ utt2part.keys()):
        raise FormatError(
            f"{arguments.features}: differs from {arguments.data} in {missing[0]}; pack it again"
        )

    length = round(arguments.seconds * model.features.frame_rate)
    if (n_frames := model.network.n_frames) is not None and length != n_frames:
        seconds, kind = n_frames / model.features.frame_rate, type(model.network).__name__
        raise ConfigError(f"{arguments.model}: a {kind} of {seconds:g} s; give --seconds {seconds:g}")
    random = np.random.default_rng(arguments.seed)
    segments: dict[str, list[Frames]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    speaker = {}
    for start, n_frames, clip in zip(packed.start, packed.length, packed.clip, strict=True):
        part = utt2part[utterances[clip]]
        segments[part].append(
            cut_segments(packed.mel[start : start + n_frames], length, arguments.shuffle, random)
        )
        seconds[part] += n_frames / model.features.frame_rate
        speaker[part] = utt2spk[utterances[clip]]
    parts = sorted(segments)
    vectors: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    for part in parts:
        layers = activations(model.network, np.concatenate(segments[part]), arguments.device)
        chosen = arguments.layers or list(layers)
        if unknown := sorted(set(chosen) - layers.keys()):
            raise ConfigError(f"{arguments.model}: no layer '{unknown[0]}'; known: {', '.join(layers)}")
        for layer in chosen:
            vectors[layer].append(layers[layer].mean(axis=0))
    remove_leftovers(arguments.out / f"{layer}.npz" for layer in vectors)
    for layer in vectors:
        Embeddings(
            recording=np.array(parts),
            start=np.zeros(len(parts)),
            end=np.array([seconds[part] for part in parts]),
            vectors=np.stack(vectors[layer]),
            speaker=np.array([speaker[part] for part in parts]),
        ).save(arguments.out / f"{layer}.npz")
    print(f"{arguments.out}: {len(parts)} parts, {', '.join(vectors)}")


if __name__ == "__main__":
    run_script(main)
