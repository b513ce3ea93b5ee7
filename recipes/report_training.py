"""Write the report of a training: one HTML file with its curve, its embeddings and the network's saliency.

Reads DIR/curve.tsv of a training, which may be interrupted or still running, and run.json in DIR or in the
folder above. The file opens offline, in any browser.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from diarize.audio.features import Frames
from diarize.cli.script import run_script
from diarize.embedding.models import Model, load_model
from diarize.embedding.table import Embeddings
from diarize.errors import DiarizeError, FormatError
from diarize.files.text import read_text
from diarize.report.training_page import write_training_report
from diarize.training.checkpoints import read_curve
from diarize.training.embedding_training import input_frames
from diarize.training.packed import PackedFeatures

N_EXAMPLES = 3


def read_facts(training: Path) -> dict[str, str]:
    """The facts of run.json in the folder of a training, or in the folder above; none if there is no file."""
    for path in (training / "run.json", training.parent / "run.json"):
        if path.is_file():
            break
    else:
        return {}
    try:
        run = json.loads(read_text(path))
        return {name.replace("_", " "): tell(value) for name, value in run.items()}
    except (ValueError, AttributeError) as error:
        raise FormatError(f"{path}: not a JSON object; write it again with recipes/write_run.py") from error


def tell(value: object) -> str:
    """A value of run.json as text: {"torch": "2.13"} as `torch 2.13`."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {tell(each)}" for name, each in value.items())
    return ", ".join(map(tell, value)) if isinstance(value, list) else str(value)


def read_embeddings(path: Path) -> Embeddings:
    """A table of embeddings that has speakers."""
    embeddings = Embeddings.load(path)
    if embeddings.speaker is None or len(embeddings) < 2:
        raise DiarizeError(
            f"{path}: needs two or more embeddings with their speakers; give another --embeddings"
        )
    return embeddings


def choose_examples(model: Model, folder: Path, seconds: float) -> dict[str, Frames]:
    """Spectrograms for the model, each the middle of a speaker's first clip that is long enough."""
    packed = PackedFeatures.load(folder, model.features.n_mels)
    frame_rate, network = model.features.frame_rate, model.network
    n_frames = network.n_frames or input_frames(network, seconds, frame_rate)
    rows = np.flatnonzero(packed.length >= n_frames)
    _, first = np.unique(packed.speaker[rows], return_index=True)
    if not len(first):
        raise DiarizeError(f"{folder}: no clip of {n_frames / frame_rate:.2f} s; lower --seconds")
    examples = {}
    for row in rows[first[:N_EXAMPLES]]:
        start = packed.start[row] + (packed.length[row] - n_frames) // 2
        name = f"speaker {packed.speaker[row]}, clip {packed.clip[row]}"
        examples[name] = packed.mel[start : start + n_frames].astype(np.float32)
    return examples


def main() -> None:
    """Read the command line, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=Path, required=True, metavar="DIR", help="folder with curve.tsv")
    parser.add_argument(
        "--embeddings", type=Path, metavar="FILE", help="embeddings with speakers, a row for each part"
    )
    parser.add_argument("--model", type=Path, metavar="DIR", help="model folder, for the saliency")
    parser.add_argument("--features", type=Path, metavar="DIR", help="packed features, for the saliency")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="length of an example for the saliency; a CNN has its own"
    )
    parser.add_argument("--title", help="title of the page; default: the folder's path")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="HTML file; default: report.html in the training's folder"
    )
    parser.add_argument("--png", type=Path, metavar="DIR", help="also write each figure as PNG")
    arguments = parser.parse_args()
    if (arguments.model is None) != (arguments.features is None):
        parser.error("--model and --features go together")

    torch.set_num_threads(1)
    curve = read_curve(arguments.training / "curve.tsv")
    if not curve:
        raise DiarizeError(f"{arguments.training / 'curve.tsv'}: no line yet; wait for the first checkpoint")
    model = load_model(arguments.model) if arguments.model else None
    out = arguments.out or arguments.training / "report.html"
    write_training_report(
        out,
        title=arguments.title or f"Training {arguments.training}",
        curve=curve,
        facts=read_facts(arguments.training),
        embeddings=read_embeddings(arguments.embeddings) if arguments.embeddings else None,
        network=model.network if model else None,
        examples=choose_examples(model, arguments.features, arguments.seconds) if model else None,
        **({"features": model.features} if model else {}),
        png=arguments.png,
    )
    print(f"{out}: written")


if __name__ == "__main__":
    run_script(main)
