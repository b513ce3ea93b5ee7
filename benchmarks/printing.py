"""Headers and tables of the scripts. It imports little, because one script measures memory."""

from __future__ import annotations

import math
import platform
import shlex
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version

from diarize.machine.description import describe_machine

PACKAGES = (
    *("diarize-toolkit", "torch", "numpy", "scipy", "scikit-learn"),
    *("onnxruntime", "silero-vad", "pyannote.metrics"),
)


def header(conditions: str, packages: Sequence[str] = ()) -> str:
    """The command, the day, the machine, the versions and the conditions, as Markdown."""
    versions = [f"{name} {version(name)}" for name in (*PACKAGES, *packages)]
    return "\n".join(
        [
            f"`{shlex.join(['python', *sys.argv])}`",
            "",
            f"{date.today().isoformat()}; {describe_machine()}, {platform.system()}; "
            f"Python {platform.python_version()}, {', '.join(versions)}.",
            f"{conditions}.",
            "",
        ]
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], n_text: int = 1) -> str:
    """A Markdown table; the first `n_text` columns are aligned left, the others right."""
    rule = [":---"] * n_text + ["---:"] * (len(columns) - n_text)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows)) + "\n"


def exponent(before: float, after: float, times: float) -> str:
    """The exponent of a growth while the size grows by a factor; a dash where there is none."""
    known = before > 0 and after > 0 and times != 1
    return f"{math.log(after / before) / math.log(times):.2f}" if known else "-"


def percent(rate: float) -> str:
    """A rate in per cent with two decimals; a dash for nan."""
    return "-" if math.isnan(rate) else f"{100 * rate:.2f}"
