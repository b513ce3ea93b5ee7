"""The check of a corpus before a training: reads every recording, and gathers what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from diarize.audio.progress import Hook, Progress, ignore
from diarize.corpus.annotations import check_annotations
from diarize.corpus.duplicates import check_duplicates
from diarize.corpus.facts import Examination, Facts, glance
from diarize.corpus.findings import Finding, in_order
from diarize.corpus.layout import Corpus, Recording
from diarize.corpus.sounds import check_sounds
from diarize.corpus.subsets import check_subsets
from diarize.corpus.voices import check_voices, require_backend

_CHUNK = 8  # recordings that are sent to a process at a time


@dataclass(frozen=True)
class Summary:
    """Numbers of a corpus. Recordings that cannot be read count for `n_recordings` alone.

    Attributes
    ----------
    n_speakers, n_recordings : int
    n_alone : int
        Speakers with one recording.
    hours : float
    seconds : tuple of float
        Shortest, median and longest recording.
    rates : dict
        Recordings by sample rate in Hz.
    levels : tuple of float, optional
        5 %, 50 % and 95 % of the levels, in dB of full scale; None in the quick form.
    subsets : dict
        Recordings of each set; empty if there is one only.
    """

    n_speakers: int
    n_recordings: int
    n_alone: int
    hours: float
    seconds: tuple[float, float, float]
    rates: dict[int, int]
    levels: tuple[float, float, float] | None
    subsets: dict[str, int]


@dataclass(frozen=True)
class Report:
    """The result of a check."""

    summary: Summary
    findings: list[Finding]
    """Errors first; `in_order`."""

    @property
    def errors(self) -> list[Finding]:
        """The findings that break or spoil a training."""
        return [each for each in self.findings if each.severity == "error"]


def check_corpus(
    corpus: Corpus,
    *,
    lists: Mapping[str, Collection[str]] | None = None,
    model: str | None = None,
    quick: bool = False,
    n_processes: int = 1,
    hook: Hook = ignore,
) -> Report:
    """What is wrong with a corpus.

    Parameters
    ----------
    corpus : Corpus
    lists : dict, optional
        The speakers of each set.
    model : str, optional
        An embedding model with a back end; by default, the default bundled one.
    quick : bool
        Read headers and first seconds alone. Then samples, copies and voices are not checked, and duplicates
        are files with the same bytes.
    n_processes : int
    hook : callable, optional
        Called with "check" and a `Progress`: the recordings that are read, and all.

    Raises
    ------
    ModelError
        If the model cannot be loaded or has no back end.
    """
    voices = not quick and corpus.kind == "speakers"
    backend = require_backend(model) if voices else None
    start = _glances if quick else partial(Examination, model, embeds=voices)
    facts: list[Facts] = []
    for each in _read(start, corpus, n_processes):
        facts.append(each)
        hook("check", Progress(len(facts), len(corpus.recordings)))

    def findings() -> Iterator[Finding]:
        yield from check_sounds(corpus.recordings, facts, corpus.kind)
        yield from check_duplicates(corpus.recordings, facts)
        yield from check_subsets(corpus, lists or {})
        yield from check_annotations(corpus, facts)
        if backend is not None:
            yield from check_voices(corpus.recordings, facts, backend)

    return Report(_summarise(corpus, facts), in_order(findings()))


def _read(
    start: Callable[[], Callable[[Recording], Facts]], corpus: Corpus, n_processes: int
) -> Iterable[Facts]:
    if n_processes == 1:
        return map(start(), corpus.recordings)
    from diarize.machine.processes import map_in_processes  # loads torch

    return map_in_processes(start, corpus.recordings, n_processes, chunksize=_CHUNK)


def _glances() -> Callable[[Recording], Facts]:
    return glance


def _summarise(corpus: Corpus, facts: list[Facts]) -> Summary:
    seconds = np.array([each.seconds for each in facts if not each.error] or [0.0])
    levels = [each.sound.level for each in facts if each.sound is not None and np.isfinite(each.sound.level)]
    low, middle, high = map(float, np.quantile(levels or [0.0], (0.05, 0.5, 0.95)))
    rates, counts = np.unique([each.rate for each in facts if not each.error], return_counts=True)
    names, n_each = np.unique(
        [speaker for recording in corpus.recordings for speaker in sorted(recording.speakers)],
        return_counts=True,
    )
    subsets = [recording.subset for recording in corpus.recordings]
    return Summary(
        n_speakers=len(names),
        n_recordings=len(facts),
        n_alone=int((n_each == 1).sum()),
        hours=float(seconds.sum()) / 3600,
        seconds=(float(seconds.min()), float(np.median(seconds)), float(seconds.max())),
        rates=dict(zip(map(int, rates), map(int, counts), strict=True)),
        levels=(low, middle, high) if levels else None,
        subsets={name or "no set": subsets.count(name) for name in corpus.subsets} if any(subsets) else {},
    )
