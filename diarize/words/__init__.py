"""Transcripts with speakers: the words of another tool, given to the speakers of a diarization.

- ``word``: a word, and its time where the transcript has none
- ``readers``: transcripts as words
- ``json_words``: those in JSON
- ``assignment``: who says each word
- ``writers``: words with speakers as files
"""

from __future__ import annotations

from diarize.words.assignment import assign_speakers
from diarize.words.readers import read_words
from diarize.words.word import Word
from diarize.words.writers import WRITERS, join_words, render_words

__all__ = ["WRITERS", "Word", "assign_speakers", "join_words", "read_words", "render_words"]
