"""The stages of the pipeline, each a function from one record to the next.

::

    blocks  --hear-------> Heard       segments of speech and of overlapping speech
            --embed------> Voices      windows and their embeddings
            --label------> Labelled    a speaker for each window, and the reason for their number
            --resegment--> Labelled    a speaker for each of shorter windows
            --turns------> NamedTurns  who spoke when

A caller may begin with any stage and their own record. `Diarizer` calls all five.
"""

from diarize.audio.progress import Progress as Progress
from diarize.embedding.embedder import embed as embed
from diarize.embedding.record import Voices as Voices
from diarize.pipeline.labels import label as label
from diarize.pipeline.records import Labelled as Labelled
from diarize.pipeline.records import NamedTurns as NamedTurns
from diarize.pipeline.resegmentation import resegment as resegment
from diarize.pipeline.turns import turns as turns
from diarize.speech.detect import Heard as Heard
from diarize.speech.detect import hear as hear

__all__ = [
    "Heard",
    "Labelled",
    "NamedTurns",
    "Progress",
    "Voices",
    "embed",
    "hear",
    "label",
    "resegment",
    "turns",
]
