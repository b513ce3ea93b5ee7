"""Praat's TextGrid, with an interval tier for each speaker. The recording is the file's name.

References
----------
Praat manual, "TextGrid file formats": in a text file Praat reads the quoted strings, the free-standing
numbers and the flags, and ignores the rest as comment. So one reader is enough for long and short files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from diarize.files.text import LONGEST, File, Line, Place, Text
from diarize.formats.rows import collect_turns, report_left_out, to_rows, to_tiers
from diarize.formats.tiers import Tier, find_speakers
from diarize.formats.times import seconds
from diarize.segments import Turn, normal_name

_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"'
    r"|!.*"
    r"|(?<!\S)(?:(?P<flag><\w+>)|(?P<number>[-+]?[0-9][0-9.]*(?:[eE][-+]?[0-9]+)?))(?!\S)"
)


def parse(text: Text) -> list[Turn]:
    """The intervals with text as turns. Tiers or their labels name the speakers (``tiers.py``).

    Points, and tiers without speakers, are left out with a warning.

    Raises
    ------
    FormatError
        If the file has no speakers, or a line is malformed; the message gives its number.
    """
    return collect_turns(find_speakers(text, list(_tiers(text))))


def render(turns: Iterable[Turn], path: File = "") -> str:
    """The turns of one recording as a TextGrid; overlapping turns of one speaker are joined.

    Without turns it holds one empty tier, ``speaker``, because Praat cannot open a file without tiers.

    Raises
    ------
    FormatError
        If the turns are of several recordings.
    """
    rows = to_rows(turns, holder="a TextGrid")
    end = max((row.end for row in rows), default=1000)
    tiers = to_tiers(rows) or {"speaker": []}
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {seconds(end)}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (speaker, spans) in enumerate(tiers.items(), start=1):
        name = speaker.replace('"', '""')
        intervals = list(_tile(spans, end))
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f'        name = "{name}"',
            "        xmin = 0",
            f"        xmax = {seconds(end)}",
            f"        intervals: size = {len(intervals)}",
        ]
        for index, (left, right, filled) in enumerate(intervals, start=1):
            lines += [
                f"        intervals [{index}]:",
                f"            xmin = {seconds(left)}",
                f"            xmax = {seconds(right)}",
                f'            text = "{name if filled else ""}"',
            ]
    return "\n".join(lines) + "\n"


def _tile(spans: Iterable[tuple[int, int]], end: int) -> Iterator[tuple[int, int, bool]]:
    """Intervals that fill the time from 0 to ``end`` (milliseconds), and whether each one is a span."""
    time = 0
    for left, right in spans:
        if time < left:
            yield time, left, False
        yield left, right, True
        time = right
    if time < end:
        yield time, end, False


def _tiers(text: Text) -> Iterator[Tier]:
    tokens = _Tokens(text)
    if (tokens.text("file type"), tokens.text("object class")) != ("ooTextFile", "TextGrid"):
        raise tokens.line.error("not a TextGrid in Praat's text format")
    tokens.number("xmin")
    tokens.number("xmax")
    if tokens.next("flag", "flag <exists>") != "<exists>":
        return
    points: list[Place] = []
    for _ in range(tokens.count("number of tiers")):
        kind, name = tokens.text("class of tier"), normal_name(tokens.text("name of tier"))
        tokens.number("xmin")
        tokens.number("xmax")
        spans: list[tuple[Place, float, float, str]] = []
        for _ in range(tokens.count("number of intervals")):
            start, line = tokens.number("xmin"), tokens.line
            if kind == "IntervalTier":
                end = tokens.number("xmax")
                spans.append((line, start, end, normal_name(tokens.text("text")).strip()))
            else:
                tokens.text("mark")
                points.append(line)
        yield Tier(name, spans)
    report_left_out("points", points)


class _Tokens:
    """The tokens that Praat reads from a text file, in order; ``line`` is the line of the last one."""

    def __init__(self, text: Text) -> None:
        self._content = text.content
        self._matches = _TOKEN.finditer(self._content)
        self._seen = 0
        self.line = Line(text.path, 1, "")

    def next(self, kind: str, what: str) -> str:
        """The next token, which must be of this kind."""
        for match in self._matches:
            if match.lastgroup is None:
                continue  # a comment
            number = self.line.number + self._content.count("\n", self._seen, match.start())
            self._seen = match.start()
            self.line = Line(self.line.path, number, match[0])
            if match.lastgroup != kind:
                raise self.line.error(f"the {what} is missing here")
            return match[kind]
        raise self.line.error(f"the file ends before the {what}")

    def text(self, what: str) -> str:
        """The next token, a string."""
        return self.next("text", what).replace('""', '"')

    def number(self, what: str) -> float:
        """The next token, a number."""
        return self.line.seconds(self.next("number", what), what)

    def count(self, what: str) -> int:
        """The next token, a whole number."""
        return self.line.whole(self.next("number", what), what, LONGEST)
