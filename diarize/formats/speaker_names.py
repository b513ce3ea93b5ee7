"""Which words name a speaker, for reading transcripts and tiers of other tools.

In doubt, a word is not a speaker's name.
"""

from __future__ import annotations

import re

_NUMBERED = re.compile(
    r"(?i:speaker|spkr?|sprecher(?:in)?|locuteur|locutor|hablante|parlante|participant|channel|voice|person)"
    r"(?:[ _-]?[0-9]{1,6}|(?:[ _-]|(?<=[a-z]))[A-Z])"  # a capital, so that "Speakers" does not match
)
_SMALL = "a al and bin d' da das de del della den der di dos du e el et la le of ten the und van von y zu"
_OTHER = """
act answer applause attention background caption captions caution chapter cheers chorus crosstalk date
episode example exercise figure foreign hint http https important inaudible info instrumental intro laughing
laughs laughter lesson link location lyrics moral music narration nb note notes noise part place ps question
quote result rule scene section silence singing source step subtitle subtitles subtitled summary task time tip
title topic track transcript translation translated unit update verse warning website
channels finally first furthermore hence however last lastly meanwhile moreover next participants persons
second speakers then therefore third thus voices
"""
_PARTICLES, _NO_NAMES = frozenset(_SMALL.split()), frozenset(_OTHER.split())
_NOBODY = frozenset({"", "<na>", "na", "null", "unknown", "unk", "none", "nobody", "-"})
_VERBS = frozenset({"answered", "asked", "is", "replied", "said", "says", "was", "wrote"})
_WORD = re.compile(r"[^\W\d_][\w.'\u2019&-]*|[0-9]+")


def is_nobody(name: str) -> bool:
    """Whether tools write this name for an unknown speaker: "", "UNKNOWN", "SPEAKER_UNKNOWN", "None"."""
    short = re.sub(r"^(?:speaker|spk)[ _-]", "", name.strip().lower())
    return short in _NOBODY


def is_numbered_speaker(name: str) -> bool:
    """Whether this is a numbered speaker: SPEAKER_00, "Speaker 1", spk3, CHANNEL_2, "Speaker A"."""
    return _NUMBERED.fullmatch(name) is not None


def may_be_name(name: str) -> bool:
    """Whether this could name a speaker: it is short, has a letter, and is not like "Note" or "Step 2"."""
    words = {word.lower().strip(".") for word in name.split() if not word.isdigit()}
    if words <= _NO_NAMES or words & _VERBS:
        return False
    return len(name) <= 60 and any(map(str.isalpha, name))


def looks_like_name(name: str) -> bool:
    """Whether this looks like a speaker's name or role: at most four words, written like names.

    Every word except particles ("van") begins with a capital, in scripts that have capitals. No word
    introduces something else ("Note", "Chapter 2", "Music").
    """
    if is_numbered_speaker(name):
        return True
    words = name.split()
    if not 1 <= len(words) <= 4 or len(name) > 40 or not all(_WORD.fullmatch(word) for word in words):
        return False
    if words[0][0].isdigit() or any(word.lower().strip(".") in _NO_NAMES for word in words):
        return False
    return all(word[0] == word[0].upper() or word.lower() in _PARTICLES for word in words)
