"""The description of the machine, for figures that depend on it."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe_machine() -> str:
    """The system's name of the processor, and the number of cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    processor = named[0] if named else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores"
