"""Recordings: any file to samples, samples to frames.

- ``recordings``: any source as mono samples at 16 kHz; this package exports its names
- ``sources``: the types a caller may pass: paths, bytes, open files, arrays, tensors, mappings
- ``arrays``: arrays as samples: the channel axis and the scale of values
- ``decoders``: a file as pieces of samples at its own rate, by soundfile or PyAV
- ``containers``: files that PyAV (FFmpeg) reads
- ``tracks``: which of their audio tracks is read
- ``clock``: the times of a file's packets: gaps, repeats, late starts
- ``joined``: files joined end to end
- ``wav``: WAV files whose header gives too few samples
- ``mpeg``: the index of an MP3 file
- ``pieces``: the types that decoders give, and pieces at one rate and number of channels
- ``mixing``: which channels make the mono signal
- ``kept``: samples that are decoded once if they fit into memory
- ``level``: quiet recordings are made louder for the networks
- ``peaks``: the peaks of a recording, for drawings
- ``compressed``: a small copy that browsers play
- ``progress``: the progress of a stage, for the caller's hook
- ``features``: log-mel spectrograms and MFCC
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
    recordings_by_id,
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
    "recordings_by_id",
    "regroup",
    "source_id",
    "stream_audio",
]
