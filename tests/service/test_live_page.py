"""The turns that the page of a stream shows, in a real browser."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import NAMES, Browser, find_browser

ASSETS = Path(__file__).resolve().parent.parent.parent / "diarize" / "service" / "assets"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_browser() is None, reason=f"none of {', '.join(NAMES)} is on the PATH"),
]


def event(kind: str, start: float, end: float, speaker: str) -> dict:
    return {"event": kind, "start": start, "end": end, "speaker": speaker}


def correct(start: float, end: float, *turns: tuple[float, float, str]) -> dict:
    said = [{"start": turn[0], "end": turn[1], "speaker": turn[2]} for turn in turns]
    return {"event": "correct", "start": start, "end": end, "turns": said}


EVENTS_AND_TURNS = [
    (event("begin", 0.5, 2, "A"), ["0.5 2 A open"]),
    (event("begin", 1, 3, "B"), ["0.5 2 A open", "1 3 B open"]),
    (event("end", 0.5, 4, "A"), ["0.5 4 A", "1 3 B open"]),
    (event("end", 1, 5, "B"), ["0.5 4 A", "1 5 B"]),
    (event("begin", 6, 7, "A"), ["0.5 4 A", "1 5 B", "6 7 A open"]),
    # Within a turn: what is left of it stays on both sides.
    (correct(2, 3, (2, 3, "A")), ["0.5 4 A", "1 2 B", "3 5 B", "6 7 A open"]),
    # Over the end of turns; a part that touches a turn of the same speaker joins it.
    (correct(3.5, 6.5, (3.5, 5, "A")), ["0.5 5 A", "1 2 B", "3 3.5 B", "6.5 7 A open"]),
    (event("end", 6.5, 8, "A"), ["0.5 5 A", "1 2 B", "3 3.5 B", "6.5 8 A"]),
    (correct(0, 9), []),
]


def test_events_make_turns_and_corrections_replace_them(tmp_path):
    browser = Browser(tmp_path)
    try:
        module = json.dumps("data:text/javascript," + quote((ASSETS / "turns.js").read_text()))
        events = json.dumps([each for each, _ in EVENTS_AND_TURNS])
        found = browser.run(f"""(async () => {{
          const {{ applyEvent }} = await import({module});
          let turns = [];
          return {events}.map((event) => {{
            turns = applyEvent(turns, event);
            return turns.map(({{ start, end, speaker, open }}) => [start, end, speaker, open]);
          }});
        }})()""")
        shown = [
            [f"{start:g} {end:g} {speaker}{' open' * is_open}" for start, end, speaker, is_open in turns]
            for turns in found
        ]
        assert shown == [turns for _, turns in EVENTS_AND_TURNS]
        assert browser.errors == []
    finally:
        browser.close()
