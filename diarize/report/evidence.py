"""The evidence for the number of speakers as HTML: a sentence, a drawing of the scores, a table of them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 420, 190, 12, 24, 22  # units of the drawing


def format_evidence(evidence: Mapping[str, Any]) -> str:
    """The evidence of a result, such as `diarize.clustering.reasons.Evidence`, as HTML.

    Entries that are missing or not of the expected type are left out, because other programs may write them.
    """
    reason, chosen = evidence.get("reason"), evidence.get("n_speakers")
    parts = [f"<p>{escape(reason)}.</p>\n"] if isinstance(reason, str) else []
    parts += _format_novelty(evidence.get("novelty"))
    scores = _scores(evidence.get("candidates"))
    if len(scores) > 1:
        parts.append(_draw(scores, chosen))
    if scores:
        rows = "".join(
            f"<tr{_mark(n == chosen)}><td>{n}</td><td>{score:.1f}</td></tr>\n" for n, score in scores.items()
        )
        head = '<tr><th scope="col">speakers</th><th scope="col">score</th></tr>'
        parts.append(f"<details><summary>All scores</summary>\n<table>\n{head}\n{rows}</table>\n</details>\n")
    absorbed = evidence.get("absorbed")
    if isinstance(absorbed, list) and absorbed:
        sizes = ", ".join(escape(str(size)) for size in absorbed[:20])
        parts.append(f"<p>Small clusters that went to a neighbour, windows of each: {sizes}.</p>\n")
    return "".join(parts)


def _format_novelty(novelty: Any) -> list[str]:
    """The warning of a recording that is unlike the training speech, if it is."""
    named = novelty if isinstance(novelty, dict) else {}
    score, limit = named.get("score"), named.get("limit")
    if not (isinstance(score, int | float) and isinstance(limit, int | float) and score > limit):
        return []
    return [
        f"<p><strong>The recording sounds unlike the training speech</strong> (novelty {score:.2f}, limit "
        f"{limit:.2f}): check the turns. It may be music or noise, or have another speed or bandwidth.</p>\n"
    ]


def _scores(candidates: Any) -> dict[int, float]:
    """The scores by number of speakers, in order of the numbers."""
    found: dict[int, float] = {}
    for entry in candidates if isinstance(candidates, list) else []:
        n, score = (entry.get("n_speakers"), entry.get("score")) if isinstance(entry, dict) else (None, None)
        if isinstance(n, int) and isinstance(score, int | float):
            found[n] = float(score)
    return dict(sorted(found.items()))


def _mark(chosen: bool) -> str:
    return ' class="chosen"' if chosen else ""


def _draw(scores: Mapping[int, float], chosen: Any) -> str:
    """The scores over the number of speakers: a line with a dot for each number, the chosen one filled."""
    low, high = min(scores.values()), max(scores.values())
    first, last = min(scores), max(scores)

    def x(n: int) -> float:
        return _LEFT + (n - first) / (last - first) * (_WIDTH - 2 * _LEFT)

    def y(score: float) -> float:
        return _HEIGHT - _BOTTOM - (score - low) / ((high - low) or 1) * (_HEIGHT - _BOTTOM - _TOP)

    line = " ".join(f"{x(n):.1f},{y(score):.1f}" for n, score in scores.items())
    dots = "".join(
        f'<circle cx="{x(n):.1f}" cy="{y(score):.1f}" r="{5 if n == chosen else 3}"'
        f"{_mark(n == chosen)}><title>{n} speakers: {score:.1f}</title></circle>\n"
        for n, score in scores.items()
    )
    every = max(1, -(-(last - first + 1) // 12))  # so that a dozen numbers are written at most

    def is_written(n: int) -> bool:
        beside = isinstance(chosen, int) and 0 < abs(n - chosen) < every
        return n == chosen or ((n - first) % every == 0 and not beside)

    ticks = "".join(f'<text x="{x(n):.1f}" y="{_HEIGHT - 6}">{n}</text>\n' for n in scores if is_written(n))
    return (
        f'<svg class="evidence" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="Score over the number of speakers; the table below has the same figures">\n'
        f'<polyline points="{line}"/>\n{dots}{ticks}</svg>\n'
    )
