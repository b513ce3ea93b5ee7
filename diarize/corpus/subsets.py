"""What the sets of a corpus share, and which speakers they lack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from diarize.corpus.findings import Finding
from diarize.corpus.layout import Corpus


def check_subsets(corpus: Corpus, lists: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """The findings of the sets, which are folders, or lists of speakers by name."""
    if corpus.kind != "speakers":
        return
    subsets: dict[str, set[str]] = defaultdict(set)
    for recording in corpus.recordings:
        for speaker in recording.speakers:
            subsets[speaker].add(recording.subset)
    for name, speakers in lists.items():
        for speaker in speakers:
            if speaker not in subsets:
                yield Finding("unknown-speaker", speaker, f"in the list {name}, but not in the corpus")
            subsets[speaker].add(name)
    for speaker, names in subsets.items():
        known = sorted(names - {""})
        if len(known) > 1:
            yield Finding("speaker-sets", speaker, f"the speaker is in {known[0]} and in {known[1]}")
    if lists and (alone := sorted(speaker for speaker, names in subsets.items() if names == {""})):
        yield Finding("no-set", alone[0], f"{len(alone)} speakers are in no list, this one first")
    if len(subsets) < 2:
        yield Finding("one-speaker", next(iter(subsets)), "the only speaker of the corpus")
