"""The data of the page of a recording, as the page's scripts read them. All times are whole milliseconds."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diarize.audio import stream_audio
from diarize.audio.peaks import PEAK_SECONDS, Peaks, find_peaks, thin_peaks
from diarize.embedding.table import Embeddings
from diarize.formats.json_format import VERSION
from diarize.formats.times import milliseconds
from diarize.report.results import Result
from diarize.segments import Segment, Turn

MOST_PEAKS = 600_000
"""The page holds at most so many, in a byte each: 10 ms for each up to 100 minutes, 50 ms for 8 hours."""
MOST_POINTS = 2_000
"""The map holds at most so many embeddings; the time of t-SNE grows faster than their number."""
_KINDS = ("missed", "false alarm", "confusion")


@dataclass(frozen=True)
class Reference:
    """True turns of the recording, and the conditions of the score.

    Attributes
    ----------
    turns : list of Turn
    scored : list of Segment, optional
        The time to score; by default, from 0 to the last end.
    collar : float
        Seconds left out on each side of every boundary.
    """

    turns: list[Turn]
    scored: list[Segment] | None = None
    collar: float = 0.0


def describe_result(result: Result) -> dict[str, Any]:
    """Turns, speakers by first appearance, duration if known, and what a JSON file keeps.

    A turn is a list: start, end, number of its speaker and, if known, confidence.
    """
    speakers = {name: k for k, name in enumerate(dict.fromkeys(turn.speaker for turn in result.turns))}
    turns = [
        [*milliseconds(turn.segment), speakers[turn.speaker], *([] if sure is None else [sure])]
        for turn, sure in zip(result.turns, result.confidence, strict=True)
    ]
    ends = [turn[1] for turn in turns]
    return {
        "recording": result.recording,
        "version": VERSION,
        "duration": max([0, *ends, round(1000 * result.document.get("duration", 0))]),
        "speakers": list(speakers),
        "turns": turns,
        "document": dict(result.document),
    }


def load_peaks(audio: str | Path) -> Peaks:
    """The peaks of a recording (n_peaks,), each of 10 ms. Errors are those of `stream_audio`."""
    return find_peaks(stream_audio(audio))


def describe_peaks(peaks: Peaks) -> dict[str, Any]:
    """Peaks as bytes in base64, and the duration that they cover.

    A byte is the square root of the peak, so that quiet speech is visible. 255 is the level which five peaks
    in a thousand exceed: a few clicks do not make the rest flat.
    """
    thin, k = thin_peaks(peaks, MOST_PEAKS)
    loudest = float(np.quantile(thin, 0.995)) if len(thin) else 0.0
    levels = np.round(255 * np.sqrt(np.clip(thin / (loudest or 1.0), 0, 1))).astype(np.uint8)
    step = round(1000 * PEAK_SECONDS)
    return {"step": step * k, "levels": encode_base64(levels.tobytes()), "duration": step * len(peaks)}


def describe_points(table: Embeddings, recording: str, seed: int = 0) -> list[list[float]]:
    """The embeddings of a recording in the plane: x and y from 0 to 1, start and end of the window.

    Of more than `MOST_POINTS`, evenly spaced ones are taken. Without embeddings, the list is empty.
    """
    from diarize.report.figures import project

    own = table[table.recording == recording]
    if len(own) > MOST_POINTS:
        own = own[np.linspace(0, len(own) - 1, MOST_POINTS).round().astype(int)]
    if not len(own):
        return []
    points = project(own.vectors, seed)
    size = float(np.ptp(points, axis=0).max()) or 1.0
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    places = np.round((points - middle) / size + 0.5, 4)
    return [
        [*place, *milliseconds(segment)]
        for place, segment in zip(places.tolist(), own.segments(), strict=True)
    ]


def describe_errors(reference: Reference, turns: Sequence[Turn]) -> dict[str, Any]:
    """DER, its parts in seconds, the conditions, and the regions with errors.

    A region is a list: start, end, number of its kind in `kinds`, and numbers of the speakers who speak there
    by the reference.
    """
    from diarize.scoring.der import score_diarization
    from diarize.scoring.regions import find_errors

    conditions: dict[str, Any] = {"scored": reference.scored, "collar": reference.collar}
    score = score_diarization(reference.turns, turns, **conditions)
    names = {name: k for k, name in enumerate(dict.fromkeys(turn.speaker for turn in reference.turns))}
    regions = [
        [*milliseconds(error.segment), _KINDS.index(error.kind), *(names[each] for each in error.speakers)]
        for error in find_errors(reference.turns, turns, **conditions)
    ]
    return {
        "der": score.der if score.total else None,
        "seconds": dict(zip(_KINDS, (score.missed, score.false_alarm, score.confusion), strict=True)),
        "total": score.total,
        "conditions": f"collar {reference.collar:g} s each side, overlap scored, "
        f"scored region: {score.scored_region_source}",
        "kinds": _KINDS,
        "speakers": list(names),
        "regions": regions,
    }


def script_json(data: Any) -> str:
    """Data as JSON for a script element of a page.

    "<", ">" and "&" are escaped, so that no name can end the element or begin another one, and so are the two
    line separators that JavaScript does not allow in strings.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def encode_base64(content: bytes) -> str:
    """Content as text."""
    return base64.b64encode(content).decode("ascii")
