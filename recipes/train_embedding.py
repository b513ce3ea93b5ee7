"""Train an embedding network on packed features, and write it as a model folder.

Writes OUT/curve.tsv and OUT/checkpoint.safetensors during the training, and OUT/model at the end. If it is
started again, it resumes from the checkpoint. With --held-out, the curve has the loss on those recordings;
with --dev, the equal error rate on that set. Under torchrun, the processes share the work:

    torchrun --nproc-per-node 2 recipes/train_embedding.py ...
"""

from __future__ import annotations

import argparse
from inspect import signature
from pathlib import Path

import torch

from diarize.audio.features import FeatureConfig
from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables, validate
from diarize.embedding.models import SegmentsConfig, build_from_config, save_model
from diarize.networks import DEFAULT_FAMILY, network_class
from diarize.networks.frame_network import FrameNetwork
from diarize.training.embedding_training import train_embedding
from diarize.training.objectives import read_loss
from diarize.training.optimizers import TrainingConfig
from diarize.training.packed import PackedFeatures
from diarize.training.targets import load_targets
from diarize.training.torchrun import is_first, joined_processes
from diarize.training.validation import DevSet, hold_out


def main() -> None:
    """Read the command line, train, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", type=Path, required=True, help="folder of recipes/pack_features.py")
    parser.add_argument(
        "--config",
        type=Path,
        nargs="+",
        required=True,
        help="TOML: [features] [network] [loss] [training]; a later file overrides an earlier one",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.SETTING=VALUE", help="overrides the config"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--start-from",
        dest="start",
        type=Path,
        metavar="PATH",
        help="checkpoint or model folder that gives the initial weights",
    )
    parser.add_argument("--held-out", type=Path, help="list of recordings kept for the validation loss")
    parser.add_argument("--dev", type=Path, help="Kaldi data folder with utt2group")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--threads", type=int, default=1, help="CPU threads; the last digits of results depend on the number"
    )
    parser.add_argument("--seed", type=int, help="overrides the config's seed")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    with joined_processes(arguments.device) as device:
        train(arguments, device)


def train(arguments: argparse.Namespace, device: str) -> None:
    """Train as the command line says, on the device of this process."""
    tables = load_tables(arguments.config, RECIPE_TABLES, arguments.set)
    source = " ".join(map(str, arguments.config))
    features = validate(FeatureConfig, tables["features"], source)
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    config = validate(TrainingConfig, {**tables["training"], **seed}, source)
    loss = read_loss(tables["loss"], source)
    packed = PackedFeatures.load(arguments.features, features.n_mels)
    held_out = None
    if arguments.held_out:
        packed, held_out = hold_out(packed, arguments.features / "utterances.txt", arguments.held_out)
    torch.manual_seed(config.seed)
    if "n_speakers" in signature(network_class(tables["network"].get("family", DEFAULT_FAMILY))).parameters:
        tables["network"]["n_speakers"] = packed.n_speakers
    network = build_from_config(tables["network"], features, source)
    targets = None
    if loss.needs_targets and isinstance(network, FrameNetwork):
        targets = load_targets(arguments.features / "teacher.npz", packed, network.dim)
    trained = train_embedding(
        network,
        packed,
        config,
        arguments.out,
        loss=loss,
        validation=held_out,
        targets=targets,
        frame_rate=features.frame_rate,
        device=device,
        on_checkpoint=DevSet(arguments.dev, features) if arguments.dev else None,
        start=arguments.start,
    )
    if is_first():
        names = " and ".join(path.name for path in arguments.config)
        card = f"# {arguments.out.name}\n\nTrained by recipes/train_embedding.py with {names}.\n"
        segments = None
        if not isinstance(network, FrameNetwork):
            layer = tables["evaluation"].get("layer", "output")
            segments = SegmentsConfig(seconds=config.seconds[1], layer=layer)
        save_model(arguments.out / "model", trained.cpu(), features, tables["network"], card, segments)
        print(f"{arguments.out / 'model'}: written")


if __name__ == "__main__":
    run_script(main)
