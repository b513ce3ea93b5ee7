"""ONNX files are checked before they are run: no weights in other files, at whatever place they are named."""

import re
from contextlib import suppress

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from small_onnx import SETTINGS, write_graph

from diarize.embedding.onnx import OnnxNetwork
from diarize.errors import ModelError
from diarize.machine.onnx_files import read_graph, read_onnx
from diarize.speech.powerset_onnx import OnnxSegmenter
from diarize.speech.segmentation import Segmentation

SHAPES = {"w": (2, 300, 4), "b": (5,), "scalar": ()}
EXTERNAL = "has weights in other files (external data); save it again as one file"


def external(location: str = "secret", *, told: bool = True) -> TensorProto:
    """A tensor whose data is in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    if told:
        tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def constant(tensor: TensorProto, **attributes) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["y"], value=tensor, **attributes)


def graph(nodes=(), tensors=()) -> onnx.GraphProto:
    return helper.make_graph(list(nodes), "g", [], [], list(tensors))


def places() -> dict[str, onnx.ModelProto]:
    """A model with external data for each place where a tensor can be."""
    sparse = onnx.SparseTensorProto(values=external(), dims=[4])
    with_sparse = graph()
    with_sparse.sparse_initializer.append(sparse)
    deep = graph([constant(external())])
    for _ in range(30):
        deep = graph([helper.make_node("If", ["c"], ["y"], then_branch=deep, else_branch=graph())])
    function = helper.make_function("d", "f", [], ["y"], [constant(external())], [])
    with_training = helper.make_model(graph())
    with_training.training_info.add().algorithm.CopyFrom(graph(tensors=[external()]))
    listed = helper.make_node("X", [], ["y"], values=[external(), external()])
    return {
        "initializer": helper.make_model(graph(tensors=[external()])),
        "not told": helper.make_model(graph(tensors=[external(told=False)])),
        "above": helper.make_model(graph(tensors=[external("../../etc/passwd")])),
        "sparse": helper.make_model(with_sparse),
        "attribute": helper.make_model(graph([constant(external())])),
        "list": helper.make_model(graph([listed])),
        "deep": helper.make_model(deep),
        "function": helper.make_model(graph(), functions=[function]),
        "training": with_training,
    }


PLACES = places()


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_found_wherever_it_is_named(place, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(PLACES[place].SerializeToString())
    with pytest.raises(ModelError, match=re.escape(f"{path}: {EXTERNAL}")):
        read_onnx(path)


def test_every_network_refuses_it_and_says_so(tmp_path):
    path = write_graph(tmp_path / "net.onnx")
    path.with_suffix(".toml").write_text(SETTINGS)
    assert OnnxNetwork(path).dim > 0
    assert read_onnx(path) == path.read_bytes()
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").stat().st_size > 0
    for network in (OnnxNetwork, OnnxSegmenter, Segmentation):
        with pytest.raises(ModelError, match=re.escape(EXTERNAL)):
            network(path)


@given(st.binary(max_size=200))
def test_what_is_no_onnx_file_is_refused_or_holds_no_tensor(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.onnx"
    path.write_bytes(content)
    with suppress(ValueError, ModelError):
        assert read_onnx(path) == content


def test_the_graph_of_a_file_is_its_tensors_and_nodes(tmp_path):
    rng = np.random.default_rng(0)
    given = {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    tensors = [numpy_helper.from_array(values, name) for name, values in given.items()]
    tensors.append(numpy_helper.from_array(np.arange(3), "whole numbers"))
    nodes = [helper.make_node("LSTM", ["x", "w", "", "b"], ["y"]), helper.make_node("Constant", [], ["z"])]
    path = tmp_path / "net.onnx"
    path.write_bytes(helper.make_model(graph(nodes, tensors)).SerializeToString())
    found, operators = read_graph(path)
    assert operators == [("LSTM", ["x", "w", "", "b"]), ("Constant", [])]
    assert found.keys() == given.keys()
    for name, values in given.items():
        assert found[name].shape == values.shape
        assert np.array_equal(found[name], values)
