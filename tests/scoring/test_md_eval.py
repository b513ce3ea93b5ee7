"""DER, its parts and JER beside the definitions of md-eval-22 and DIHARD, on 500 random pairs."""

import os
import random
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import md_eval
import pytest
from md_eval import Span, Spoken

from diarize.scoring.der import DiarizationScore, score_diarization
from diarize.segments import Segment, Turn

N_PAIRS = 500


class Case(NamedTuple):
    """A pair and the conditions of its score; times in milliseconds."""

    reference: list[Spoken]
    hypothesis: list[Spoken]
    regions: list[Span] | None
    collar: int
    skip_overlap: bool

    @property
    def scored(self) -> list[Span]:
        """The regions, or by default all up to the last end."""
        ends = [end for _, end, _ in (*self.reference, *self.hypothesis)]
        return [(0, max(ends, default=0))] if self.regions is None else self.regions


def random_turns(draw: random.Random, names: str, overlap: bool) -> list[Spoken]:
    """Turns of a minute, some of which touch, overlap or lie within others."""
    at, found = draw.randrange(3000), list[Spoken]()
    free = dict.fromkeys(names, 0)  # from when on a speaker may have another turn
    for _ in range(draw.randrange(1, 15)):
        who = draw.choice(names)
        start = max(at, free[who])
        end = start + draw.choice([draw.randrange(100, 900), draw.randrange(900, 9000)])
        found.append((start, end, who))
        free[who] = end
        step = draw.choice([0, draw.randrange(2500), -draw.randrange(end - start) if overlap else 0])
        at = max(0, end + step) if overlap else max(end, *free.values()) + max(0, step)
    return found


def moved(draw: random.Random, reference: list[Spoken], names: str) -> list[Spoken]:
    """The turns of a system that is mostly right: boundaries off, some turns another's, some missing."""
    other = dict(zip("abcd", draw.sample(names, 4), strict=True))
    found = []
    for start, end, who in reference:
        start, end = (max(0, t + draw.choice([0, draw.randrange(-400, 400)])) for t in (start, end))
        if end > start and draw.random() < 0.9:
            found.append((start, end, other[who] if draw.random() < 0.8 else draw.choice(names)))
    return found


def cases(n: int = N_PAIRS) -> Iterator[Case]:
    """Pairs by number: every second with overlap, with regions, without a collar."""
    for number in range(n):
        draw = random.Random(number)
        reference = random_turns(draw, "abcd"[: draw.randrange(1, 5)], overlap=number % 2 == 1)
        hypothesis = (
            moved(draw, reference, "vwxyz") if number % 3 else random_turns(draw, "xyz", overlap=True)
        )
        regions, at = None, 0
        if number // 2 % 2:
            regions = []
            for _ in range(draw.randrange(1, 4)):
                start = at + draw.randrange(9000)
                at = start + draw.randrange(500, 30000)
                regions.append((start, at))
        collar = (0, 250, 0, 500)[number // 4 % 4]
        yield Case(reference, hypothesis, regions, collar, bool(number // 16 % 2))


def turns(spoken: list[Spoken]) -> list[Turn]:
    return [Turn("x", Segment(start / 1000, end / 1000), who) for start, end, who in spoken]


def ours(case: Case) -> DiarizationScore:
    regions = case.regions and [Segment(start / 1000, end / 1000) for start, end in case.regions]
    return score_diarization(
        turns(case.reference),
        turns(case.hypothesis),
        scored=regions,
        collar=case.collar / 1000,
        skip_overlap=case.skip_overlap,
    )


def definition(case: Case, map_everywhere: bool = False) -> md_eval.Parts:
    reference, hypothesis, _, collar, skip_overlap = case
    return md_eval.score(reference, hypothesis, case.scored, collar, skip_overlap, map_everywhere)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Case, md_eval.Parts]]:
    """The cases, each with its parts by the definition."""
    return [(case, definition(case)) for case in cases()]


@pytest.mark.oracle
def test_the_parts_are_those_of_the_definition(pairs):
    kinds = set()
    for number, (case, expected) in enumerate(pairs):
        found = ours(case)
        seconds = (found.total, found.missed, found.false_alarm, found.confusion)
        assert seconds == pytest.approx([each / 1000 for each in expected[:4]], abs=1e-6), number
        assert found.n_reference == expected.n_reference, number
        if expected.total:
            errors = expected.missed + expected.false_alarm + expected.confusion
            jer = expected.jer / expected.n_reference
            rates = (100 * errors / expected.total, 100 * jer)
            assert (100 * found.der, 100 * found.jer) == pytest.approx(rates, abs=1e-3), number
        overlaps = any(a[1] > b[0] for a, b in pairwise(sorted(case.reference)))
        kinds.add((overlaps, case.regions is None, case.collar > 0, case.skip_overlap))
    assert len(kinds) == 16, "each of the conditions with each"


@pytest.mark.oracle
def test_where_others_map_speakers_otherwise(pairs):
    """md-eval also maps by time that it does not score, dscore by the least JER: docs/reliability.md."""
    n_confusion = n_jer = 0
    for case, own in pairs:
        theirs = definition(case, map_everywhere=True)
        assert own[:3] == theirs[:3]
        assert own.confusion <= theirs.confusion
        assert own.confusion == theirs.confusion or case.collar or case.skip_overlap
        n_confusion += own.confusion < theirs.confusion
        assert own.least_jer <= own.jer + 1e-9
        n_jer += own.least_jer < own.jer - 1e-9
    assert (n_confusion, n_jer) == (12, 9)


@pytest.mark.oracle
@pytest.mark.skipif("MD_EVAL" not in os.environ, reason="MD_EVAL does not name the script md-eval-22.pl")
def test_the_definition_is_that_of_the_script(tmp_path):
    """`MD_EVAL=md-eval-22.pl pytest tests/scoring/test_md_eval.py`, with the script of NIST and Perl."""
    names = ["SCORED SPEAKER", "MISSED SPEAKER", "FALARM SPEAKER", "SPEAKER ERROR"]
    for number, case in enumerate(cases()):
        for suffix, spoken in (("ref", case.reference), ("hyp", case.hypothesis)):
            rows = (
                f"SPEAKER x 1 {s / 1000:.3f} {(e - s) / 1000:.3f} <NA> <NA> {who}" for s, e, who in spoken
            )
            (tmp_path / suffix).write_text("".join(f"{row} <NA> <NA>\n" for row in rows))
        uem = "".join(f"x 1 {start / 1000:.3f} {end / 1000:.3f}\n" for start, end in case.scored)
        (tmp_path / "uem").write_text(uem)
        command = ["perl", os.environ["MD_EVAL"], "-c", str(case.collar / 1000)]
        command += [f"-{name[0]}{tmp_path / name}" for name in ("ref", "uem")]
        command += [f"-s{tmp_path / 'hyp'}", *(["-1"] if case.skip_overlap else [])]
        # Where nothing is scored, the script divides by zero once it has printed the seconds.
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        found = [
            float(re.search(rf"^{name} TIME = *([0-9.]+) secs", text, re.MULTILINE)[1]) for name in names
        ]
        expected = [each / 1000 for each in definition(case, map_everywhere=True)[:4]]
        assert found == pytest.approx(expected, abs=1e-3), number
