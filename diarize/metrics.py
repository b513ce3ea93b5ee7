"""How far a diarization is from its reference: DER with its parts, and JER, through pyannote.metrics.

Three conditions decide a figure and are stated with every table: the collar, whether overlapped speech
counts, and which time is scored. The collar here is NIST's, removed on **each side** of a reference boundary;
pyannote.metrics takes the total width, twice that::

    reference       |======= anna =======|
    collar c     |--c--|              |--c--|
    scored     --|     |==============|     |------
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyannote.core
import pyannote.metrics.diarization

from diarize.errors import FormatError
from diarize.folders import find_files
from diarize.formats import FORMATS, read_turns
from diarize.formats.uem import read_uem
from diarize.segments import Segment, Turn, join_segments

logger = logging.getLogger(__name__)

_pyannote: Any = pyannote.metrics.diarization  # only partly typed

FROM_UEM = "UEM"
FROM_EXTENT = "reference and hypothesis extent"


@dataclass(frozen=True)
class DiarizationScore:
    """The errors of a recording, or of several together.

    Parameters
    ----------
    recording : str
    total : float
        Seconds of scored reference speech; a second with two speakers counts twice.
    missed, false_alarm, confusion : float
        Seconds.
    jer : float
        Jaccard error rate, 0 to 1: mean over reference speakers; nan without any.
    n_reference, n_hypothesis : int
        Speakers with time in the scored region, collars taken out.
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
        """Diarization error rate, from 0 and possibly above 1; nan without scored reference speech."""
        return self.share(self.missed + self.false_alarm + self.confusion)

    def share(self, seconds: float) -> float:
        """Seconds over those of scored reference speech; nan when there are none."""
        return seconds / self.total if self.total else math.nan


def score_diarization(
    reference: Sequence[Turn],
    hypothesis: Sequence[Turn],
    *,
    scored: Sequence[Segment] | None = None,
    collar: float = 0.0,
    skip_overlap: bool = False,
) -> DiarizationScore:
    """Errors of a hypothesis against the reference of the same recording.

    Parameters
    ----------
    reference, hypothesis : sequence of Turn
        Of one recording; overlapping turns of one speaker count once.
    scored : sequence of Segment, optional
        The time to score, usually of a UEM. Without it: from 0 to the last end of reference and hypothesis,
        so that false alarms before the first and after the last reference turn count.
    collar : float
        Seconds left out on each side of every reference boundary.
    skip_overlap : bool
        Leave out the time when two reference speakers talk at once.

    Raises
    ------
    ValueError
        For turns of more than one recording, or a negative collar.

    References
    ----------
    DER: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan". JER: N. Ryant et
    al., "The Second DIHARD Diarization Challenge", Interspeech 2019. Both as computed by H. Bredin,
    "pyannote.metrics", Interspeech 2017.
    """
    recordings = {turn.recording for turn in (*reference, *hypothesis)}
    if len(recordings) > 1 or collar < 0:
        raise ValueError(f"needs one recording and collar >= 0, got {sorted(recordings)} and {collar}")
    if scored is None:
        end = max((turn.segment.end for turn in (*reference, *hypothesis)), default=0.0)
        region = pyannote.core.Timeline([pyannote.core.Segment(0, end)] if end else [])
    else:
        region = pyannote.core.Timeline([pyannote.core.Segment(s.start, s.end) for s in scored]).support()
    conditions = {"collar": 2 * collar, "skip_overlap": skip_overlap}
    ref, hyp = _annotation(reference), _annotation(hypothesis)
    der, jer = _pyannote.DiarizationErrorRate(**conditions), _pyannote.JaccardErrorRate(**conditions)
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


def _annotation(turns: Iterable[Turn]) -> pyannote.core.Annotation:
    """The turns for pyannote; those of one speaker that overlap become one, those that touch stay two.

    Otherwise a speaker would overlap with itself, counted twice by DER and left out by ``skip_overlap``.
    """
    own: dict[str, list[Segment]] = defaultdict(list)
    for turn in sorted(turns):
        own[turn.speaker].append(turn.segment)
    annotation = pyannote.core.Annotation()
    for speaker, segments in own.items():
        for segment in join_segments(segments):
            annotation[pyannote.core.Segment(segment.start, segment.end), speaker] = speaker
    return annotation


def pool(scores: Sequence[DiarizationScore]) -> DiarizationScore:
    """All recordings as one: seconds and speakers are summed, JER is the mean over all reference speakers.

    So DER weights recordings by their speech and JER weights them by their speakers, both as the scoring tool
    of DIHARD does (https://github.com/nryant/dscore).

    Raises
    ------
    ValueError
        Without a score, or when only some of the scored regions come from a UEM.
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


def score_files(
    reference: str | Path,
    hypothesis: str | Path,
    uem: str | Path | None = None,
    collar: float = 0.0,
    skip_overlap: bool = False,
) -> list[DiarizationScore]:
    """Scores of the reference's recordings in order of their ids; recordings are matched by id.

    All three are files or folders of files, turns in any annotation format. A reference recording without
    hypothesis counts as all missed; a hypothesis without reference, and a recording that a given UEM does
    not name, are left out. The log warns of each.

    Raises
    ------
    FormatError
        For an unreadable file, no recording to score, or a hypothesis of quite other recordings.
    """
    truth, found = _by_recording(reference), _by_recording(hypothesis)
    regions = _scored_regions(uem) if uem is not None else None
    if found and not truth.keys() & found.keys():
        raise FormatError(
            f"{hypothesis}: no recording of {reference} in it; it has {_some(found)}, "
            f"the reference {_some(truth)}"
        )
    for name in sorted(found.keys() - truth.keys()):
        logger.warning("%s: recording %s has no reference and is left out", hypothesis, name)
    scores = []
    for name in sorted(truth):
        if regions is not None and name not in regions:
            logger.warning("%s: recording %s is not in it and is left out", uem, name)
            continue
        if name not in found:
            logger.warning("%s: recording %s has no turns; all its speech counts as missed", hypothesis, name)
        scored = regions[name] if regions is not None else None
        turns = found.get(name, [])
        scores.append(
            score_diarization(truth[name], turns, scored=scored, collar=collar, skip_overlap=skip_overlap)
        )
    if not scores:
        where = reference if not truth else uem
        raise FormatError(
            f"{where}: no recording to score; give a reference with turns and a UEM that names them"
        )
    return scores


def _by_recording(path: str | Path) -> dict[str, list[Turn]]:
    """The turns of a file, or of the annotation files of a folder, by recording id."""
    turns: dict[str, list[Turn]] = defaultdict(list)
    for file in _files(Path(path), [known.suffix for known in FORMATS.values()]):
        for turn in read_turns(file):
            turns[turn.recording].append(turn)
    return dict(turns)


def _scored_regions(path: str | Path) -> dict[str, list[Segment]]:
    """The scored segments of a UEM file, or of the UEM files of a folder, by recording id."""
    regions: dict[str, list[Segment]] = defaultdict(list)
    for file in _files(Path(path), [".uem"]):
        for name, segments in read_uem(file).items():
            regions[name] += segments
    return dict(regions)


def _files(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """The file itself; of a folder, its files with the first of the suffixes that occurs there.

    One suffix only, because a folder of results may hold the same turns in several formats.
    """
    if not path.is_dir():
        return [path]
    there = find_files(path, below=False)
    for suffix in suffixes:
        files = [file for file in there if file.suffix.lower() == suffix.lower()]
        if files:
            return files
    raise FormatError(f"{path}: no file in this folder ends in {', '.join(suffixes)}")


def _some(names: Iterable[str], most: int = 3) -> str:
    """The first few names, and that there are more."""
    ordered = sorted(names)
    return ", ".join(ordered[:most]) + (f" and {len(ordered) - most} more" if len(ordered) > most else "")


def format_score_table(scores: Sequence[DiarizationScore], *, collar: float, skip_overlap: bool) -> str:
    """A Markdown table, a row a recording and TOTAL, below one line that states the conditions.

    Rates are per cent of scored reference speech; ``-`` where there is none.
    """
    pooled = pool(scores)
    heads = ("recording", "DER", "miss", "false alarm", "confusion", "JER", "speakers ref/hyp")
    rows: list[tuple[str, ...]] = [heads]
    for score in (*scores, pooled):
        seconds = (score.missed, score.false_alarm, score.confusion)
        rates = (score.der, *map(score.share, seconds), score.jer)
        counts = f"{score.n_reference}/{score.n_hypothesis}"
        rows.append((score.recording, *map(_percent, rates), counts))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_row(row, widths) for row in rows]
    lines.insert(1, "|".join(["", "-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:]), ""]))
    overlap = "overlap left out" if skip_overlap else "overlap scored"
    source = pooled.scored_region_source
    conditions = f"collar {collar:g} s each side, {overlap}, scored region: {source}; in %"
    return "\n".join([conditions, "", *lines, ""])


def _percent(rate: float) -> str:
    return "-" if math.isnan(rate) else f"{100 * rate:.2f}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *others = cells
    aligned = [name.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True))]
    return "| " + " | ".join(aligned) + " |"
