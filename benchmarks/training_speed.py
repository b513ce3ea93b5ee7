"""Batches per second of the training loop, and of bare training steps, as a Markdown table.

    python benchmarks/training_speed.py [--config FILE ...] [--steps N] [--pairs 5]

The loop is diarize.training.loop.train, as a recipe runs it: it reads batches from packed features, sums
losses, and writes the curve and the checkpoints of the config; no clips are held out. The bare steps are
forward, loss, backward and optimizer over batches in memory, with the same network, loss, optimizer and
precision. Both are timed alternately, and the share is the median over the pairs. The features are noise.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from printing import header, table

from diarize.audio.features import FeatureConfig
from diarize.config import RECIPE_TABLES, load_tables, validate
from diarize.embedding.models import build_from_config
from diarize.errors import DiarizeError
from diarize.networks import Network
from diarize.training.embedding_training import build_sampler, input_frames, train_embedding
from diarize.training.objectives import build_objective, read_loss
from diarize.training.optimizers import TrainingConfig, build_optimizer
from diarize.training.packed import PackedFeatures, pack

CONF = Path(__file__).resolve().parent.parent / "recipes" / "conf"
CONFIGS = [CONF / "blstm-pairwise-kl.toml", CONF / "cnn-pairwise-kl.toml"]
N_CLIPS, N_FRAMES = 8, 300  # clips of a speaker, frames of a clip: about those of TIMIT
N_IN_MEMORY = 20
SEED = 0


class Training:
    """The training of a config on packed noise: its settings, and new networks."""

    def __init__(self, path: Path, n_speakers: int, n_steps: int | None, overrides: Sequence[str]) -> None:
        tables = load_tables([CONF / "features.toml", path], RECIPE_TABLES, overrides)
        self.name, self.source = path.stem, str(path)
        self.features = validate(FeatureConfig, tables["features"], self.source)
        self.loss = read_loss(tables["loss"], self.source)
        config = validate(TrainingConfig, tables["training"], self.source)
        # A whole number of checkpoints; otherwise their share of the time is wrong.
        self.config = config.model_copy(update={"n_steps": n_steps or config.save_every})
        self.table = {**tables["network"], "n_speakers": n_speakers}

    def build(self) -> Network:
        """A new network, with the same initial weights every time."""
        torch.manual_seed(SEED)
        return build_from_config(self.table, self.features, self.source)


def pack_noise(folder: Path, n_speakers: int, n_mels: int) -> PackedFeatures:
    """Clips of noise, the same number for each speaker."""
    random = np.random.default_rng(SEED)
    clips = (
        (clip, clip % n_speakers, random.standard_normal((N_FRAMES, n_mels), np.float32))
        for clip in range(n_speakers * N_CLIPS)
    )
    pack(clips, folder)
    return PackedFeatures.load(folder)


def time_loop(training: Training, packed: PackedFeatures) -> float:
    """Seconds of the training loop."""
    network = training.build()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        train_embedding(
            network, packed, training.config, folder,
            loss=training.loss, frame_rate=training.features.frame_rate,
        )  # fmt: skip
        return time.perf_counter() - started


def time_bare_steps(training: Training, packed: PackedFeatures) -> float:
    """Seconds of the same number of bare steps."""
    network, config = training.build(), training.config
    network.to(memory_format=torch.channels_last)
    n_frames = input_frames(network, config.seconds[0], training.features.frame_rate)
    sampler = build_sampler(packed, config, (n_frames, n_frames))
    batches = [sampler.batch(number) for number in range(N_IN_MEMORY)]
    objective = build_objective(
        training.loss, network, batches[0].inputs[0][:1], packed.n_speakers, config.n_segments
    )
    optimizer = build_optimizer(config, [*network.parameters(), *objective.parameters()])
    network.train()
    started = time.perf_counter()
    for step in range(config.n_steps):
        batch = batches[step % N_IN_MEMORY]
        losses = objective.losses(network, batch, mixed=config.mixed_precision)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
    return time.perf_counter() - started


def main() -> None:
    """Time every config and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, nargs="+", default=CONFIGS, metavar="FILE")
    parser.add_argument("--steps", type=int, metavar="N", help="default: up to the config's first checkpoint")
    parser.add_argument("--pairs", type=int, default=5, metavar="N")
    parser.add_argument("--speakers", type=int, default=100, metavar="N", help="training speakers")
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.SETTING=VALUE", help="overrides the config"
    )
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    rows = []
    for path in arguments.config:
        training = Training(path, arguments.speakers, arguments.steps, arguments.set)
        n_steps = training.config.n_steps
        with tempfile.TemporaryDirectory() as folder:
            packed = pack_noise(Path(folder), arguments.speakers, training.features.n_mels)
            pairs = [
                (n_steps / time_loop(training, packed), n_steps / time_bare_steps(training, packed))
                for _ in range(arguments.pairs)
            ]
        loop, bare = (median(rates) for rates in zip(*pairs, strict=True))
        share = 100 * median(ours / theirs for ours, theirs in pairs)
        rows.append((training.name, str(n_steps), f"{loop:.2f}", f"{bare:.2f}", f"{share:.0f}"))
    print(header(f"CPU only, seed {SEED}, threads {arguments.threads}, {arguments.pairs} pairs"))
    columns = ("config", "batches", "loop, batches/s", "bare steps, batches/s", "loop / bare steps, %")
    print(table(columns, rows), end="")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"training_speed.py: {error}") from error
