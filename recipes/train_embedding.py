"""Train an embedding network on packed features, and write it as a model folder.

Writes OUT/curve.tsv and OUT/checkpoint.safetensors while it goes (started again, it goes on from there) and
OUT/model at the end. With --held-out, the loss on those recordings is written along; with --dev, the equal
error rate on that set. Started by torchrun, its processes share the work:

    torchrun --nproc-per-node 2 recipes/train_embedding.py ...
"""

from __future__ import annotations

import argparse
import logging
from inspect import signature
from pathlib import Path

import numpy as np
import torch

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.audio.features import FeatureConfig, log_mel
from diarize.config import RECIPE_TABLES, load_tables, validate
from diarize.embedding.models import build_from_config, save_model
from diarize.errors import DiarizeError
from diarize.files.text import read_text
from diarize.formats.kaldi import read_utt2spk, read_whole_recordings
from diarize.machine.devices import mixed_precision
from diarize.networks import DEFAULT_FAMILY, Network, network_class
from diarize.networks.frame_network import FrameNetwork
from diarize.scoring.verification import crop_middle, equal_error_rate, make_trials, score_trials
from diarize.training.embedding_training import train_embedding
from diarize.training.objectives import read_loss
from diarize.training.optimizers import TrainingConfig
from diarize.training.packed import PackedFeatures
from diarize.training.processes import is_first, joined_processes

DEV_SECONDS = 1.5


class DevSet:
    """The equal error rate of a network on 1.5 s from the middle of each recording of a data folder."""

    def __init__(self, folder: Path, features: FeatureConfig) -> None:
        data = read_whole_recordings(folder)
        utterances = sorted(data.wav_scp, key=str.encode)
        groups = read_utt2spk(folder / "utt2group")
        self.trials, self.same = make_trials(
            [data.utt2spk[u] for u in utterances], [groups[u] for u in utterances]
        )
        if self.same.all() or not self.same.any():
            raise DiarizeError(f"{folder}: needs pairs of one speaker and pairs of two; give another --dev")
        length = round(DEV_SECONDS * SAMPLE_RATE)
        crops = [crop_middle(load_audio(data.wav_scp[u]), DEV_SECONDS) for u in utterances]
        self.mel = [log_mel(np.resize(crop, length), features) for crop in crops]  # a short one repeats

    @torch.inference_mode()
    def __call__(self, step: int, network: Network) -> dict[str, float]:
        """The column for the curve."""
        mel = torch.from_numpy(np.stack(self.mel)).to(next(network.parameters()).device)
        with mixed_precision(mel.device.type):
            vectors = torch.cat([network(part) for part in mel.split(64)]).float().cpu().numpy()
        return {"dev_eer": equal_error_rate(score_trials(vectors, self.trials), self.same)}


def load_targets(path: Path, packed: PackedFeatures, dim: int) -> np.ndarray:
    """The teacher's vectors (n_recordings, n_speeds, dim) of packed features."""
    if not path.is_file():
        raise DiarizeError(f"{path}: missing; make it with embed_teacher.py, or set distillation = 0")
    with np.load(path, allow_pickle=False) as file:
        targets = file["targets"]
    n_recordings = int(packed.clip.max()) + 1
    if (len(targets), targets.shape[2]) != (n_recordings, dim):
        raise DiarizeError(
            f"{path}: {len(targets)} recordings of dim {targets.shape[2]}, "
            f"but {n_recordings} are packed and [network] has dim {dim}"
        )
    return targets


def hold_out(
    packed: PackedFeatures, utterances: Path, held_out: Path
) -> tuple[PackedFeatures, PackedFeatures]:
    """Packed features without and with the recordings that a list names.

    `utterances` lists the packed recordings in the order of their numbers.
    """
    names = read_text(utterances).split()
    chosen = set(read_text(held_out).split())
    if unknown := sorted(chosen - set(names)):
        raise DiarizeError(f"{held_out}: {unknown[0]} is not in {utterances}; pack the features again")
    mask = np.array([name in chosen for name in names])[packed.clip]
    if mask.all() or not mask.any():
        raise DiarizeError(
            f"{held_out}: names {'all' if mask.all() else 'no'} recordings; name a part of them"
        )
    return packed.select(~mask), packed.select(mask)


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

    logging.basicConfig(level=logging.INFO if is_first() else logging.WARNING, format="%(message)s")
    torch.set_num_threads(arguments.threads)
    with joined_processes(arguments.device) as device:
        train(arguments, device)


def train(arguments: argparse.Namespace, device: str) -> None:
    """What the command line asks for, on the device of this process."""
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
        targets = load_targets(arguments.features / "teacher.npz", packed, network.embedding.out_features)
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
        save_model(arguments.out / "model", trained.cpu(), features, tables["network"], card)
        print(f"{arguments.out / 'model'}: written")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"train_embedding.py: {error}") from error
