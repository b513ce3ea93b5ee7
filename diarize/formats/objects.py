"""Turns as objects of other libraries: tables of pandas, annotations of pyannote, supervisions of lhotse.

None of them is needed for anything else, so each is imported where it is used.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from diarize.errors import DiarizeError
from diarize.machine.quiet_imports import import_matplotlib
from diarize.segments import Segment, Turn

if TYPE_CHECKING:
    from lhotse import SupervisionSet
    from pandas import DataFrame
    from pyannote.core import Annotation

COLUMNS = ("recording", "start", "end", "speaker")

logger = logging.getLogger(__name__)


def to_dataframe(turns: Iterable[Turn], confidence: Sequence[float] | None = None) -> DataFrame:
    """The turns as a table of pandas: recording, start, end (seconds), speaker and, if given, confidence.

    Raises
    ------
    DiarizeError
        If pandas is not installed.
    """
    rows = [(turn.recording, turn.segment.start, turn.segment.end, turn.speaker) for turn in turns]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)}
    if confidence is not None:
        columns["confidence"] = list(confidence)
    table = _load("pandas").DataFrame(columns)
    kinds = {name: float for name in ("start", "end", "confidence") if name in columns}
    return table.astype(kinds)  # a table without turns has the types of any other


def from_dataframe(table: DataFrame, recording: str | None = None) -> list[Turn]:
    """The turns of a table with the columns start and end in seconds, speaker and recording, sorted.

    Parameters
    ----------
    table : DataFrame
        Other columns do not matter.
    recording : str, optional
        The id of the recording, for a table without this column.

    Raises
    ------
    DiarizeError
        If a column is missing, or a row is no turn; the message gives its index.
    """
    wanted = [name for name in COLUMNS if recording is None or name != "recording"]
    if missing := [name for name in wanted if name not in table.columns]:
        remedy = "; give recording=" if missing == ["recording"] else ""
        raise DiarizeError(
            f"the table: no column {', '.join(missing)}; it has {', '.join(map(str, table.columns))}{remedy}"
        )
    turns = []
    for index, *cells in table[wanted].itertuples():
        row = dict(zip(wanted, cells, strict=True))
        try:
            segment = Segment(float(row["start"]), float(row["end"]))
        except (TypeError, ValueError) as error:
            raise DiarizeError(f"the table, row {index}: {error}") from error
        if not isinstance(row["speaker"], str) or not row["speaker"].strip():
            raise DiarizeError(f"the table, row {index}: {row['speaker']!r} is no speaker's name")
        turns.append(Turn(str(row.get("recording", recording)), segment, row["speaker"]))
    return sorted(turns)


def to_annotation(turns: Iterable[Turn], recording: str | None = None) -> Annotation:
    """The turns of one recording as an Annotation of pyannote.core, with a track for each.

    `recording` becomes its `uri`; by default, the recording of the turns does.

    Raises
    ------
    ValueError
        If the turns are of several recordings.
    DiarizeError
        If pyannote.core is not installed.
    """
    turns = sorted(turns)
    if len(recordings := {turn.recording for turn in turns}) > 1:
        raise ValueError(f"an Annotation holds one recording, got turns of {sorted(recordings)}")
    core = _load("pyannote.core")
    annotation = core.Annotation(uri=recording or next(iter(recordings), None))
    for track, turn in enumerate(turns):
        annotation[core.Segment(turn.segment.start, turn.segment.end), track] = turn.speaker
    return annotation


def from_annotation(annotation: Annotation, recording: str | None = None) -> list[Turn]:
    """The turns of an Annotation of pyannote.core, sorted; `recording` is by default its `uri`."""
    name = recording or str(annotation.uri or "")
    tracks = annotation.itertracks(yield_label=True)
    return sorted(Turn(name, Segment(span.start, span.end), str(who)) for span, _, who in tracks)


def to_supervisions(turns: Iterable[Turn], channel: int | list[int] = 0) -> SupervisionSet:
    """The turns as supervisions of lhotse, with ids of recording and number: ``meeting-00000``, ...

    Parameters
    ----------
    turns : iterable of Turn
        Of any recordings.
    channel : int or list of int
        The channels of the recordings, counted from 0 as lhotse does.

    Raises
    ------
    DiarizeError
        If lhotse is not installed.
    """
    lhotse = _load("lhotse")
    count: Counter[str] = Counter()
    made = []
    for turn in sorted(turns):
        name, (start, end) = turn.recording, (turn.segment.start, turn.segment.end)
        duration = round(end - start, 9)  # lhotse's end, start + duration, is rounded to 8 decimals
        number = f"{name}-{count[name]:05d}"
        made.append(lhotse.SupervisionSegment(number, name, start, duration, channel, speaker=turn.speaker))
        count[name] += 1
    return lhotse.SupervisionSet.from_segments(made)


def from_supervisions(supervisions: Iterable[Any]) -> list[Turn]:
    """The turns of supervisions of lhotse, sorted. Those without a speaker are left out with a warning."""
    all_of = list(supervisions)
    known = [each for each in all_of if each.speaker]
    if len(known) < len(all_of):
        logger.warning("supervisions without a speaker left out: %d", len(all_of) - len(known))
    return sorted(Turn(each.recording_id, Segment(each.start, each.end), each.speaker) for each in known)


def _load(name: str) -> Any:
    if name.startswith("pyannote"):
        import_matplotlib()  # first, because pyannote.core's import of it writes into the home folder
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != name.split(".")[0]:
            raise
        raise DiarizeError(f"{name} is not installed; pip install {name}") from error
