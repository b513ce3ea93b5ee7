"""What is wrong with annotations: turns beyond the end or over each other, files without a pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from diarize.corpus.facts import Facts
from diarize.corpus.findings import Finding
from diarize.corpus.layout import Corpus, Recording
from diarize.segments import TOUCH, Segment

OVERHANG, BEYOND = 0.05, 0.5
"""Seconds by which a turn may end after its recording (rounding), and from which on it is an error."""


def check_annotations(corpus: Corpus, facts: Sequence[Facts]) -> Iterator[Finding]:
    """The findings of the turns, or of the segments of utterances, of all recordings."""
    for message in corpus.left_out:
        path, _, what = message.partition(": ")
        yield Finding("annotation", path, what)
    for stray in corpus.strays:
        yield Finding("no-recording", stray, "the corpus has no such recording")
    for recording, known in zip(corpus.recordings, facts, strict=True):
        spans = _spans(recording)
        if spans is None:
            yield Finding("no-annotation", recording.path)
            continue
        if known.error:
            continue
        for speaker, segments in spans.items():
            last = max(segments, key=lambda segment: segment.end)
            beyond = last.end - known.seconds
            if beyond > OVERHANG:
                where = (
                    f"{speaker} speaks until {last.end:.2f} s, the recording ends at {known.seconds:.2f} s"
                )
                yield Finding(
                    "beyond-end" if beyond > BEYOND else "overhang", recording.path, where, score=beyond
                )
            yield from _overlaps(recording.path, speaker, segments)


def _spans(recording: Recording) -> dict[str, list[Segment]] | None:
    """The segments of each speaker of a recording; None if it has no annotation and needs one."""
    if recording.turns is not None:
        said = [(turn.speaker, turn.segment) for turn in recording.turns]
    elif recording.utterances:
        said = [(each.speaker, each.segment) for each in recording.utterances if each.segment is not None]
    else:
        return None
    spans: dict[str, list[Segment]] = defaultdict(list)
    for speaker, segment in said:
        spans[speaker].append(segment)
    return spans


def _overlaps(path: str, speaker: str, segments: Sequence[Segment]) -> Iterator[Finding]:
    """The first overlap of a speaker with themselves, and the seconds of all of them."""
    overlaps, end = [], 0.0
    for segment in sorted(segments):
        if segment.start < end - TOUCH:
            overlaps.append(Segment(segment.start, min(segment.end, end)))
        end = max(end, segment.end)
    if overlaps:
        seconds = sum(each.duration for each in overlaps)
        where = f"turns of {speaker} overlap for {seconds:.2f} s, first at {overlaps[0].start:.2f} s"
        yield Finding("own-overlap", path, where, score=seconds)
