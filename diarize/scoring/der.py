"""Errors of a diarization against its reference: DER with its parts, and JER, by pyannote.metrics.

A figure depends on three conditions, which every table states: the collar, whether overlapping speech is
scored, and which time is scored. The collar here is NIST's, removed on **each side** of a reference boundary;
pyannote.metrics takes the total width, twice that::

    reference       |======= anna =======|
    collar c     |--c--|              |--c--|
    scored     --|     |==============|     |------
"""

from __future__ import annotations

import logging
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from diarize.errors import DiarizeError, FormatError
from diarize.files.text import is_time
from diarize.machine.quiet_imports import import_pyannote
from diarize.scoring.inputs import UNNAMED, list_turns, regions_by_recording, share_names, turns_by_recording
from diarize.scoring.tables import markdown_table
from diarize.segments import Segment, Turn, join_segments

logger = logging.getLogger(__name__)

# pyannote.metrics is only partly typed.
_core: Any = import_pyannote("core")
_metrics: Any = import_pyannote("metrics.diarization")

FROM_UEM = "UEM"
FROM_EXTENT = "reference and hypothesis extent"


@dataclass(frozen=True)
class DiarizationScore:
    """The errors of one recording, or of several together.

    Parameters
    ----------
    recording : str
    total : float
        Seconds of scored reference speech; a second with two speakers counts twice.
    missed, false_alarm, confusion : float
        Seconds.
    jer : float
        Jaccard error rate, 0 to 1: mean over reference speakers; nan without reference speakers.
    n_reference, n_hypothesis : int
        Speakers with time in the scored region, without the collars.
    scored_region_source : str
        ``FROM_UEM`` or ``FROM_EXTENT``.
    """

    recording: str
    total: float
    missed: float
    false_alarm: float
    confusion: float
    jer: float
    n_reference: int
    n_hypothesis: int
    scored_region_source: str

    @property
    def der(self) -> float:
        """Diarization error rate: at least 0, may exceed 1; nan without scored reference speech."""
        return self.share(self.missed + self.false_alarm + self.confusion)

    def share(self, seconds: float) -> float:
        """Seconds divided by the seconds of scored reference speech; nan without such speech."""
        return seconds / self.total if self.total else math.nan


def score_diarization(
    reference: Any,
    hypothesis: Any,
    *,
    scored: Sequence[Segment] | None = None,
    collar: float = 0.0,
    skip_overlap: bool = False,
) -> DiarizationScore:
    """Errors of a hypothesis against the reference of the same recording.

    Parameters
    ----------
    reference, hypothesis : sequence of Turn, Diarization, pyannote's Annotation, path or open file
        Of one recording; overlapping turns of one speaker count once.
    scored : sequence of Segment, optional
        The time to score, usually from a UEM. By default, from 0 to the last end in reference and hypothesis,
        so that false alarms before the first and after the last reference turn count.
    collar : float
        Seconds left out on each side of every reference boundary.
    skip_overlap : bool
        Whether to leave out the time in which several reference speakers talk at once.

    Raises
    ------
    ValueError
        If the turns are of more than one recording, or the collar is negative.

    References
    ----------
    DER: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan". JER: N. Ryant et
    al., "The Second DIHARD Diarization Challenge", Interspeech 2019. Both as computed by H. Bredin,
    "pyannote.metrics", Interspeech 2017.
    """
    reference, hypothesis = list_turns(reference), list_turns(hypothesis)
    recordings = {turn.recording for turn in (*reference, *hypothesis) if turn.recording != UNNAMED}
    if len(recordings) > 1 or not collar >= 0:
        raise ValueError(f"needs one recording and collar >= 0, got {sorted(recordings)} and {collar}")
    if scored is None:
        end = max((turn.segment.end for turn in (*reference, *hypothesis)), default=0.0)
        region = _core.Timeline([_core.Segment(0, end)] if end else [])
    else:
        region = _core.Timeline([_core.Segment(s.start, s.end) for s in scored]).support()
    conditions = {"collar": 2 * collar, "skip_overlap": skip_overlap}
    ref, hyp = _annotation(reference), _annotation(hypothesis)
    der, jer = _metrics.DiarizationErrorRate(**conditions), _metrics.JaccardErrorRate(**conditions)
    parts = der.compute_components(ref, hyp, uem=region)
    speakers = jer.compute_components(ref, hyp, uem=region)
    _, scored_hyp = der.uemify(ref, hyp, uem=region, **conditions)
    n_reference = int(speakers["speaker count"])
    return DiarizationScore(
        recording=next(iter(recordings), ""),
        total=float(parts["total"]),
        missed=float(parts["missed detection"]),
        false_alarm=float(parts["false alarm"]),
        confusion=float(parts["confusion"]),
        jer=float(speakers["speaker error"]) / n_reference if n_reference else math.nan,
        n_reference=n_reference,
        n_hypothesis=len(scored_hyp.labels()),
        scored_region_source=FROM_EXTENT if scored is None else FROM_UEM,
    )


def _annotation(turns: Iterable[Turn]) -> Any:
    """The turns for pyannote; overlapping turns of one speaker are joined, those that touch are not.

    Otherwise a speaker would overlap with itself: DER would count it twice and ``skip_overlap`` leave it out.
    """
    own: dict[str, list[Segment]] = defaultdict(list)
    for turn in sorted(turns):
        own[turn.speaker].append(turn.segment)
    annotation = _core.Annotation()
    for speaker, segments in own.items():
        for segment in join_segments(segments):
            annotation[_core.Segment(segment.start, segment.end), speaker] = speaker
    return annotation


def pool(scores: Sequence[DiarizationScore]) -> DiarizationScore:
    """The score of all recordings together: seconds are summed, JER is the mean over reference speakers.

    DER weights recordings by their speech and JER by their speakers, like the scoring tool of DIHARD
    (https://github.com/nryant/dscore).

    Raises
    ------
    ValueError
        If there are no scores, or only some of the scored regions come from a UEM.
    """
    sources = {score.scored_region_source for score in scores}
    if len(sources) != 1:
        raise ValueError(f"needs scores with one source of the scored region, got {sorted(sources)}")
    n_reference = sum(score.n_reference for score in scores)
    errors = sum(score.jer * score.n_reference for score in scores if score.n_reference)
    return DiarizationScore(
        recording="TOTAL",
        total=sum(score.total for score in scores),
        missed=sum(score.missed for score in scores),
        false_alarm=sum(score.false_alarm for score in scores),
        confusion=sum(score.confusion for score in scores),
        jer=errors / n_reference if n_reference else math.nan,
        n_reference=n_reference,
        n_hypothesis=sum(score.n_hypothesis for score in scores),
        scored_region_source=sources.pop(),
    )


def score(
    reference: Any,
    hypothesis: Any,
    uem: Any = None,
    collar: float = 0.0,
    skip_overlap: bool = False,
) -> list[DiarizationScore]:
    """The score of each recording, in order of ids. Reference and hypothesis are matched by id.

    If a reference recording has no hypothesis, all its speech is missed. If the UEM names a recording without
    reference turns, all its speech is false alarm. With a UEM, recordings that it does not name are left out;
    without one, those that only the hypothesis has. The log warns of each.

    Parameters
    ----------
    reference, hypothesis : path, open file, Diarization, pyannote's Annotation, turns, or several of these
        A path is an annotation file in any format, or a folder of such files. An object without a recording's
        name belongs to the only recording of the other side.
    uem : path, open file, mapping from recording to segments, or segments, optional
        The regions to score.
    collar : float
        Seconds left out on each side of every reference boundary.
    skip_overlap : bool
        Whether to leave out the time in which several reference speakers talk at once.

    Raises
    ------
    FormatError
        If a file cannot be read, there is no recording to score, or the hypothesis has none of them.
    DiarizeError
        If the collar is negative or not a finite number.

    Examples
    --------
    >>> from diarize import Segment, Turn
    >>> reference = [Turn("a", Segment(0, 10), "Ann")]
    >>> hypothesis = [Turn("a", Segment(0, 8), "SPEAKER_00")]
    >>> score(reference, hypothesis)[0].der
    0.2
    """
    if not (collar >= 0 and is_time(collar)):
        raise DiarizeError(f"collar {collar:g}: give seconds, at least 0")
    truth, found = turns_by_recording(reference), turns_by_recording(hypothesis)
    regions = regions_by_recording(uem) if uem is not None else {}
    share_names(truth, found, regions)
    ref, hyp = _called(reference, "reference"), _called(hypothesis, "hypothesis")
    scored_by = _called(uem, "UEM")
    named = truth.keys() | regions.keys()
    if found and not named & found.keys():
        raise FormatError(
            f"{hyp}: no recording of {ref} in it; it has {_some(found)}, the reference {_some(truth)}"
        )
    for name in sorted(found.keys() - named):
        logger.warning("%s: recording %s has no reference and is left out", hyp, name)
    scores = []
    for name in sorted(named & (truth.keys() | found.keys())):
        if uem is not None and name not in regions:
            logger.warning("%s: recording %s is not in it and is left out", scored_by, name)
            continue
        if name not in found:
            logger.warning("%s: recording %s has no turns; all its speech counts as missed", hyp, name)
        if name not in truth:
            logger.warning("%s: recording %s has no turns; all its speech counts as false alarm", ref, name)
        score = score_diarization(
            truth.get(name, []),
            found.get(name, []),
            scored=regions[name] if uem is not None else None,
            collar=collar,
            skip_overlap=skip_overlap,
        )
        scores.append(replace(score, recording=name))
    if not scores:
        where = ref if not truth or uem is None else scored_by
        raise FormatError(
            f"{where}: no recording to score; give a reference with turns and a UEM that names them"
        )
    return scores


def _called(source: Any, role: str) -> str:
    """The name of a source in errors: a path, or the role of anything else."""
    return str(source) if isinstance(source, str | os.PathLike) else f"the {role}"


def _some(names: Iterable[str], most: int = 3) -> str:
    """The first few names and the number of the others; "none" if there are none."""
    ordered = sorted(names) or ["none"]
    return ", ".join(ordered[:most]) + (f" and {len(ordered) - most} more" if len(ordered) > most else "")


def format_score_table(scores: Sequence[DiarizationScore], *, collar: float, skip_overlap: bool) -> str:
    """A Markdown table with a row for each recording and TOTAL, below a line with the conditions.

    Rates are per cent of scored reference speech. Without such speech a rate is ``-``, with a line below.
    """
    pooled = pool(scores)
    heads = ("recording", "DER", "miss", "false alarm", "confusion", "JER", "speakers ref/hyp")
    rows: list[tuple[str, ...]] = [heads]
    for score in (*scores, pooled):
        seconds = (score.missed, score.false_alarm, score.confusion)
        rates = (score.der, *map(score.share, seconds), score.jer)
        counts = f"{score.n_reference}/{score.n_hypothesis}"
        rows.append((score.recording, *map(_percent, rates), counts))
    lines = markdown_table(rows)
    overlap = "overlap left out" if skip_overlap else "overlap scored"
    source = pooled.scored_region_source
    conditions = f"collar {collar:g} s each side, {overlap}, scored region: {source}; in %"
    silent = [
        f"{score.recording}: no reference speech, {score.false_alarm:.2f} s of false alarm; no rate"
        for score in (*scores, pooled)
        if not score.total
    ]
    return "\n".join([conditions, "", *lines, *(["", *silent] if silent else []), ""])


def _percent(rate: float) -> str:
    return "-" if math.isnan(rate) else f"{100 * rate:.2f}"
