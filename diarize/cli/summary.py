"""The summary of a labelled recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from diarize.cli.console import STAGES, clock

if TYPE_CHECKING:
    from diarize.clustering.reasons import Recognised, RecognisedSpeaker
    from diarize.files.locations import Location
    from diarize.pipeline.result import Diarization


def describe(diarization: Diarization, paths: Sequence[Location], seconds: float) -> str:
    """A summary as text: the turns, the number of speakers and its reason, the times, the files written."""
    lines = [f"{diarization.recording}"]
    lines += [
        f"  {clock(turn.segment.start)} - {clock(turn.segment.end)}  {turn.speaker}"
        for turn in diarization.turns
    ]
    lines.append(f"speakers: {len(diarization.speakers)}")
    lines.append(f"why: {diarization.evidence['reason']}")
    if (known := diarization.evidence.get("known")) is not None:
        lines.append(f"known: {describe_known(known)}")
    stages = ", ".join(f"{STAGES[stage]} {value:.2f} s" for stage, value in diarization.seconds.items())
    lines.append(f"{diarization.duration:.1f} s of audio in {seconds:.2f} s: {stages}")
    lines.append(f"real-time factor {seconds / diarization.duration:.4f}")
    return "\n".join(lines + [f"written: {path}" for path in paths]) + "\n"


def describe_known(known: Recognised) -> str:
    """Which speakers are known people, with their scores in nats."""
    found = [
        f"{each['speaker']} is {each['name'] or 'nobody known'} ({_score(each)})"
        for each in known["speakers"]
    ]
    needed = f"a name needs {known['needed']:.1f} nats ({known['false_alarms']:.2%} false alarms)"
    return "; ".join([*found, needed])


def _score(each: RecognisedSpeaker) -> str:
    if each["score"] is None:
        return "the table is empty"
    return f"{each['score']:.1f}" if each["name"] else f"nearest {each['nearest']}, {each['score']:.1f}"
