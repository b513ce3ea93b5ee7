"""Findings of a check: what is wrong with a corpus, where, how sure, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of finding. An error breaks or spoils a training; a warning may be meant so."""

    severity: str
    title: str
    remedy: str
    """Empty if each finding says its own."""


KINDS = {
    "unreadable": Kind("error", "cannot be read", ""),
    "empty": Kind("error", "shorter than a frame of features", "remove it"),
    "silent": Kind("error", "without any sound", "record or export it again"),
    "duplicate-speakers": Kind("error", "the same samples in two speakers", "keep one"),
    "duplicate-sets": Kind("error", "the same samples in two sets", "keep one"),
    "copy-speakers": Kind("error", "the same sound in two speakers", "listen to both, keep one"),
    "copy-sets": Kind("error", "the same sound in two sets", "listen to both, keep one"),
    "speaker-sets": Kind("error", "a speaker in two sets", "take the speaker out of one"),
    "unknown-speaker": Kind("error", "a listed speaker without recordings", "correct the list"),
    "one-speaker": Kind("error", "fewer than two speakers", "add recordings of other speakers"),
    "beyond-end": Kind("error", "a turn beyond the end of its recording", "correct the annotation"),
    "no-recording": Kind("error", "an annotation without a recording", "rename or add the recording"),
    "short": Kind("warning", "short recordings", "leave them out, or join them"),
    "long": Kind("warning", "long recordings, which are read as a whole", "cut them"),
    "partial": Kind("warning", "read in part", "copy or export it again"),
    "low-rate": Kind(
        "warning", "sample rates below 16 kHz", "keep such recordings apart, or use all at 8 kHz"
    ),
    "narrow-band": Kind("warning", "no sound above 4 kHz", "keep such recordings apart"),
    "quiet": Kind("warning", "nearly silent", "listen to it"),
    "clipped": Kind("warning", "clipped", "record it at a lower level"),
    "level": Kind("warning", "far from the usual level", "listen to it"),
    "offset": Kind("warning", "an offset of the samples (DC)", "subtract the mean"),
    "duplicate": Kind("warning", "the same samples twice", "keep one"),
    "copy": Kind("warning", "the same sound twice", "keep one"),
    "two-voices": Kind("warning", "perhaps two voices under one name", "listen to them"),
    "one-voice": Kind("warning", "perhaps one voice under two names", "listen to them, join the speakers"),
    "overhang": Kind("warning", "a turn that ends after its recording", "cut it there"),
    "own-overlap": Kind("warning", "a speaker's turns overlap each other", "join them"),
    "annotation": Kind("warning", "left out of an annotation", "correct it"),
    "no-annotation": Kind("warning", "a recording without annotation", "annotate it, or remove it"),
    "no-set": Kind("warning", "speakers in no set", "add them to a list"),
}
"""The kinds of findings by name, in the order of reports: errors, then warnings."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    kind : str
        A name of `KINDS`.
    place : str
        The file, the speaker or the annotation, as its user knows it.
    evidence : str
        What was measured, in words.
    other : str
        The second file or speaker, if there are two.
    score : float, optional
        The value that is compared with a limit, such as nats or seconds.
    """

    kind: str
    place: str
    evidence: str = ""
    other: str = ""
    score: float | None = None

    @property
    def severity(self) -> str:
        """Error or warning."""
        return KINDS[self.kind].severity

    def sentence(self) -> str:
        """The finding on one line, with its remedy."""
        kind = KINDS[self.kind]
        where = f"{self.place} and {self.other}" if self.other else self.place
        return f"{where}: {self.evidence or kind.title}{kind.remedy and f'; {kind.remedy}'}"


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """The findings in the order of `KINDS`; within a kind, those with the highest score first."""
    order = list(KINDS)
    return sorted(
        findings, key=lambda each: (order.index(each.kind), -(each.score or 0.0), each.place, each.other)
    )
