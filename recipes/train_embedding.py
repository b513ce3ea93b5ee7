"""Train an embedding network on packed features, and write it as a model folder.

Writes OUT/curve.tsv and OUT/checkpoint.safetensors while it goes (started again, it goes on from there) and
OUT/model at the end. With --dev, every few checkpoints the equal error rate on that set is written along.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import torch

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.batches import PackedFeatures
from diarize.config import load_tables, validate
from diarize.errors import ConfigError, DiarizeError
from diarize.features import FeatureConfig, log_mel
from diarize.formats.kaldi import read_data_folder, read_utt2spk
from diarize.models import build_from_config, save_model
from diarize.networks.resnet import ResNet
from diarize.training import TrainingConfig, train
from diarize.verification import crop_middle, equal_error_rate, make_trials, score_trials

DEV_SECONDS = 1.5
TABLES = ("features", "pack", "network", "training")


class DevSet:
    """The equal error rate of a network on 1.5 s from the middle of each recording of a data folder."""

    def __init__(self, folder: Path, features: FeatureConfig) -> None:
        data = read_data_folder(folder)
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
    def __call__(self, step: int, network: ResNet) -> dict[str, float]:
        """The column for the curve."""
        mel = torch.from_numpy(np.stack(self.mel)).to(next(network.parameters()).device)
        with torch.autocast(mel.device.type, torch.bfloat16):
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


def main() -> None:
    """Read the command line, train, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="folder of recipes/pack_features.py")
    parser.add_argument("--config", type=Path, required=True, help="TOML: [features] [network] [training]")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dev", type=Path, help="Kaldi data folder with utt2group")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="threads on the CPU; one is rarely beaten")
    parser.add_argument("--seed", type=int, help="instead of the config's")
    arguments = parser.parse_args()

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(arguments.threads)
    tables = load_tables(arguments.config, TABLES)
    source = str(arguments.config)
    features = validate(FeatureConfig, tables["features"], source)
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    config = validate(TrainingConfig, {**tables["training"], **seed}, source)
    packed = PackedFeatures.load(arguments.features)
    if packed.mel.shape[1] != features.n_mels:
        raise ConfigError(
            f"{arguments.features}: packed with {packed.mel.shape[1]} mels, "
            f"{source} asks for {features.n_mels}; pack them again"
        )
    torch.manual_seed(config.seed)
    network = build_from_config(tables["network"], features, source)
    dim = network.embedding.out_features
    targets = load_targets(arguments.features / "teacher.npz", packed, dim) if config.distillation else None
    trained = train(
        network,
        packed,
        config,
        arguments.out,
        targets=targets,
        frame_rate=features.frame_rate,
        device=arguments.device,
        on_checkpoint=DevSet(arguments.dev, features) if arguments.dev else None,
    )
    card = f"# {arguments.out.name}\n\nTrained by recipes/train_embedding.py with {arguments.config.name}.\n"
    save_model(arguments.out / "model", trained.cpu(), features, tables["network"], card)
    print(f"{arguments.out / 'model'}: written")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"train_embedding.py: {error}") from error
