"""Silero's network: the probabilities of its package, and errors about its file."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from small_onnx import write_graph

from diarize.errors import ModelError
from diarize.networks.silero import load_silero

FILE = Path(find_spec("silero_vad").origin).parent / "data" / "silero_vad_16k_sequence.onnx"


def test_probabilities_are_those_of_the_file():
    rng = np.random.default_rng(0)
    frames = (rng.normal(size=(60, 576)) * rng.uniform(0, 0.3, (60, 1))).astype(np.float32)
    frames[20:30] = 0
    session = onnxruntime.InferenceSession(FILE)
    empty = np.zeros((1, 1, 128), np.float32)
    expected, hidden, cell = session.run(None, {"input": frames, "h": empty, "c": empty})
    with torch.inference_mode():
        network = load_silero(FILE)
        first, state = network(torch.from_numpy(frames[:7]))
        second, state = network(torch.from_numpy(frames[7:]), state)
    np.testing.assert_allclose(torch.cat([first, second]), expected.reshape(-1), atol=1e-5)
    for ours, theirs in zip(state, (hidden, cell), strict=True):
        np.testing.assert_allclose(ours, theirs.reshape(1, -1), atol=1e-4)


def test_another_file_is_an_error_of_one_line(tmp_path):
    for path in (write_graph(tmp_path / "other.onnx"), tmp_path / "none.onnx"):
        with pytest.raises(
            ModelError, match=r"onnx: not the weights of silero-vad 6.2.3; pip install silero"
        ):
            load_silero(path)
