"""Train an embedding network on packed features, and write it as a model folder.

Writes OUT/curve.tsv and OUT/checkpoint.safetensors while it goes (started again, it goes on from there) and
OUT/model at the end. With --held-out, the loss on those recordings is written along; with --dev, the equal
error rate on that set. Started by torchrun, its processes share the work:

    torchrun --nproc-per-node 2 recipes/train_embedding.py ...
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

import torch
import torch.distributed as dist

from diarize.audio.features import FeatureConfig
from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables, validate
from diarize.embedding.models import build_from_config, save_model
from diarize.networks.frame_network import FrameNetwork
from diarize.training.loop import train
from diarize.training.objectives import LossConfig
from diarize.training.optimizers import TrainingConfig
from diarize.training.samplers import PackedFeatures
from diarize.training.targets import load_targets
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
        help="TOML: [features] [network] [loss] [training]; a later file over an earlier one",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.SETTING=VALUE", help="over the config"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--start", type=Path, metavar="FILE", help="checkpoint of another training to begin with"
    )
    parser.add_argument("--held-out", type=Path, help="list of recordings kept for the validation loss")
    parser.add_argument("--dev", type=Path, help="Kaldi data folder with utt2group")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="on the CPU; the last digits depend on them")
    parser.add_argument("--seed", type=int, help="instead of the config's")
    arguments = parser.parse_args()

    first = "RANK" not in os.environ or os.environ["RANK"] == "0"
    logging.basicConfig(level=logging.INFO if first else logging.WARNING, format="%(message)s")
    torch.set_num_threads(arguments.threads)
    device = arguments.device
    if "RANK" in os.environ:
        if device == "cuda":
            device = f"cuda:{os.environ['LOCAL_RANK']}"
        dist.init_process_group("nccl" if device != "cpu" else "gloo")
    tables = load_tables(arguments.config, RECIPE_TABLES, arguments.set)
    source = " ".join(map(str, arguments.config))
    features = validate(FeatureConfig, tables["features"], source)
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    config = validate(TrainingConfig, {**tables["training"], **seed}, source)
    loss = validate(LossConfig, tables["loss"], source)
    packed = PackedFeatures.load(arguments.features, features.n_mels)
    held_out = None
    if arguments.held_out:
        packed, held_out = hold_out(packed, arguments.features / "utterances.txt", arguments.held_out)
    torch.manual_seed(config.seed)
    if tables["network"].get("family", "resnet") in ("cnn", "blstm"):
        tables["network"]["n_speakers"] = packed.n_speakers
    network = build_from_config(tables["network"], features, source)
    targets = None
    if loss.needs_targets and isinstance(network, FrameNetwork):
        targets = load_targets(arguments.features / "teacher.npz", packed, network.embedding.out_features)
    trained = train(
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
    if first:
        names = " and ".join(path.name for path in arguments.config)
        card = f"# {arguments.out.name}\n\nTrained by recipes/train_embedding.py with {names}.\n"
        save_model(arguments.out / "model", trained.cpu(), features, tables["network"], card)
        print(f"{arguments.out / 'model'}: written")
    if dist.is_initialized():
        dist.barrier()  # nobody leaves while another still writes
        dist.destroy_process_group()


if __name__ == "__main__":
    run_script(main)
