"""Markdown tables whose columns are aligned, to be read in a terminal. A name in a cell is text alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from diarize.formats.rows import one_line

_MARKUP = re.compile(r"([\\`*\[\]<>|&])")


def markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    r"""The lines of a table from rows of cells, the first of which is the head.

    The first column is aligned left, the others right.

    Examples
    --------
    >>> print(*markdown_table([("recording", "DER"), ("a", "12.00")]), sep="\n")
    | recording |   DER |
    |-----------|------:|
    | a         | 12.00 |
    """
    rows = [[_MARKUP.sub(r"\\\1", one_line(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_row(row, widths) for row in rows]
    rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:]), ""])
    return [lines[0], rule, *lines[1:]]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = cells
    aligned = [first.ljust(widths[0]), *(cell.rjust(n) for cell, n in zip(others, widths[1:], strict=True))]
    return "| " + " | ".join(aligned) + " |"
