"""Copy a model folder with binary weights: each is plus or minus a factor of its output channel.

The first convolution and the last layer keep their numbers, as the paper advises. The others are trained with
a straight-through estimator to give the embeddings of the original network for segments of the clips of a
Kaldi data folder. The copy has no back end, which belongs to the weights that it was trained with: train it
again with train_backend.py.

References
----------
Rastegari, Ordonez, Redmon, Farhadi: XNOR-Net: ImageNet classification using binary convolutional neural
networks, ECCV 2016 (its binary-weight networks).
"""

from __future__ import annotations

import argparse
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from diarize.audio import load_audio
from diarize.audio.features import Frames, log_mel
from diarize.cli.script import run_script
from diarize.embedding.models import Model, load_model
from diarize.errors import DiarizeError
from diarize.files.text import read_text, write_text
from diarize.formats.kaldi import read_whole_recordings
from diarize.networks.frame_network import FrameNetwork
from diarize.networks.weights import save_weights

SECONDS = 1.5  # of a segment, beside the context
EVERY = 50  # steps between two lines of the log


class BinaryWeights(nn.Module):
    """Weights (n_outputs, ...) as signs times the mean magnitude of each output; gradients pass through."""

    def forward(self, weights: Tensor) -> Tensor:
        """Binary weights of the same shape."""
        factor = weights.abs().mean(dim=tuple(range(1, weights.ndim)), keepdim=True)
        binary = torch.where(weights < 0, -factor, factor)
        return weights + (binary - weights).detach()


def binarize(network: FrameNetwork, keep: list[str]) -> int:
    """Give convolutions and linear layers binary weights, except those named; returns how many weights."""
    n_weights = 0
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d | nn.Conv1d | nn.Linear) and name not in keep:
            n_weights += module.weight.numel()
            parametrize.register_parametrization(module, "weight", BinaryWeights())
    return n_weights


def make_plain(network: FrameNetwork) -> None:
    """Store the binary weights as the weights themselves."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")


def read_spectrograms(model: Model, data: Path, n_clips: int, n_frames: int) -> list[Frames]:
    """Log-mel spectrograms (n, mels) of up to `n_clips` clips of `n_frames` frames or more."""
    paths = list(read_whole_recordings(data).wav_scp.values())
    chosen = np.random.default_rng(0).permutation(len(paths))[:n_clips]
    read = (log_mel(load_audio(paths[i]), model.features) for i in chosen)
    return [mel.astype(np.float16) for mel in read if len(mel) >= n_frames]


def train(
    student: FrameNetwork, teacher: FrameNetwork, clips: list[Frames], arguments: argparse.Namespace
) -> None:
    """Train a network to give the teacher's embeddings of random segments."""
    random = np.random.default_rng(arguments.seed)
    n_frames = round(SECONDS * 100) + teacher.context
    optimizer = torch.optim.Adam(student.parameters(), lr=arguments.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, arguments.steps)
    student.train()
    losses = []
    for step in range(1, arguments.steps + 1):
        chosen = [clips[i] for i in random.integers(len(clips), size=arguments.batch_size)]
        starts = [int(random.integers(len(mel) - n_frames + 1)) for mel in chosen]
        cut = [mel[start : start + n_frames] for mel, start in zip(chosen, starts, strict=True)]
        level = random.uniform(-2, 2, (len(cut), 1, 1))  # louder and quieter
        mel = torch.from_numpy((np.stack(cut) + level).astype(np.float32))
        with torch.no_grad():
            target = teacher(mel)
        loss = 1 - F.cosine_similarity(student(mel), target).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % EVERY == 0 or step == arguments.steps:
            print(f"step {step}: 1 - cosine {np.mean(losses[-EVERY:]):.4f}", flush=True)
    student.eval()


def main() -> None:
    """Read the command line, train, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder of clips")
    parser.add_argument("--out", type=Path, required=True, help="new model folder")
    parser.add_argument("--steps", type=int, default=600, help="0: only rounded (default: %(default)s)")
    parser.add_argument("--clips", type=int, default=3000, help="clips to train on (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keep", nargs="*", default=["stem", "embedding"], metavar="LAYER", help="default: %(default)s"
    )
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    model, out = load_model(arguments.model), arguments.out
    if out.exists():
        raise DiarizeError(f"{out}: exists; remove it or give another --out")
    if not isinstance(model.network, FrameNetwork):
        raise DiarizeError(
            f"{arguments.model}: a {type(model.network).__name__}; resnet and tdnn can be binary"
        )
    student = deepcopy(model.network)
    n_weights = binarize(student, arguments.keep)
    n_all = sum(each.numel() for each in model.network.parameters())
    print(f"{n_weights} of {n_all} weights are binary")
    if arguments.steps:
        n_frames = round(SECONDS * 100) + model.network.context
        clips = read_spectrograms(model, arguments.data, arguments.clips, n_frames)
        train(student, model.network, clips, arguments)
    make_plain(student)
    save_weights(student, out / "weights.safetensors", int8=True)
    for name in ("config.toml", "MODEL_CARD.md"):
        if (arguments.model / name).is_file():
            write_text(read_text(arguments.model / name), out / name)


if __name__ == "__main__":
    run_script(main)
