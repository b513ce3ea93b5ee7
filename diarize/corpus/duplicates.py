"""Recordings that occur twice: the same samples, or the same sound at another level or encoding."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from diarize.corpus.facts import Facts
from diarize.corpus.findings import Finding
from diarize.corpus.fingerprint import Copy, find_copies
from diarize.corpus.layout import Recording
from diarize.corpus.sounds import SILENT


def check_duplicates(recordings: Sequence[Recording], facts: Sequence[Facts]) -> Iterator[Finding]:
    """The findings of recordings that occur twice, by their samples, or without these by their bytes."""
    if all(each.sound is None for each in facts):
        for same in _same_bytes(recordings, facts):
            yield from _chain("duplicate", recordings, same, "the same bytes")
        return
    by_digest: dict[bytes, list[int]] = defaultdict(list)
    for index, each in enumerate(facts):
        if each.sound is not None and each.sound.level >= SILENT:
            by_digest[each.sound.digest].append(index)
    for same in by_digest.values():
        yield from _chain("duplicate", recordings, same, "the same samples")
    firsts = [same[0] for same in by_digest.values()]
    words = [facts[index].sound.words for index in firsts]  # type: ignore[union-attr]
    for copy in find_copies(words):
        first, second = firsts[copy.first], firsts[copy.second]
        kind = _kind("copy", recordings[first], recordings[second])
        yield Finding(kind, recordings[first].path, _evidence(copy), recordings[second].path, 1 - copy.errors)


def _evidence(copy: Copy) -> str:
    moved = f", {abs(copy.seconds):.1f} s later in one of them" if copy.seconds else ""
    return f"the same sound: {100 * copy.errors:.0f} % of the bits of their fingerprints differ{moved}"


def _chain(
    kind: str, recordings: Sequence[Recording], same: Sequence[int], evidence: str
) -> Iterator[Finding]:
    """A finding for each recording and the next one of those that are the same."""
    for first, second in pairwise(same):
        one, other = recordings[first], recordings[second]
        yield Finding(_kind(kind, one, other), one.path, evidence, other.path, 1.0)


def _kind(kind: str, one: Recording, other: Recording) -> str:
    """The kind of finding: across sets is worst, then across speakers."""
    if one.subset != other.subset:
        return f"{kind}-sets"
    return f"{kind}-speakers" if one.speakers != other.speakers else kind


def _same_bytes(recordings: Sequence[Recording], facts: Sequence[Facts]) -> Iterable[list[int]]:
    """The recordings whose files have the same bytes. Only files of one size are read."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for index, each in enumerate(facts):
        if not each.error:
            by_size[Path(recordings[index].path).stat().st_size].append(index)
    by_bytes: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for size, indices in by_size.items():
        if len(indices) > 1:
            for index in indices:
                by_bytes[size, _digest(Path(recordings[index].path))].append(index)
    return [same for same in by_bytes.values() if len(same) > 1]


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
