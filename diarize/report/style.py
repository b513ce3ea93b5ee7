"""The style of figures, and figures as SVG and PNG, without a display, pyplot or lasting global settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from html import escape
from io import BytesIO, StringIO
from threading import RLock
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from diarize.formats.svg import COLOURS

INK = "#20242a"
"""Colour of text and axes alone, so that a page can replace it by its own text colour."""
LINE_COLOURS = (*COLOURS[:-1], "#ee7733")
MARKERS = "os^DvP*X<>ph"
"""Twelve markers, and seven colours: colour i mod 7 with marker i mod 12 distinguishes 84 speakers."""

_STYLE: dict[Any, Any] = {
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.facecolor": "none", "font.size": 9, "axes.titlesize": 9, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "grid.color": INK, "grid.alpha": 0.2, "grid.linewidth": 0.5,
    "image.interpolation": "none",
    "text.parse_math": False,  # a dollar sign in a name is not markup
    "svg.fonttype": "none", "svg.hashsalt": "diarize",
}  # fmt: skip


_drawing = RLock()
"""Held while matplotlib's settings, which apply to the whole process, are those of the report."""

P = ParamSpec("P")
R = TypeVar("R")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """The function, drawing in the style of the report; matplotlib's settings are restored afterwards."""

    @wraps(draw)
    def draw_styled(*args: P.args, **kwargs: P.kwargs) -> R:
        with _drawing, matplotlib.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return draw_styled


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, whose parts do not overlap."""
    return Figure(figsize=(width, height), layout="constrained")


@styled
def to_png(figure: Figure, dpi: float = 144) -> bytes:
    """The figure as a PNG image on white; equal figures give equal bytes."""
    file = BytesIO()
    FigureCanvasAgg(figure).print_figure(
        file, dpi=dpi, format="png", facecolor="white", metadata={"Software": None}
    )
    return file.getvalue()


@styled
def to_svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an SVG element for a page: transparent, with text and axes in the page's text colour.

    Equal figures give equal text. `name` makes the identifiers of several figures on a page unique.
    """
    file = StringIO()
    FigureCanvasSVG(figure).print_figure(
        file,
        format="svg",
        facecolor="none",
        metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
    )
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    used = set(re.findall(r"(?:url\(|href=\")#([\w.-]+)", svg))
    for identifier in set(re.findall(r' id="([\w.-]+)"', svg)) - used:
        svg = svg.replace(f' id="{identifier}"', "")
    svg = re.sub(r'((?: id="|url\(#|href="#))', rf"\g<1>{name}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
