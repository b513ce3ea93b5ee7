"""Speakers for the words of a transcript, by the turns of a diarization.

===================================  ==================================================================
a word                               its speaker
===================================  ==================================================================
within a turn                        the speaker of the turn
across a change of speaker           who has more of it
in overlap, each having all of it    who has more of the sentence; of equals, who says the word before,
                                     otherwise who began to speak first
in silence                           who speaks nearest in time, if within `max_gap` seconds
further from any turn                nobody
===================================  ==================================================================

Then sentences are mended: the times of words and the borders of turns are a few tenths of a second off, so a
word or two at the edge of a sentence may be given to the neighbour. See `mend_sentence`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, groupby

from diarize.segments import Turn
from diarize.words.word import Word

MAX_GAP = 2.0
"""Seconds between a word and the nearest turn, above which nobody says the word."""

_HALF = 0.01  # a word without duration is this long to both sides
_EQUAL = 1e-3  # seconds of a word that two speakers have alike
_PAUSE = 1.0  # seconds between two words of different sentences
_ENDS = (".", "?", "!", "\u2026", "\u3002", "\uff1f", "\uff01")
_CLOSING = "\"'\u201d\u2019\u00bb)]"
_EDGE_WORDS, _EDGE_SECONDS = 2, 0.8
_MAJORITY = 2 / 3

_LONGEST = 10.0  # seconds of a piece of a turn

Shares = dict[str, float]
"""Seconds by speaker."""

Piece = tuple[float, float, str]
"""Start, end and speaker of a turn, or of a part of one."""


def assign_speakers(
    words: Sequence[Word], turns: Iterable[Turn], *, max_gap: float = MAX_GAP, mend: bool = True
) -> list[Word]:
    """The words with speakers, by the turns of their recording.

    Parameters
    ----------
    words : sequence of Word
        In the order of the transcript.
    turns : iterable of Turn
        Of one recording; they may overlap.
    max_gap : float
        Seconds between a word and the nearest turn, above which nobody says the word.
    mend : bool
        Whether to mend sentences; otherwise each word is decided by its own time.
    """
    pieces = _cut(turns)
    starts = [start for start, _, _ in pieces]
    ends = list(accumulate((end for _, end, _ in pieces), max))  # the latest end so far
    latest: list[Piece] = list(accumulate(pieces, _later))  # the piece that ends then
    named: list[Word] = []
    before: str | None = None
    for sentence in _sentences(words):
        spans = [_span(word) for word in sentence]
        shares = [
            _shares(pieces[bisect_left(ends, start) : bisect_left(starts, end)], start, end)
            for start, end in spans
        ]
        spoken: list[Word] = []
        of_sentence: Shares = defaultdict(float)
        for share in shares:
            for speaker, seconds in share.items():
                of_sentence[speaker] += seconds
        for word, (start, end), share in zip(sentence, spans, shares, strict=True):
            if share:
                best = _most(share, share)
                best = _most(of_sentence, best)
                before = before if before in best else best[0]
            else:
                index = bisect_left(starts, end)  # of the first piece after the word
                near = [*latest[max(0, index - 1) : index], *pieces[index : index + 1]]
                before = _nearest(near, start, end, max_gap)
            spoken.append(replace(word, speaker=before))
        named += mend_sentence(spoken) if mend else spoken
    return named


def _cut(turns: Iterable[Turn]) -> list[Piece]:
    """The turns in order of their starts, long ones in pieces, so that few pieces can reach a word."""
    pieces = []
    for turn in sorted(turns, key=lambda turn: (turn.segment.start, turn.segment.end)):
        start, end = turn.segment.start, turn.segment.end
        while end - start > _LONGEST:
            pieces.append((start, start + _LONGEST, turn.speaker))
            start += _LONGEST
        pieces.append((start, end, turn.speaker))
    return sorted(pieces, key=lambda piece: piece[0])


def _later(one: Piece, other: Piece) -> Piece:
    """The one of two pieces that ends later."""
    return one if one[1] > other[1] else other


def _most(seconds: Shares, among: Iterable[str]) -> list[str]:
    """Those speakers who have the most seconds, or nearly so."""
    most = max(seconds[speaker] for speaker in among)
    return [speaker for speaker in among if seconds[speaker] >= most - _EQUAL]


def _span(word: Word) -> tuple[float, float]:
    """Start and end of a word, a little apart where it has no duration."""
    start, end = min(word.start, word.end), max(word.start, word.end)
    if end - start >= 2 * _HALF:
        return start, end
    middle = (start + end) / 2
    return middle - _HALF, middle + _HALF


def _shares(pieces: Iterable[Piece], start: float, end: float) -> Shares:
    """How much of a span each speaker has, in the order in which they began to speak."""
    shares: Shares = defaultdict(float)
    for begins, ends, speaker in pieces:
        if (seconds := min(end, ends) - max(start, begins)) > 0:
            shares[speaker] += seconds
    return shares


def _nearest(pieces: Iterable[Piece], start: float, end: float, max_gap: float) -> str | None:
    """The speaker of the piece nearest to a span, if it is near enough."""
    gaps = [(max(start - ends, begins - end), speaker) for begins, ends, speaker in pieces]
    gap, speaker = min(gaps, key=lambda each: each[0], default=(max_gap + 1, ""))
    return speaker if gap <= max_gap else None


def mend_sentence(words: Sequence[Word]) -> list[Word]:
    """The words of a sentence, with few words of another speaker given to its main speaker.

    Given are up to two words at the beginning or the end, at most 0.8 s long, and one such word within it, if
    the main speaker has two thirds of the words.
    """
    speakers = [word.speaker for word in words]
    main = max(dict.fromkeys(speakers), key=speakers.count)
    if main is None or speakers.count(main) < _MAJORITY * len(words):
        return list(words)
    mended: list[Word] = []
    for speaker, run in groupby(words, key=lambda word: word.speaker):
        spoken = list(run)
        at_edge = not mended or len(mended) + len(spoken) == len(words)
        is_short = len(spoken) <= (_EDGE_WORDS if at_edge else 1)
        is_short &= spoken[-1].end - spoken[0].start <= _EDGE_SECONDS
        mended += [replace(word, speaker=main if is_short else speaker) for word in spoken]
    return mended


def _sentences(words: Sequence[Word]) -> list[list[Word]]:
    """The words by sentence.

    A sentence ends with a full stop, a question mark or an exclamation mark, or before a pause of a second;
    in a transcript without such marks, with its segment.
    """
    has_marks = any(_ends_sentence(word) for word in words)
    sentences: list[list[Word]] = []
    for index, word in enumerate(words):
        last = words[index - 1] if index else None
        is_new = last is None or word.start - last.end >= _PAUSE
        if last is not None and not is_new:
            is_new = _ends_sentence(last) if has_marks else last.segment != word.segment
        if is_new:
            sentences.append([])
        sentences[-1].append(word)
    return sentences


def _ends_sentence(word: Word) -> bool:
    return word.text.rstrip(_CLOSING).endswith(_ENDS)
