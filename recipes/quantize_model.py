"""Write the network of a model folder as ONNX with numbers of 32 and of 8 bits, for small devices.

OUT/float.onnx has the network as it is. OUT/int8.onnx computes with integers: a network of convolutions is
quantized statically, with ranges of activations that are seen on the clips of a Kaldi data folder; a BLSTM
dynamically, with ranges of each call. Both have one factor for each output where the operation allows it. The
graphs give the features of frames of a network that runs over recordings, `mel` (1, frames, mels) to
`features`, or the layer of a BLSTM, `mel` (segments, frames, mels) to `features`. benchmarks/small_models.py
measures them.

pip install onnx
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diarize.audio import load_audio
from diarize.audio.features import Frames, log_mel
from diarize.cli.script import run_script
from diarize.embedding.models import Model, load_model
from diarize.errors import DiarizeError
from diarize.formats.kaldi import read_whole_recordings
from diarize.machine.quiet_imports import import_onnxruntime, import_torch_compiler
from diarize.networks.blstm import BLSTM, BidirectionalLSTM
from diarize.networks.frame_network import FrameNetwork

SECONDS = 4.0  # of a clip, for the ranges of activations
OPSET = 17


class FrameFeatures(nn.Module):
    """The features of frames of a network, as a module of their own."""

    def __init__(self, network: FrameNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor) -> Tensor:
        """(1, n_outputs, n_features) of (1, n_frames, n_mels)."""
        return self.network.frames(mel)


def export_frames(network: FrameNetwork, n_mels: int, path: Path) -> None:
    """Write the frame features of a network as ONNX; the number of frames is free."""
    example = torch.zeros(1, 4 * network.context, n_mels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's age
        import_torch_compiler()  # otherwise the exporter imports it, which creates a folder
        torch.onnx.export(
            FrameFeatures(network).eval(),
            (example,),
            path,
            input_names=["mel"],
            output_names=["features"],
            dynamic_axes={"mel": {1: "frames"}, "features": {1: "outputs"}},
            opset_version=OPSET,
            dynamo=False,
        )


def export_blstm(network: BLSTM, path: Path) -> None:
    """Write a BLSTM up to its layer lstm2 as ONNX, with the LSTM of ONNX; the number of segments is free."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    weights = [*lstm_weights(network.lstm1, 1), *lstm_weights(network.lstm2, 2)]
    gates = {
        "direction": "bidirectional",
        "activations": ["HardSigmoid", "Tanh", "Tanh"] * 2,
        "activation_alpha": [0.2] * 2,
        "activation_beta": [0.5] * 2,
    }
    hidden = network.lstm1.recurrent.shape[1]
    shape = numpy_helper.from_array(np.array([0, 0, -1], np.int64), "joined")
    last = numpy_helper.from_array(np.array([0, -1], np.int64), "flat")
    nodes = [
        helper.make_node("Transpose", ["mel"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["steps", "W1", "R1", "B1"], ["y1"], hidden_size=hidden, **gates),
        helper.make_node("Transpose", ["y1"], ["t1"], perm=[0, 2, 1, 3]),  # (frames, segments, 2, hidden)
        helper.make_node("Reshape", ["t1", "joined"], ["x2"]),
        helper.make_node("LSTM", ["x2", "W2", "R2", "B2"], ["", "last"], hidden_size=hidden, **gates),
        helper.make_node("Transpose", ["last"], ["t2"], perm=[1, 0, 2]),  # (segments, 2, hidden)
        helper.make_node("Reshape", ["t2", "flat"], ["features"]),
    ]
    mel = helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["segments", "frames", network.n_mels])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["segments", 2 * hidden])
    arrays = [numpy_helper.from_array(array, name) for name, array in weights]
    graph = helper.make_graph(nodes, "blstm", [mel], [features], [*arrays, shape, last])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    checker.check_model(model)
    save(model, path)


def lstm_weights(layer: BidirectionalLSTM, number: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The arrays W, R and B of ONNX's LSTM, whose gates are input, output, forget, candidate."""

    def reorder(weights: Tensor) -> NDArray[np.float32]:  # (2, n, 4 hidden), gates i, f, candidate, o
        i, f, candidate, o = weights.detach().chunk(4, dim=2)
        return torch.cat([i, o, f, candidate], dim=2).transpose(1, 2).contiguous().numpy()

    yield f"W{number}", reorder(layer.kernel)
    yield f"R{number}", reorder(layer.recurrent)
    bias = reorder(layer.bias)[:, :, 0]  # (2, 4 hidden)
    yield f"B{number}", np.concatenate([bias, np.zeros_like(bias)], axis=1)


class Clips:
    """Log-mel spectrograms of clips, as onnxruntime's quantization asks for them."""

    def __init__(self, model: Model, data: Path, n_clips: int) -> None:
        paths = sorted(read_whole_recordings(data).wav_scp.items())
        chosen = paths[:: max(1, len(paths) // n_clips)][:n_clips]
        self.spectrograms = (self._spectrogram(model, path) for _, path in chosen)

    def get_next(self) -> dict[str, Frames] | None:
        """The input of the next clip; None at the end."""
        mel = next(self.spectrograms, None)
        return None if mel is None else {"mel": mel[None]}

    @staticmethod
    def _spectrogram(model: Model, path: str) -> Frames:
        mel = log_mel(load_audio(path), model.features)
        return np.resize(mel, (round(SECONDS * model.features.frame_rate), mel.shape[1]))


def quantize(model: Model, source: Path, out: Path, clips: Clips) -> None:
    """Write the ONNX file `source` with integers of 8 bits to `out`."""
    import_onnxruntime()  # quietly
    from onnxruntime import quantization

    # Seven bits for weights: without VNNI, sums of two products of eight bits do not fit into 16 bits.
    options: dict[str, Any] = {"weight_type": quantization.QuantType.QInt8, "reduce_range": True}
    if isinstance(model.network, BLSTM):
        quantization.quantize_dynamic(source, out, per_channel=True, **options)
        return
    with tempfile.TemporaryDirectory() as folder, _errors_alone():
        prepared = Path(folder) / "prepared.onnx"
        quantization.quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(prepared, out, clips, per_channel=True, **options)


@contextmanager
def _errors_alone() -> Iterator[None]:
    """No warnings in the log: ONNX Runtime warns of each number that counts frames."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def main() -> None:
    """Read the command line, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="model folder, or the name of a bundled model")
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder of clips")
    parser.add_argument("--clips", type=int, default=200, help="clips to use (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="new folder")
    arguments = parser.parse_args()

    model, out = load_model(arguments.model), arguments.out
    if out.exists():
        raise DiarizeError(f"{out}: exists; remove it or give another --out")
    out.mkdir(parents=True)
    if isinstance(model.network, FrameNetwork):
        export_frames(model.network, model.features.n_mels, out / "float.onnx")
    elif isinstance(model.network, BLSTM):
        export_blstm(model.network, out / "float.onnx")
    else:
        raise DiarizeError(
            f"{arguments.model}: a {type(model.network).__name__}; resnet, tdnn and blstm can be quantized"
        )
    quantize(model, out / "float.onnx", out / "int8.onnx", Clips(model, arguments.data, arguments.clips))
    for path in sorted(out.iterdir()):
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    run_script(main)
