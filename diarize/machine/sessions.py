"""Networks in ONNX files, each on one thread: sessions that run side by side do not fight for the cores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diarize.machine.quiet_imports import import_onnxruntime


def open_session(path: Path) -> Any:
    """The session of onnxruntime. Its errors have no class of their own."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised
    return onnxruntime.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])


def first_line(error: Exception) -> str:
    """What an error of onnxruntime says, without what follows in further lines."""
    return str(error).strip().splitlines()[0]
