"""A small network in an ONNX file, as somebody else might have made it."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

DIM, N_MELS = 6, 20
WEIGHTS = np.random.default_rng(3).standard_normal((N_MELS, DIM)).astype(np.float32)
SETTINGS = f'[model]\ninput = "feats"\noutput = "embs"\ndim = {DIM}\n[features]\nn_mels = {N_MELS}\n'


def write_graph(
    path: Path, *, mels_first: bool = False, length: bool = False, batch: int | str = "B"
) -> Path:
    """A graph that sums mels over time, divides by the number of frames and multiplies by WEIGHTS."""
    time = 2 if mels_first else 1
    shape = [batch, N_MELS, "T"] if mels_first else [batch, "T", N_MELS]
    inputs = [helper.make_tensor_value_info("feats", TensorProto.FLOAT, shape)]
    initializers = [
        numpy_helper.from_array(WEIGHTS, "weights"),
        numpy_helper.from_array(np.array([time]), "time"),
        numpy_helper.from_array(np.array([1]), "one"),
    ]
    if length:
        inputs.append(helper.make_tensor_value_info("length", TensorProto.INT64, [batch]))
        nodes = [
            helper.make_node("ReduceSum", ["feats", "time"], ["sum"], keepdims=0),
            helper.make_node("Cast", ["length"], ["n"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["n", "one"], ["column"]),
            helper.make_node("Div", ["sum", "column"], ["mean"]),
        ]
    else:
        nodes = [helper.make_node("ReduceMean", ["feats", "time"], ["mean"], keepdims=0)]
    nodes.append(helper.make_node("MatMul", ["mean", "weights"], ["embs"]))
    outputs = [
        helper.make_tensor_value_info("mean", TensorProto.FLOAT, [batch, N_MELS]),
        helper.make_tensor_value_info("embs", TensorProto.FLOAT, [batch, DIM]),
    ]
    graph = helper.make_graph(nodes, "mean", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def write_model(folder: Path, settings: str = SETTINGS, **graph) -> Path:
    (folder / "net.toml").write_text(settings)
    return write_graph(folder / "net.onnx", **graph)


RAMP = (np.arange(500, dtype=np.float32) / 1000)[:, None]  # (outputs, 1)


def write_segmentation(path: Path, n_outputs: int = 500) -> Path:
    """A graph from ten seconds to two numbers every 20 ms: mean loudness plus RAMP, and half of it."""
    shape = [-1, n_outputs, 160_000 // n_outputs]
    initializers = [
        numpy_helper.from_array(np.array(shape), "shape"),
        numpy_helper.from_array(RAMP[:n_outputs], "ramp"),
        numpy_helper.from_array(np.array([[1, 0.5]], np.float32), "parts"),
    ]
    nodes = [
        helper.make_node("Reshape", ["samples", "shape"], ["framed"]),
        helper.make_node("Abs", ["framed"], ["loud"]),
        helper.make_node("ReduceMean", ["loud"], ["mean"], axes=[2], keepdims=1),
        helper.make_node("Add", ["mean", "ramp"], ["sum"]),
        helper.make_node("Mul", ["sum", "parts"], ["voices"]),
    ]
    inputs = [helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["B", 160_000])]
    outputs = [helper.make_tensor_value_info("voices", TensorProto.FLOAT, ["B", n_outputs, 2])]
    graph = helper.make_graph(nodes, "segmentation", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


TALK, TOGETHER = 0.05, 0.3
"""Mean loudness from which on the first local speaker talks, and the first two."""


def write_powerset(
    path: Path, n_outputs: int = 500, n_classes: int = 7, *, kind: str = "logits", shape=("B", 160_000)
) -> Path:
    """A graph from ten seconds to powerset classes: the mean loudness of a frame says who talks.

    Class 1 is the first local speaker, and the first class of two is the first two. `kind` is logits,
    LogSoftmax or Softmax. `shape` is that of the input.
    """
    first_pair = {4: 3, 7: 4, 11: 5, 15: 5, 16: 5}.get(n_classes, n_classes - 1)
    slopes, offsets = np.zeros(n_classes, np.float32), np.full(n_classes, -50, np.float32)
    offsets[0] = 0
    slopes[1], offsets[1] = 200, -200 * TALK
    slopes[first_pair], offsets[first_pair] = 600, -400 * TOGETHER - 200 * TALK
    framed = [-1, n_outputs, 160_000 // n_outputs]
    initializers = [
        numpy_helper.from_array(np.array(framed), "framed_shape"),
        numpy_helper.from_array(slopes, "slopes"),
        numpy_helper.from_array(offsets, "offsets"),
    ]
    logits = "classes" if kind == "logits" else "logits"
    nodes = [
        helper.make_node("Reshape", ["samples", "framed_shape"], ["framed"]),
        helper.make_node("Abs", ["framed"], ["loud"]),
        helper.make_node("ReduceMean", ["loud"], ["mean"], axes=[2], keepdims=1),
        helper.make_node("Mul", ["mean", "slopes"], ["risen"]),
        helper.make_node("Add", ["risen", "offsets"], [logits]),
    ]
    if kind != "logits":
        nodes.append(helper.make_node(kind, ["logits"], ["classes"], axis=-1))
    inputs = [helper.make_tensor_value_info("samples", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("classes", TensorProto.FLOAT, [shape[0], n_outputs, n_classes])]
    graph = helper.make_graph(nodes, "segmentation", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
