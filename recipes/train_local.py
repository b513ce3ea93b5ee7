"""Train the network of local speakers on packed conversations, and write it as a model folder.

Writes OUT/curve.tsv, with the loss on the conversations of --dev, and OUT/checkpoint.safetensors during the
training, and OUT/model at the end. If it is started again, it resumes from the checkpoint. Under torchrun,
the processes share the work:

    torchrun --nproc-per-node 2 recipes/train_local.py ...
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from diarize.audio.features import FeatureConfig
from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables, validate
from diarize.embedding.models import save_model
from diarize.networks.local_network import make_local_network
from diarize.training.activity_training import read_training
from diarize.training.local_training import LocalLossConfig, train_local
from diarize.training.local_windows import PackedConversations
from diarize.training.torchrun import is_first, joined_processes


def main() -> None:
    """Read the command line, train, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders of recipes/pack_conversations.py"
    )
    parser.add_argument("--dev", type=Path, required=True, help="another such folder, of other speakers")
    parser.add_argument(
        "--config", type=Path, required=True, help="TOML: [features] [network] [loss] [training]"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.SETTING=VALUE", help="overrides the config"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--trunk", type=Path, metavar="FILE", help="trunk.safetensors of recipes/pack_frames.py"
    )
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
    loss = validate(LocalLossConfig, tables["loss"], f"{source}: [loss]")
    config = read_training({**tables["training"], **seed}, source)
    conversations, dev = (
        PackedConversations(
            *folders, teacher=loss.teacher > 0, frames=arguments.trunk is not None, n_mels=features.n_mels
        )
        for folders in (arguments.data, [arguments.dev])
    )
    torch.manual_seed(config.seed)
    settings = {"n_mels": features.n_mels, **tables["network"]}
    network = make_local_network(f"{source}: [network]", settings)
    if arguments.trunk:
        network.load_state_dict(load_file(arguments.trunk), strict=False)
    trained = train_local(
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
        card = f"# {arguments.out.name}\n\nTrained by recipes/train_local.py with {name}.\n"
        save_model(arguments.out / "model", trained.cpu().half(), features, tables["network"], card)
        print(f"{arguments.out / 'model'}: written")


if __name__ == "__main__":
    run_script(main)
