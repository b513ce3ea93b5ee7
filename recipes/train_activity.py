"""Train the network of speech and overlap on packed conversations, and write it as a model folder.

Writes OUT/curve.tsv, with the loss on the conversations of --dev, and OUT/checkpoint.safetensors during the
training, and OUT/model at the end. If it is started again, it resumes from the checkpoint. Under torchrun,
the processes share the work:

    torchrun --nproc-per-node 2 recipes/train_activity.py ...
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from diarize.audio.features import FeatureConfig
from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables, validate
from diarize.embedding.models import save_model
from diarize.networks import make_network
from diarize.networks.activity_network import ActivityNetwork
from diarize.training.activity_training import (
    ActivityLossConfig,
    PackedConversations,
    read_training,
    train_activity,
)
from diarize.training.torchrun import is_first, joined_processes


def main() -> None:
    """Read the command line, train, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of recipes/pack_conversations.py")
    parser.add_argument("--dev", type=Path, required=True, help="another such folder, of other speakers")
    parser.add_argument(
        "--config", type=Path, required=True, help="TOML: [features] [network] [loss] [training]"
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
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--seed", type=int, help="overrides the config's seed")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    with joined_processes(arguments.device) as device:
        train(arguments, device)


def train(arguments: argparse.Namespace, device: str) -> None:
    """Train as the command line says, on the device of this process."""
    source = str(arguments.config)
    tables = load_tables(arguments.config, RECIPE_TABLES, arguments.set)
    features = validate(FeatureConfig, tables["features"], source)
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    loss = validate(ActivityLossConfig, tables["loss"], f"{source}: [loss]")
    config = read_training({**tables["training"], **seed}, source)
    conversations, dev = (
        PackedConversations(folder, teacher=loss.needs_teacher, n_mels=features.n_mels)
        for folder in (arguments.data, arguments.dev)
    )
    torch.manual_seed(config.seed)
    network = make_network(
        ActivityNetwork, f"{source}: [network]", {"n_mels": features.n_mels, **tables["network"]}
    )
    trained = train_activity(
        network,
        conversations,
        dev,
        config,
        arguments.out,
        loss=loss,
        device=device,
        start=arguments.start,
    )
    if is_first():
        name = arguments.config.name
        card = f"# {arguments.out.name}\n\nTrained by recipes/train_activity.py with {name}.\n"
        save_model(arguments.out / "model", trained.cpu().half(), features, tables["network"], card)
        print(f"{arguments.out / 'model'}: written")


if __name__ == "__main__":
    run_script(main)
