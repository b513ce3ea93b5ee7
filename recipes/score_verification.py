"""Equal error rates of a model on unseen speakers, beside MFCC statistics, as JSON and Markdown.

Reads Kaldi data folders with utt2group (recordings to compare with each other), utt2corpus (rows of the
table) and optionally spk2gender. Each system gets the same trials: whole recordings, and 3 s and 1.5 s from
their middles. A second table has the model's rates among women, among men, and within each language with
enough speakers. The intervals are 95 %, by bootstrap over speakers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples
from diarize.audio.features import mfcc
from diarize.cli.script import run_script
from diarize.embedding.catalog import RESEMBLYZER
from diarize.embedding.embedder import Embedder
from diarize.embedding.encoders import find_network
from diarize.experiments.mfcc_statistics import mfcc_statistics
from diarize.files.text import write_text
from diarize.scoring.verification_sets import System, format_table, score_systems
from diarize.segments import Segment

MODEL = "model"


def network(embedder: Embedder) -> System:
    """The model's embeddings: the mean over the windows of a recording."""

    def embed(recordings: list[Samples]) -> NDArray[np.floating]:
        vectors = []
        for samples in recordings:
            everything = [Segment(0.0, len(samples) / SAMPLE_RATE)]
            vectors.append(embedder(samples, rate=SAMPLE_RATE, speech=everything, whole=True).vectors[0])
        return np.stack(vectors)

    return embed


def find_peer(name: str) -> tuple[str, System]:
    """The name and system of a peer: Resemblyzer (the mean over parts, as its authors do) or FILE.onnx."""
    peer = find_network(name)
    title = "Resemblyzer" if name == RESEMBLYZER else Path(name).stem
    return title, lambda recordings: np.stack([peer.utterance(samples) for samples in recordings])


def main() -> None:
    """Read the command line, score, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="Kaldi data folders")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--peer", action="append", default=[], metavar="PEER", help="campplus, resemblyzer, or FILE.onnx"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="JSON file; the table is written beside it as .md"
    )
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    systems: dict[str, System] = {
        "MFCC statistics": lambda recordings: mfcc_statistics([mfcc(samples) for samples in recordings]),
        MODEL: network(Embedder(arguments.model)),
    }
    systems |= dict(map(find_peer, arguments.peer))
    rows = [row for folder in arguments.data for row in score_systems(folder, systems, MODEL)]
    write_text(json.dumps(rows, indent=1) + "\n", arguments.out)
    tables = format_table(rows, "corpus")
    if any("part" in row for row in rows):
        tables += f"\n\nThe model among women, among men, within a language:\n\n{format_table(rows, 'part')}"
    write_text(tables + "\n", arguments.out.with_suffix(".md"))
    print(tables)


if __name__ == "__main__":
    run_script(main)
