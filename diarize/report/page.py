"""A page of figures in one HTML file: no scripts, no external files, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from matplotlib.figure import Figure

from diarize.report.style import to_svg

_CSS = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #20242a; --line: #d5d9de; --quiet: #5c6570; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16191d; --ink: #e4e7eb; --line: #363c44; --quiet: #9aa4af; }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 0; }
p { color: var(--quiet); margin: .2rem 0 1rem; max-width: 45rem; }
table { border-collapse: collapse; }
td, th { border-bottom: 1px solid var(--line); padding: .2rem 1rem .2rem 0;
  text-align: left; vertical-align: top; font-weight: normal; overflow-wrap: anywhere; }
th { color: var(--quiet); white-space: nowrap; }
figure { margin: 0 0 1rem; overflow-x: auto; } svg { max-width: 100%; height: auto; }
"""


@dataclass(frozen=True)
class Section:
    """Figures under a title; `look` is one sentence on what to look for."""

    name: str
    """Lower case and hyphens: the anchor of the section, and the stem of its image files."""
    title: str
    look: str
    figures: tuple[Figure, ...]

    def figure_names(self) -> list[str]:
        """A name for each figure: the section's, with a number if there are several."""
        several = len(self.figures) > 1
        return [
            f"{self.name}-{number}" if several else self.name for number in range(1, len(self.figures) + 1)
        ]


def format_page(title: str, facts: Mapping[str, str], sections: Sequence[Section]) -> str:
    """The HTML of a page: its title, a table of facts, the sections. Equal input gives equal text."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>\n'
        for name, value in facts.items()
    )
    return "".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n",
            f"<h1>{escape(title)}</h1>\n",
            f"<table>\n{rows}</table>\n" if rows else "",
            *map(_format_section, sections),
            "</body>\n</html>\n",
        ]
    )


def _format_section(section: Section) -> str:
    figures = "".join(
        f"<figure>\n{to_svg(figure, name, section.title)}</figure>\n"
        for figure, name in zip(section.figures, section.figure_names(), strict=True)
    )
    return (
        f'<section id="{section.name}">\n<h2>{escape(section.title)}</h2>\n'
        f"<p>{escape(section.look)}</p>\n{figures}</section>\n"
    )
