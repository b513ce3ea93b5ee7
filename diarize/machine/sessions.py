"""Networks in ONNX files, each on one thread, so that sessions in parallel do not compete for the cores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diarize.files.text import shorten
from diarize.machine.onnx_files import read_onnx
from diarize.machine.quiet_imports import import_onnxruntime


def open_session(path: Path) -> Any:
    """The session of onnxruntime for an ONNX file. Its errors have no common class except Exception.

    Raises
    ------
    ModelError
        If it has weights in other files.
    """
    content = read_onnx(path)
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised, not printed
    return onnxruntime.InferenceSession(content, sess_options=options, providers=["CPUExecutionProvider"])


def first_line(error: Exception) -> str:
    """The first line of an onnxruntime error, or the name of an error that says nothing."""
    return shorten((str(error).strip() or type(error).__name__).splitlines()[0], 200)
