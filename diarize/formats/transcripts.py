r"""The speakers in the cues of a transcript, by the names before the texts.

============================================  =============================================================
a line of a cue                               its speaker
============================================  =============================================================
``[Ann]: text``, ``(Ann): text``              Ann
``SPEAKER_00: text``, ``[Speaker 1] text``,   the numbered speaker
``SPEAKER_00``
``Ann: text``, ``[Ann] text``, ``(Ann) text`` Ann, if at least two cues and three of four begin so, and this
                                              looks like a name or occurs again: not "Note: ...", not
                                              "10:30 we met"
``text``, ``[music]``                         none
============================================  =============================================================

A cue may have several speakers, one on each line. Styling (``<i>``, ``{\an8}``) and marks for a change of
speaker (``-``, ``>>``) are ignored. A cue without a name has no speaker: it may not be the previous one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from diarize.formats.speaker_names import is_nobody, is_numbered_speaker, looks_like_name, may_be_name

# A line may have a million characters, so no expression here looks further than a few hundred.
VOICE = re.compile(r"<v(?:\.[^\s>]{0,200})?\s([^<>]{1,1000})>")
"""A voice tag, with or without classes: ``<v.loud Ann>``."""

_STYLING = re.compile(
    r"</?(?:[ibus]|font|c|lang|ruby|rt|span|v)\b[^<>]{0,1000}>|<[0-9:.]{1,20}>"
    r"|\{\\[^{}]{0,200}\}|\{/?[ibus]\}",
    re.IGNORECASE,
)
_CHANGE = re.compile(r"\s*(?:>>+|[-\u2010-\u2015\u2022*]+(?=\s|[\[(]|\w))?\s*")
_MARKED = re.compile(r"(?:\[([^\[\]]+)\]|\(([^()]+)\))\s*(:)?\s*(.*)", re.DOTALL)
_PLAIN = re.compile(r"([^:\uff1a]{1,80}?)\s*(?:\uff1a|:(?=\s|$))\s*(.*)", re.DOTALL)
_GLUED = re.compile(r"([^:]{1,80}?)\s*:.*", re.DOTALL)
_SHARE = 0.75  # this share of the cues with words has a name; otherwise unsure names do not count


def find_prefixes(cues: Sequence[Sequence[str]]) -> list[list[str]]:
    """The speakers of each cue, from its lines of text; empty for a cue without a certain name."""
    found = [[_prefix(line) for line in lines] for lines in cues]
    spoken = [lines for lines in found if any(words for _, _, words in lines)]
    times = Counter(name for lines in spoken for name in {name for name, _, _ in lines if name})
    # Prose rarely has a word before a colon in every cue. A word unlike a name must occur again.
    names = {name for name, count in times.items() if count > 1 or looks_like_name(name)}
    named = sum(any(sure or name in names for name, sure, _ in lines) for lines in spoken)
    trusted = named >= 2 and named >= _SHARE * len(spoken)
    return [
        [name for name, sure, _ in lines if name and (sure or (trusted and name in names))] for lines in found
    ]


def _prefix(line: str) -> tuple[str, bool, bool]:
    """The name before a line of text, whether it is certainly a name, and whether words follow."""
    voice = VOICE.search(line)
    text = _STYLING.sub("", line)
    text = text[_CHANGE.match(text).end() :].strip()  # type: ignore[union-attr]  # it also matches an empty text
    if voice:
        return _known(voice[1].strip()), True, bool(text)
    if marked := _MARKED.fullmatch(text):
        name, rest = (marked[1] or marked[2]).strip(), marked[4]
        if is_numbered_speaker(name) or (marked[3] and may_be_name(name)):
            return _known(name), True, True
        return (name if rest and may_be_name(name) else ""), False, bool(rest)
    glued = _GLUED.fullmatch(text)
    for name in (text, glued[1] if glued else ""):
        if is_numbered_speaker(name):
            return name, True, True
    plain = _PLAIN.fullmatch(text)
    name = plain[1].strip() if plain else ""
    return (_known(name) if may_be_name(name) else ""), False, bool(re.search(r"\w", text))


def _known(name: str) -> str:
    return "" if is_nobody(name) else name
