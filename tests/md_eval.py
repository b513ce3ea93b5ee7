"""DER by the definition of NIST's md-eval (version 22), JER by that of DIHARD: the oracle of the scores.

Times are whole milliseconds, so nothing is rounded: the recording is cut at every boundary of a turn, of a
collar and of a scored region, and each piece between two cuts counts with its length. The best map of
speakers is found by trying all of them. It is slow, and shares no code with what it checks.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

Span = tuple[int, int]
"""Start and end in milliseconds."""

Spoken = tuple[int, int, str]
"""Start and end in milliseconds, and the speaker."""


Gains = dict[str, dict[str, float]]
"""A number for a speaker of the reference and one of the hypothesis."""


class Parts(NamedTuple):
    """Milliseconds; `jer` and `least_jer` are sums over the `n_reference` reference speakers.

    `jer` has the map of speakers with the most time together, `least_jer` that with the least sum.
    """

    total: int
    missed: int
    false_alarm: int
    confusion: int
    jer: float
    least_jer: float
    n_reference: int


class Piece(NamedTuple):
    """Milliseconds between two cuts, who speaks in either, whether it is scored."""

    length: int
    reference: frozenset[str]
    hypothesis: frozenset[str]
    is_scored: bool


def score(
    reference: Sequence[Spoken],
    hypothesis: Sequence[Spoken],
    regions: Sequence[Span],
    collar: int = 0,
    skip_overlap: bool = False,
    map_everywhere: bool = False,
) -> Parts:
    """The parts of DER, and JER.

    Speakers are mapped by the time that they have together in what is scored. With `map_everywhere`, as in
    md-eval, collars and overlap count in this time as well, though not in the score.
    """
    pieces = cut(reference, hypothesis, regions, collar, skip_overlap)
    scored = [piece for piece in pieces if piece.is_scored]
    mapped = best_map(time_together(pieces if map_everywhere else scored))
    total = missed = false_alarm = confusion = 0
    for length, ref, hyp, _ in scored:
        right = sum(mapped.get(speaker) in hyp for speaker in ref)
        total += length * len(ref)
        missed += length * max(0, len(ref) - len(hyp))
        false_alarm += length * max(0, len(hyp) - len(ref))
        confusion += length * (min(len(ref), len(hyp)) - right)
    speakers = {speaker for piece in scored for speaker in piece.reference}
    overlaps = {
        ref: {hyp: 1 - jaccard_error(scored, ref, hyp) for hyp in row}
        for ref, row in time_together(scored).items()
    }
    jer, least_jer = (
        sum(jaccard_error(scored, speaker, chosen.get(speaker)) for speaker in sorted(speakers))
        for chosen in (mapped, best_map(overlaps))
    )
    return Parts(total, missed, false_alarm, confusion, jer, least_jer, len(speakers))


def cut(
    reference: Sequence[Spoken],
    hypothesis: Sequence[Spoken],
    regions: Sequence[Span],
    collar: int,
    skip_overlap: bool,
) -> list[Piece]:
    """The pieces within the regions, in order of time."""
    # The collars are around the boundaries of the reference alone.
    without = [(t - collar, t + collar) for start, end, _ in reference for t in (start, end)]
    spans = [*without, *regions, *((start, end) for start, end, _ in (*reference, *hypothesis))]
    pieces = []
    for start, end in pairwise(sorted({t for span in spans for t in span})):
        if not covers(regions, start, end):
            continue
        ref, hyp = (
            frozenset(who for s, e, who in turns if s <= start and end <= e)
            for turns in (reference, hypothesis)
        )
        is_scored = not covers(without, start, end) and not (skip_overlap and len(ref) > 1)
        pieces.append(Piece(end - start, ref, hyp, is_scored))
    return pieces


def covers(spans: Iterable[Span], start: int, end: int) -> bool:
    """Whether one of the spans holds all of a piece."""
    return any(s <= start and end <= e for s, e in spans)


def time_together(pieces: Iterable[Piece]) -> Gains:
    """Milliseconds in which a speaker of the reference and one of the hypothesis both speak."""
    together: Gains = defaultdict(lambda: defaultdict(int))
    for piece in pieces:
        for ref in piece.reference:
            for hyp in piece.hypothesis:
                together[ref][hyp] += piece.length
    return together


def best_map(gains: Gains) -> dict[str, str]:
    """Reference speakers to those of the hypothesis, one to one, with the largest sum of gains."""

    def best(rest: list[str], free: frozenset[str]) -> tuple[float, dict[str, str]]:
        if not rest:
            return 0, {}
        found = best(rest[1:], free)  # nobody for the first of them
        for hyp in sorted(free & gains[rest[0]].keys()):
            gain, mapped = best(rest[1:], free - {hyp})
            each = (gain + gains[rest[0]][hyp], {**mapped, rest[0]: hyp})
            found = max(found, each, key=lambda each: each[0])
        return found

    return best(sorted(gains), frozenset(hyp for row in gains.values() for hyp in row))[1]


def jaccard_error(scored: Iterable[Piece], ref: str, hyp: str | None) -> float:
    """The time that only one of two speakers has, in the time of either; 1 for a speaker without a match."""
    if hyp is None:
        return 1.0
    alone = either = 0
    for piece in scored:
        has_ref, has_hyp = ref in piece.reference, hyp in piece.hypothesis
        alone += piece.length * (has_ref != has_hyp)
        either += piece.length * (has_ref or has_hyp)
    return alone / either
