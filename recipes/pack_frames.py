"""Compute the frames of an embedding network for packed conversations, and pack their principal components.

For networks of local speakers of the family "frames": writes OUT, the trunk's weights and its principal
components, which come from the first folder, and FOLDER/frames.npy (n, n_frames / 4, n_components), float16,
every 40 ms, beside the mel.npy of each folder.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from safetensors.torch import save_file

from diarize.audio.features import Frames
from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables
from diarize.embedding.models import load_model
from diarize.errors import DiarizeError
from diarize.files.arrays import map_array
from diarize.files.atomic import atomic_path
from diarize.machine.processes import map_in_processes
from diarize.networks.local_network import FrameLocalNetwork, make_local_network, principal_components
from diarize.speakers.plda import Backend
from diarize.speech.segmenters import trunk_frames

EVERY_CONVERSATION, EVERY_FRAME = 15, 4
"""Of the first folder, for the principal components."""

BUFFERS = ("mean", "components", "voice_mean", "projection")


class TrunkFrames:
    """The frames of the conversations of a folder, by number. Each process makes its own."""

    def __init__(self, network: FrameLocalNetwork, folder: Path) -> None:
        self.network, self.mel = network, map_array(folder / "mel.npy")
        torch.set_num_threads(1)

    def __call__(self, index: int) -> NDArray[np.float32]:
        """The frames (n_frames / 4, n_components) of a conversation."""
        mel: Frames = self.mel[index].astype(np.float32)
        return np.concatenate(list(trunk_frames([mel], self.network)))[: len(mel) // 4]


def main() -> None:
    """Read the command line, learn the components, pack."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders of pack_conversations.py"
    )
    parser.add_argument("--config", type=Path, required=True, help='TOML: [network] of the family "frames"')
    parser.add_argument("--model", help="embedding model, a resnet (default: the bundled one)")
    parser.add_argument("--out", type=Path, required=True, help="trunk.safetensors")
    parser.add_argument("--nj", type=int, default=2, help="processes")
    arguments = parser.parse_args()

    model = load_model(arguments.model, "cpu")
    settings = load_tables(arguments.config, RECIPE_TABLES)["network"]
    network = make_local_network(str(arguments.config), {"n_mels": model.features.n_mels, **settings})
    if not isinstance(network, FrameLocalNetwork):
        raise DiarizeError(f"{arguments.config}: [network] is not of the family 'frames'")
    trunk = {f"trunk.{name}": tensor for name, tensor in model.network.state_dict().items()}
    missing = network.load_state_dict(trunk, strict=False).missing_keys
    if any(name.startswith("trunk.") for name in missing):
        raise DiarizeError(f"model {model.name}: not the resnet of {arguments.config}")
    if model.backend is None:
        raise DiarizeError(f"model {model.name}: no back end; make it with recipes/train_backend.py")
    learn_components(network.eval(), arguments.data[0], model.backend)
    kept = {
        name: tensor.contiguous()
        for name, tensor in network.state_dict().items()
        if name.startswith("trunk.") or name in BUFFERS
    }
    with atomic_path(arguments.out, alone=True) as path:
        save_file(kept, path)
    for folder in arguments.data:
        mel = map_array(folder / "mel.npy")
        shape = (len(mel), mel.shape[1] // 4, network.n_inputs)
        with atomic_path(folder / "frames.npy", alone=True) as path:
            packed = open_memmap(path, "w+", np.float16, shape)
            made = map_in_processes(partial(TrunkFrames, network, folder), range(len(mel)), arguments.nj)
            for index, frames in enumerate(made):
                packed[index] = frames
        print(f"{folder / 'frames.npy'}: {len(mel)} conversations", flush=True)


@torch.inference_mode()
def learn_components(network: FrameLocalNetwork, folder: Path, backend: Backend) -> None:
    """Set the principal components and the projection of embeddings of a network, by frames of a folder."""
    mel = map_array(folder / "mel.npy")
    features = [
        network.trunk.frames(torch.from_numpy(each.astype(np.float32))[None])
        for each in mel[::EVERY_CONVERSATION]
    ]
    found = torch.cat([each[0, ::EVERY_FRAME] for each in features])
    mean, components = principal_components(found, network.components.shape[1])
    network.mean.copy_(mean)
    network.components.copy_(components)
    span = max(network.spans)
    voices = [
        network.trunk.pool_around(each, span, torch.arange(0, each.shape[1] - span + 1, span))
        for each in features
    ]
    network.voice_mean.copy_(torch.cat(voices, dim=1).mean(dim=(0, 1)))
    network.projection.copy_(torch.from_numpy(backend.projection[:, : network.projection.shape[1]]))


if __name__ == "__main__":
    run_script(main)
