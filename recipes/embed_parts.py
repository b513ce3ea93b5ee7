"""Embed the parts A and B of every speaker of a data folder: the mean of a layer over all their segments.

The frames of each recording are cut into consecutive segments. The remainder at its end is dropped, and a
recording shorter than a segment is padded with zeros. Writes OUT/<layer>.npz for each layer, with a row for
each part, and OUT/sentences/<layer>.npz for the layers of --sentences, with a row for each recording.

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
from diarize.training.packed import PackedFeatures, Shuffle, cut_segments

CLIPS = 64
"""Recordings whose segments are run together."""


@torch.inference_mode()
def activations(network: Network, segments: Frames, device: str) -> dict[str, NDArray[np.float32]]:
    """Each layer's activations (n, dim) for segments (n, n_frames, n_mels)."""
    if isinstance(network, FrameNetwork):
        raise ConfigError(
            "the output of the model is embeddings, so there are no layers to choose; give a cnn or blstm"
        )
    batches = [network.layers(batch.to(device)) for batch in torch.from_numpy(segments).split(200)]
    return {name: torch.cat([batch[name] for batch in batches]).cpu().numpy() for name in batches[0]}


def embed_recordings(
    network: Network, packed: PackedFeatures, length: int, shuffle: Shuffle, seed: int, device: str
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int64]]:
    """Of each recording, the mean activations (n, dim) of each layer, and the number of its segments (n,)."""
    random = np.random.default_rng(seed)
    means: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    n_segments: list[int] = []
    for first in range(0, len(packed.start), CLIPS):
        some = slice(first, first + CLIPS)
        segments = [
            cut_segments(packed.mel[start : start + n_frames], length, shuffle, random)
            for start, n_frames in zip(packed.start[some], packed.length[some], strict=True)
        ]
        own = [len(one) for one in segments]
        for layer, rows in activations(network, np.concatenate(segments), device).items():
            means[layer] += [one.mean(axis=0) for one in np.split(rows, np.cumsum(own)[:-1])]
        n_segments += own
    return {layer: np.stack(rows) for layer, rows in means.items()}, np.array(n_segments)


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
    parser.add_argument(
        "--sentences", nargs="*", default=[], help="layers that are also written by recording"
    )
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
    vectors, n_segments = embed_recordings(
        model.network, packed, length, arguments.shuffle, arguments.seed, arguments.device
    )
    chosen = arguments.layers or list(vectors)
    if unknown := sorted({*chosen, *arguments.sentences} - vectors.keys()):
        raise ConfigError(f"{arguments.model}: no layer '{unknown[0]}'; known: {', '.join(vectors)}")
    recordings = np.array([utterances[clip] for clip in packed.clip])
    speakers = np.array([utt2spk[name] for name in recordings])
    end: NDArray[np.float64] = packed.length / model.features.frame_rate
    parts, one_of, part_of = np.unique(
        [utt2part[name] for name in recordings], return_index=True, return_inverse=True
    )
    weights = np.zeros((len(parts), len(recordings)))  # each segment of a part counts the same
    weights[part_of, np.arange(len(recordings))] = n_segments / np.bincount(part_of, n_segments)[part_of]
    tables = {
        arguments.out / f"{layer}.npz": Embeddings(
            parts,
            np.zeros(len(parts)),
            np.bincount(part_of, end),
            (weights @ vectors[layer]).astype(np.float32),
            speakers[one_of],
        )
        for layer in chosen
    }
    for layer in arguments.sentences:
        tables[arguments.out / "sentences" / f"{layer}.npz"] = Embeddings(
            recordings, np.zeros(len(recordings)), end, vectors[layer], speakers
        )
    remove_leftovers(tables)
    for path, table in tables.items():
        table.save(path)
    print(f"{arguments.out}: {len(parts)} parts, {', '.join(chosen)}")


if __name__ == "__main__":
    run_script(main)
