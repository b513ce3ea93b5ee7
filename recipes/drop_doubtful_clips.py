#!/usr/bin/env python3
"""Copy a data folder without the clips that do not sound like the other clips of their speaker.

Several people may use one contributor's code, and years may lie between its clips, whereas in a conversation
a speaker is one person on one day. The clips of a speaker are clustered by average linkage on the cosine of
their embeddings, each corpus (utt2corpus) about its own mean, and the largest cluster is kept. The other
tables of the folder are copied too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.cli.script import run_script
from diarize.clustering.agglomerative import Agglomerative
from diarize.embedding.embedder import Embedder
from diarize.errors import DiarizeError
from diarize.files.text import read_text, write_text
from diarize.formats.kaldi import read_corpora, read_utt2spk, read_whole_recordings, write_data_folder
from diarize.segments import Segment
from diarize.speakers.plda import centre_groups

LONGEST = 10.0
"""Seconds at the beginning of a clip that are embedded."""


def embed_clips(files: list[str], model: str) -> NDArray[np.float64]:
    """Embeddings (n_clips, dim) of the beginning of each clip."""
    embedder = Embedder(model, device="cpu")
    vectors = []
    for file in files:
        samples = load_audio(file)[: round(LONGEST * SAMPLE_RATE)]
        vectors.append(embedder.windows([samples], [Segment(0.0, len(samples) / SAMPLE_RATE)])[0])
    return np.array(vectors, dtype=np.float64)


def in_main_voice(vectors: NDArray[np.float64], cosine: float) -> NDArray[np.bool_]:
    """Whether each embedding (n_clips, dim) is in the largest cluster of at least this mean cosine."""
    clusterer = Agglomerative(linkage="average", threshold=1 - cosine, min_cluster_size=1)
    labels = clusterer.fit_predict(vectors)
    chosen: NDArray[np.bool_] = labels == np.bincount(labels).argmax()
    return chosen


def main() -> None:
    """Read the command line, embed, write the clips that are kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder of whole recordings")
    parser.add_argument("--model", required=True, help="model folder, FILE.onnx or campplus")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--cosine", type=float, default=0.35, help="least mean cosine within a cluster (default: %(default)s)"
    )
    parser.add_argument("--skip", nargs="+", default=[], metavar="CORPUS", help="corpora to leave out")
    arguments = parser.parse_args()

    data = read_whole_recordings(arguments.data)
    corpora = read_corpora(arguments.data, data.utt2spk)
    clips = [clip for clip in sorted(data.utt2spk) if corpora[clip] not in arguments.skip]
    if not clips:
        raise DiarizeError(f"{arguments.data}: no clips are left; check --skip")
    vectors = embed_clips([data.wav_scp[clip] for clip in clips], arguments.model)
    vectors = centre_groups(vectors, [corpora[clip] for clip in clips])
    speaker = np.array([data.utt2spk[clip] for clip in clips])
    kept = np.ones(len(clips), dtype=bool)
    for name in np.unique(speaker):
        rows = np.flatnonzero(speaker == name)
        if len(rows) > 1:
            kept[rows] = in_main_voice(vectors[rows], arguments.cosine)

    names = [clip for clip, keep in zip(clips, kept, strict=True) if keep]
    write_data_folder(
        arguments.out,
        {name: data.wav_scp[name] for name in names},
        {name: data.utt2spk[name] for name in names},
    )
    for table in ("utt2group", "utt2corpus"):
        if (arguments.data / table).exists():
            values = read_utt2spk(arguments.data / table)
            write_text("".join(f"{name} {values[name]}\n" for name in names), arguments.out / table)
    if (arguments.data / "spk2gender").exists():
        write_text(read_text(arguments.data / "spk2gender"), arguments.out / "spk2gender")
    n_speakers = len(np.unique(speaker[~kept]))
    print(f"{arguments.out}: {len(names)} of {len(clips)} clips; {n_speakers} speakers lost some")


if __name__ == "__main__":
    run_script(main)
