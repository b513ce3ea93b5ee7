"""A timeline of turns as one self-contained SVG drawing, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from diarize.segments import Turn

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
"""Paul Tol's "bright" colours, which colour-blind readers can distinguish."""

_ROW, _LEFT, _WIDTH = 22, 130, 900  # pixels


def draw_timeline(turns: Sequence[Turn], duration: float) -> str:
    """An SVG drawing as text: a row for each speaker, from 0 to `duration` seconds, times as titles."""
    speakers = list(dict.fromkeys(turn.speaker for turn in turns))
    scale = _WIDTH / max(duration, 1e-3)
    height = _ROW * (len(speakers) + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="12">'
    ]
    for row, speaker in enumerate(speakers):
        colour = COLOURS[row % len(COLOURS)]
        parts.append(f'<text x="0" y="{row * _ROW + 15}">{escape(speaker)}</text>')
        for turn in turns:
            if turn.speaker == speaker:
                start, end = turn.segment.start, turn.segment.end
                parts.append(
                    f'<rect x="{_LEFT + start * scale:.2f}" y="{row * _ROW + 3}" '
                    f'width="{(end - start) * scale:.2f}" height="{_ROW - 6}" fill="{colour}">'
                    f"<title>{escape(speaker)}: {start:.2f} to {end:.2f} s</title></rect>"
                )
    for tick in range(5):
        seconds = duration * tick / 4
        anchor = ("start", "middle", "middle", "middle", "end")[tick]
        parts.append(
            f'<text x="{_LEFT + _WIDTH * tick / 4:.0f}" y="{height - 6}" text-anchor="{anchor}">'
            f"{seconds:.1f} s</text>"
        )
    return "".join([*parts, "</svg>"])
