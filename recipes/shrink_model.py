"""Copy a model folder with weights of 8 bits, a quarter of the size.

Every matrix and kernel is rounded, with one factor for each of its outputs. The copy has no back end, which
belongs to the weights that it was trained with: train it again with train_backend.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from diarize.cli.script import run_script
from diarize.embedding.models import load_model
from diarize.errors import DiarizeError
from diarize.files.text import read_text, write_text
from diarize.networks.weights import save_weights


def main() -> None:
    """Read the command line, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--out", type=Path, required=True, help="new model folder")
    arguments = parser.parse_args()

    model, out = load_model(arguments.model), arguments.out
    if out.exists():
        raise DiarizeError(f"{out}: exists; remove it or give another --out")
    save_weights(model.network, out / "weights.safetensors", int8=True)
    for name in ("config.toml", "MODEL_CARD.md"):
        if (arguments.model / name).is_file():
            write_text(read_text(arguments.model / name), out / name)
    sizes = [(folder / "weights.safetensors").stat().st_size / 1e6 for folder in (arguments.model, out)]
    print(f"{out}: {sizes[1]:.1f} MB of {sizes[0]:.1f} MB")


if __name__ == "__main__":
    run_script(main)
