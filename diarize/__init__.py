"""Who spoke when: speaker diarization and clustering.

The names below are loaded on first use, so ``import diarize`` takes little time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diarize.audio import load_audio as load_audio
    from diarize.embedding.embedder import Embedder as Embedder
    from diarize.embedding.table import Embeddings as Embeddings
    from diarize.errors import DiarizeError as DiarizeError
    from diarize.formats import read_rttm as read_rttm
    from diarize.formats import write_rttm as write_rttm
    from diarize.pipeline.diarizer import Diarizer as Diarizer
    from diarize.pipeline.enrolment import enroll as enroll
    from diarize.pipeline.live import LiveDiarizer as LiveDiarizer
    from diarize.pipeline.result import Diarization as Diarization
    from diarize.scoring.der import score as score
    from diarize.segments import Segment as Segment
    from diarize.segments import Turn as Turn
    from diarize.speakers.voice_table import VoiceTable as VoiceTable

__version__ = "0.1.0"

_HOME = {
    "Diarization": "diarize.pipeline.result",
    "DiarizeError": "diarize.errors",
    "Diarizer": "diarize.pipeline.diarizer",
    "Embedder": "diarize.embedding.embedder",
    "Embeddings": "diarize.embedding.table",
    "LiveDiarizer": "diarize.pipeline.live",
    "Segment": "diarize.segments",
    "Turn": "diarize.segments",
    "VoiceTable": "diarize.speakers.voice_table",
    "enroll": "diarize.pipeline.enrolment",
    "load_audio": "diarize.audio",
    "read_rttm": "diarize.formats",
    "score": "diarize.scoring.der",
    "write_rttm": "diarize.formats",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'diarize' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*_HOME, "__version__"])
