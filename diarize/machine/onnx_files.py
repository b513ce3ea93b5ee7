"""The content of ONNX files, checked before it is used: all weights must be inside the file.

A tensor of an ONNX file may lie in another file, at any path that the ONNX file names. Such a file could make
a program read what it should not, and the fingerprint of the ONNX file would not be that of its weights.

References
----------
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diarize.errors import ModelError

_MOST_BYTES = 2**31
"""Protocol buffers are no larger."""

_FIELDS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse tensor",
        23: "sparse tensor",
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
"""For each message, the numbers of the fields that hold messages with tensors inside."""
_FLOAT32 = 1
"""The type of a tensor."""
_EXTERNAL = {13, 14}
"""Fields of a tensor: where its data is in another file, and whether it is (1) or is not (0)."""


def read_onnx(path: Path) -> bytes:
    """The content of an ONNX file without external data.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no ONNX file.
    ModelError
        If it has weights in other files.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("more than 2 GiB")
    content = path.read_bytes()
    waiting = [("model", memoryview(content))]  # not recursive: a file may nest graphs at any depth
    while waiting:
        kind, message = waiting.pop()
        for number, value in _fields(message):
            if kind == "tensor" and number in _EXTERNAL and value not in (0, b""):
                raise ModelError(
                    f"{path}: has weights in other files (external data); save it again as one file"
                )
            inside = _FIELDS.get(kind, {}).get(number)
            if inside and isinstance(value, memoryview):
                waiting.append((inside, value))
    return content


def read_graph(path: Path) -> tuple[dict[str, NDArray[np.float32]], list[tuple[str, list[str]]]]:
    """The float32 tensors of the graph in an ONNX file, by name, and its nodes.

    A node is the name of its operator and those of its inputs. Inner graphs are left out.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no ONNX file.
    ModelError
        If it has weights in other files.
    """
    tensors: dict[str, NDArray[np.float32]] = {}
    nodes: list[tuple[str, list[str]]] = []
    for graph in _messages(memoryview(read_onnx(path)), 7):
        for node in _messages(graph, 1):
            (operator,) = _messages(node, 4)
            nodes.append((_text(operator), [_text(name) for name in _messages(node, 1)]))
        for tensor in _messages(graph, 5):
            fields = list(_fields(tensor))
            given = dict(fields)
            if given.get(2) == _FLOAT32 and isinstance(data := given.get(9), memoryview):
                shape = [value for number, value in fields if number == 1 and isinstance(value, int)]
                (name,) = _messages(tensor, 8)
                tensors[_text(name)] = np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)
    return tensors, nodes


def _messages(message: memoryview, number: int) -> Iterator[memoryview]:
    """The messages or texts in the fields with this number."""
    return (value for n, value in _fields(message) if n == number and isinstance(value, memoryview))


def _text(value: memoryview) -> str:
    return bytes(value).decode()


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The number and value of each field of a message; fixed-width values are given as bytes.

    Raises
    ------
    ValueError
        If this is no message.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire_type not in (1, 2, 5):
            raise ValueError("a field of unknown type")
        length, at = _varint(message, at) if wire_type == 2 else ({1: 8, 5: 4}[wire_type], at)
        if length > len(message) - at:
            raise ValueError("a field ends early")
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The whole number at a position, 7 bits a byte, and the position after it."""
    value = 0
    for index in range(10):
        if at + index >= len(message):
            raise ValueError("a number ends early")
        byte = message[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("a number is too long")
