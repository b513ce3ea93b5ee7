"""Pages of recordings in a browser: time to open, size, requests and accessibility, as a Markdown table.

    python benchmarks/recording_page.py [--hours 1 8] [--turns 720 10000] [--repeat 5] [--axe FILE]

Needs Chromium or Chrome on the PATH. A page has a waveform, turns of 12 speakers with a confidence, overlap,
the errors against a reference, a map of 2,000 points, and the recording as a file beside it. "Interactive" is
the time from the request for the page until a key has selected a turn and the frame that shows it is drawn,
the median of the repetitions. "Least contrast" is that of all text in sight, in a light and a dark page.

--axe FILE runs axe-core (`npm pack axe-core`; the file is axe.min.js) in a light and a dark page, in a window
of 1280 pixels and of a phone, and counts the rules of accessibility that are violated.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from printing import header, table

from diarize.errors import DiarizeError
from diarize.report.recording_data import (
    MOST_POINTS,
    Reference,
    describe_errors,
    describe_peaks,
    describe_result,
)
from diarize.report.recording_page import format_recording_page
from diarize.report.results import Result
from diarize.segments import Segment, Turn

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
from browser import Browser, find_browser

N_SPEAKERS = 12
VIEWS = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 360)]

CONTRAST = """(() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (colour) => {
    const linear = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colour.map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (each) => {
    for (; each; each = each.parentElement) {
      const colour = parts(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  let least = 21;
  for (const each of document.querySelectorAll("body *")) {
    const isText = (node) => node.nodeType === 3 && node.data.trim();
    const written = each.matches("input, select") || [...each.childNodes].some(isText);
    if (!written || !each.checkVisibility() || each.disabled) continue;
    const both = [parts(getComputedStyle(each).color).slice(0, 3), ground(each)].map(light);
    least = Math.min(least, (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05));
  }
  return least;
})()"""
"""The least contrast of text with its ground, by the formula of WCAG 2.2; disabled buttons do not count."""


def make_page(folder: Path, hours: float, n_turns: int) -> Path:
    """A page with everything that a page can have, and the recording beside it."""
    random = np.random.default_rng(0)
    seconds, step = 3600 * hours, 3600 * hours / n_turns
    turns = [
        Turn(
            "talk",
            Segment(k * step + 0.3, (k + 1) * step + 0.3 * (k % 3 == 0)),
            f"SPEAKER_{k % N_SPEAKERS:02d}",
        )
        for k in range(n_turns)
    ]
    result = Result(
        Path("talk.json"), "talk", turns, [*random.random(n_turns).round(2)], {"duration": seconds}
    )
    moved = [
        Turn(turn.recording, Segment(turn.segment.start - 0.2, turn.segment.end), turn.speaker)
        for turn in turns
    ]
    starts = np.linspace(0, 1000 * seconds - 1500, MOST_POINTS).round().astype(int).tolist()
    places = random.random((MOST_POINTS, 2)).round(4).tolist()
    data = {
        **describe_result(result),
        "peaks": describe_peaks(random.random(round(100 * seconds), np.float32)),
        "points": [[*place, start, start + 1500] for place, start in zip(places, starts, strict=True)],
        "errors": describe_errors(Reference(moved), turns),
        "audio": {"address": "talk.flac"},
    }
    minute = random.integers(-3, 3, 8000 * 60, np.int16)
    with soundfile.SoundFile(folder / "talk.flac", "w", 8000, 1) as file:
        for _ in range(round(60 * hours)):
            file.write(minute)
    page = folder / "talk.html"
    page.write_text(format_recording_page(data), encoding="utf-8")
    return page


def open_page(browser: Browser, page: Path) -> float:
    """Seconds until a key has selected a turn and this is drawn."""
    browser.send("Page.navigate", url="about:blank")
    browser.wait("location.href === 'about:blank'")
    began = time.perf_counter()
    browser.open(page.as_uri())
    browser.key("ArrowDown")
    frame = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
    selected = browser.run(f"{frame}.then(() => recordingPage.turns.selected.size)")
    seconds = time.perf_counter() - began
    if selected != 1 or browser.errors:
        raise DiarizeError(f"{page}: no turn was selected; errors: {browser.errors}")
    return seconds


def look(browser: Browser, page: Path, axe: Path | None) -> tuple[float, int | None]:
    """The least contrast over all views, and the number of rules of axe-core that a view violates."""
    contrasts, violated = [], 0
    browser.send("Page.setBypassCSP", enabled=True)
    for scheme, width in VIEWS:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.send("Emulation.setEmulatedMedia", features=features)
        size: dict[str, Any] = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.send("Emulation.setDeviceMetricsOverride", **size)
        open_page(browser, page)
        contrasts.append(browser.run(CONTRAST))
        if axe is not None:
            browser.run(axe.read_text(encoding="utf-8") + "\n;0")
            for rule in browser.run("axe.run().then((found) => found.violations.map((rule) => rule.id))"):
                print(f"{page.name}, {scheme}, {width} pixels: {rule}", file=sys.stderr)
                violated += 1
    browser.send("Page.setBypassCSP", enabled=False)
    browser.send("Emulation.clearDeviceMetricsOverride")
    return min(contrasts), None if axe is None else violated


def main() -> None:
    """Make pages, open them, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", nargs="+", type=float, default=[1, 8])
    parser.add_argument("--turns", nargs="+", type=int, default=[720, 10_000])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--axe", type=Path, metavar="FILE", help="axe.min.js of axe-core")
    arguments = parser.parse_args()
    if find_browser() is None:
        raise DiarizeError("no Chromium or Chrome on the PATH; on Debian: apt-get install chromium")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        browser = Browser(folder / "browser")
        version = browser.send("Browser.getVersion")["product"]
        for hours, n_turns in zip(arguments.hours, arguments.turns, strict=True):
            page = make_page(folder, hours, n_turns)
            contrast, violated = look(browser, page, arguments.axe)
            browser.requests.clear()
            seconds = statistics.median(open_page(browser, page) for _ in range(arguments.repeat))
            own = {page.as_uri(), (folder / "talk.flac").as_uri(), "about:blank"}
            others = len([url for url in browser.requests if url not in own])
            size, rules = page.stat().st_size / 1e6, "-" if violated is None else str(violated)
            figures = [f"{size:.2f}", f"{seconds:.2f}", str(others), f"{contrast:.1f}", rules]
            rows.append([f"{hours:g}", f"{n_turns:,}", *figures])
        browser.close()
    print(header(f"{version}; {N_SPEAKERS} speakers, {MOST_POINTS:,} points, median of {arguments.repeat}"))
    columns = [
        "hours",
        "turns",
        "MB",
        "interactive after, s",
        "other requests",
        "least contrast",
        "axe violations",
    ]
    print(table(columns, rows, n_text=0))


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"recording_page.py: {error}") from error
