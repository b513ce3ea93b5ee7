"""Recordings: any file to samples, samples to frames.

- ``recordings``: samples of any source, mono, at 16 kHz; its names are those of this package
- ``sources``, ``arrays``: what a caller may give: paths, bytes, open files, arrays, tensors
- ``decoders``, ``containers``, ``wav``, ``mpeg``, ``joined``: files of each kind
- ``clock``: the times of a container's packets
- ``pieces``: samples as they are read, and their type
- ``mixing``: channels to one
- ``kept``: samples decoded once, where memory allows
- ``progress``: how far a stage has come, for the caller's hook
- ``features``: mel spectrograms and MFCC
"""

from diarize.audio.pieces import AudioInfo, Samples
from diarize.audio.recordings import (
    AUDIO_SUFFIXES,
    SAMPLE_RATE,
    Channel,
    audio_info,
    count_channels,
    find_audio,
    load_audio,
    mixed_channels,
    recording_id,
    regroup,
    source_id,
    stream_audio,
)
from diarize.audio.sources import Source

__all__ = [
    "AUDIO_SUFFIXES",
    "SAMPLE_RATE",
    "AudioInfo",
    "Channel",
    "Samples",
    "Source",
    "audio_info",
    "count_channels",
    "find_audio",
    "load_audio",
    "mixed_channels",
    "recording_id",
    "regroup",
    "source_id",
    "stream_audio",
]
