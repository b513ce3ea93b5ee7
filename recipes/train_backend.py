#!/usr/bin/env python3
"""Train a model's back end: how its embeddings vary within and between speakers (diarize/speakers/plda.py).

DATA is a Kaldi data folder of clips with utt2spk. If it has utt2corpus, each corpus is first centred on its
own mean, as a recording is later, because differences between corpora are not differences between speakers.
Only speakers with two or more clips are used; if there are not more of them than an embedding has dimensions,
nothing is written. A model folder gets backend.safetensors; FILE.onnx gets FILE.backend.safetensors beside
it. Weights in a package, those of campplus, need --out.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.cli.script import run_script
from diarize.config import EmbeddingConfig
from diarize.embedding.embedder import Embedder
from diarize.errors import DiarizeError
from diarize.formats.kaldi import read_corpora, read_whole_recordings
from diarize.segments import Segment
from diarize.speakers.plda import backend_file, centre_groups, learn_backend, save_backend
from diarize.speech.windows import sliding_windows

SHORTEST = 0.8  # of a window's length; the only window of a shorter clip is left out
MOST_WINDOWS = 20  # of a clip


def main() -> None:
    """Embed windows of the clips and write the back end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder with utt2spk")
    parser.add_argument("--model", required=True, help="model folder, FILE.onnx or campplus")
    parser.add_argument("--out", type=Path, help="folder for backend.safetensors (default: the model)")
    parser.add_argument(
        "--skip", nargs="+", default=[], metavar="CORPUS", help="corpora to leave out, if present"
    )
    parser.add_argument("--dims", type=int, default=64, help="dimensions to keep (default: %(default)s)")
    arguments = parser.parse_args()

    data = read_whole_recordings(arguments.data)
    corpora = read_corpora(arguments.data, data.utt2spk)
    clips = [clip for clip in data.utt2spk if corpora[clip] not in arguments.skip]
    n_clips = Counter(data.utt2spk[clip] for clip in clips)
    clips = [clip for clip in clips if n_clips[data.utt2spk[clip]] > 1]
    out = arguments.out or Path(arguments.model)
    backend_file(out).unlink(missing_ok=True)  # a back end of other weights would be refused
    embedder = Embedder(arguments.model, device="cpu")
    n_speakers = len({data.utt2spk[clip] for clip in clips})
    if n_speakers <= embedder.dim:
        print(f"no back end: {n_speakers} speakers have two clips, more than {embedder.dim} are needed")
        return

    window, hop = EmbeddingConfig().window, EmbeddingConfig().hop
    vectors, heard = [], []
    for clip in clips:
        samples = load_audio(data.wav_scp[clip])
        windows = sliding_windows([Segment(0.0, len(samples) / SAMPLE_RATE)], window, hop)[:MOST_WINDOWS]
        windows = [each for each in windows if each.duration > SHORTEST * window]
        vectors.append(embedder.windows([samples], windows))
        heard += [clip] * len(windows)
    X = np.concatenate(vectors).astype(np.float64)
    X = centre_groups(X, [corpora[clip] for clip in heard])
    try:
        backend = learn_backend(X, [data.utt2spk[clip] for clip in heard], heard, arguments.dims)
    except ValueError as error:
        raise DiarizeError(f"{arguments.data}: {error}") from error
    save_backend(backend, out, embedder.model.fingerprint)
    print(
        f"{backend_file(out)}: {len(X)} windows of {n_speakers} speakers; "
        f"spread of speakers over that of windows from {backend.spread[0]:.2f} to {backend.spread[-1]:.2f}"
    )


if __name__ == "__main__":
    run_script(main)
