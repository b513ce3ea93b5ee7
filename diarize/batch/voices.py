"""The same people in many recordings: linked, or searched for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from diarize.batch.result_voices import ResultVoices
from diarize.clustering.partitions import Labels
from diarize.machine.threads import one_blas_thread
from diarize.segments import Segment, Turn
from diarize.speakers.enrolment import Sides, Verifier, assign
from diarize.speakers.linking import link
from diarize.speakers.voice_table import VoiceTable, is_numbered


class Linked(NamedTuple):
    """A speaker of a recording, and who it is in all of them."""

    recording: str
    speaker: str
    person: str
    seconds: float
    """Of speech."""
    score: float | None
    """In nats, of the speaker and the rest of the person; None for a person in one recording."""


class Hit(NamedTuple):
    """A speaker of a recording who may be the person looked for."""

    score: float
    """In nats."""
    found: bool
    """Whether it is the person, at the rate of false alarms."""
    recording: str
    speaker: str
    turns: list[Segment]


def link_results(
    results: Sequence[ResultVoices], verifier: Verifier, false_alarms: float, known: VoiceTable | None = None
) -> list[Linked]:
    """Who is who in several recordings, a row for each speaker, in the order of the results.

    A speaker who has a name keeps it, and people without a name are numbered by first appearance. With known
    voices, people who match get their names.
    """
    speakers = [(result, speaker) for result in results for speaker in result.speakers]
    rows = [(result.recording, str(result.path)) for result, _ in speakers]
    own = [None if is_numbered(speaker) else speaker for _, speaker in speakers]
    seconds = np.array([_seconds(result, speaker) for result, speaker in speakers])
    with one_blas_thread():
        sides = _sides(speakers, verifier)
        needed = verifier.threshold(false_alarms, max(len(speakers) - 1, 1))
        labels = link(verifier, sides, [path for _, path in rows], needed, own)
        names = _names(labels, own, sides, verifier, false_alarms, known)
        scores = [_score_of(row, labels, sides, verifier) for row in range(len(speakers))]
    return [
        Linked(recording, speaker, names[label], float(time), score)
        for (recording, _), (_, speaker), label, time, score in zip(
            rows, speakers, labels.tolist(), seconds, scores, strict=True
        )
    ]


def find_person(
    recordings: Sequence[tuple[str, Sequence[Turn], VoiceTable]],
    person: VoiceTable,
    verifier: Verifier,
    false_alarms: float,
) -> list[Hit]:
    """Where a person speaks: for each recording with speech the speaker who is most like them, best first.

    Parameters
    ----------
    recordings : sequence of (recording, turns, voices)
    person : VoiceTable
        The recordings of one person.
    verifier : Verifier
    false_alarms : float
        Share of the speakers who are not this person and are found.
    """
    needed, hits = verifier.threshold(false_alarms, 1), []
    with one_blas_thread():
        sought = verifier.sides(person)
        for recording, turns, voices in recordings:
            if not len(voices):
                continue
            scores = verifier.scores(verifier.sides(voices), sought)[:, 0]
            best = int(scores.argmax())
            speaker = voices.names[best]
            spoken = [turn.segment for turn in turns if turn.speaker == speaker]
            hits.append(Hit(float(scores[best]), bool(scores[best] > needed), recording, speaker, spoken))
    return sorted(hits, key=lambda hit: -hit.score)


def _seconds(result: ResultVoices, speaker: str) -> float:
    return float(result.voices.seconds[result.voices.name == speaker].sum())


def _sides(speakers: Sequence[tuple[ResultVoices, str]], verifier: Verifier) -> Sides:
    """The sides (n,) of speakers; of one without embeddings, nothing is known, and it counts as 0 windows."""
    dims = len(verifier.backend.spread)
    counts, sums = np.zeros(len(speakers)), np.zeros((len(speakers), dims))
    for row, (result, speaker) in enumerate(speakers):
        own = result.voices.rows(result.voices.name == speaker)
        if len(own):
            side = verifier.sides(own)
            counts[row], sums[row] = side.counts[0], side.sums[0]
    return Sides(counts, sums)


def _names(
    labels: Labels,
    own: Sequence[str | None],
    sides: Sides,
    verifier: Verifier,
    false_alarms: float,
    known: VoiceTable | None,
) -> list[str]:
    """The name of each person 0, 1, ...: its own, that of a known voice, or a number."""
    n = int(labels.max(initial=-1)) + 1
    names: list[str | None] = [None] * n
    for label, name in zip(labels.tolist(), own, strict=True):
        names[label] = names[label] or name
    if known is not None and n:
        people = np.eye(n)[labels].T  # (n, n_speakers)
        people = people[[name is None for name in names]]
        free = [label for label, name in enumerate(names) if name is None]
        others = [name for name in known.names if name not in names]
        rows = known.rows(np.isin(known.name, others))
        needed = verifier.threshold(false_alarms, len(known.names))
        scores = verifier.scores(Sides(people @ sides.counts, people @ sides.sums), verifier.sides(rows))
        for row, column in assign(scores, needed).items():
            names[free[row]] = rows.names[column]
    numbers = iter(range(n))
    return [f"SPEAKER_{next(numbers):02d}" if name is None else name for name in names]


def _score_of(row: int, labels: Labels, sides: Sides, verifier: Verifier) -> float | None:
    """The score of a speaker and the rest of its person."""
    others = labels == labels[row]
    others[row] = False
    if not others.any():
        return None
    rest = Sides(sides.counts[others].sum(keepdims=True), sides.sums[others].sum(axis=0, keepdims=True))
    return float(verifier.scores(Sides(sides.counts[[row]], sides.sums[[row]]), rest)[0, 0])
