"""Readers of recordings for `fuzz_readers.py`, with small recordings that they read."""

import io
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
from hostile_audio import BY_AV, BY_SOUNDFILE, RATE, write_av
from readers import Reader

from diarize.audio import stream_audio
from diarize.audio.joined import ends_whole, find_parts
from diarize.audio.mpeg import index_seconds, is_index
from diarize.audio.wav import unread_samples

GROUPS = {
    "WAV": ("wav", "float.wav", "w64", "rf64"),
    "AIFF, AU, CAF, SPHERE": ("aiff", "au", "caf", "sph"),
    "FLAC": ("flac",),
    "Ogg": ("ogg", "opus"),
    "MP3, AAC": ("mp3", "aac"),
    "MP4": ("m4a", "mp4"),
    "Matroska": ("mkv", "webm"),
    "WMA, MPEG-TS": ("wma", "ts"),
}
"""Containers of `hostile_audio.py`, by their decoders."""
COMPRESSED = ("mp3", "aac", "m4a", "mp4", "webm", "wma", "ts")


@cache
def sound_bytes(container: str) -> bytes:
    """Noise in a container, 0.3 s if it is compressed, else 0.05 s; with pictures in mp4."""
    n_samples = RATE * 3 // 10 if container in COMPRESSED else RATE // 20
    noise = np.random.default_rng(0).normal(0, 0.1, n_samples).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a.{container}")
        if container in BY_SOUNDFILE:
            format, subtype = BY_SOUNDFILE[container]
            soundfile.write(path, noise, RATE, format=format, subtype=subtype)
        else:
            write_av(path, noise, BY_AV[container], pictures=container == "mp4")
        return path.read_bytes()


def _samples(path: Path) -> None:
    """Read all samples, which are finite."""
    for block in stream_audio(path):
        assert np.isfinite(block).all(), "samples that are not finite"


def _headers(path: Path) -> None:
    """What is read of headers without a decoder."""
    content = path.read_bytes()
    file, head = io.BytesIO(content), content[:1024]
    parts = find_parts(file, head)
    assert [start for start, _ in parts] == [0, *(end for _, end in parts[:-1])], "parts with gaps"
    assert parts[-1][1] == len(content), "parts without the end"
    ends_whole(file)
    for frame_bytes in (1, 8):
        start = unread_samples(file, head, frame_bytes)
        assert start is None or start <= len(content), "samples behind the end"
    assert (index_seconds(file, RATE) or 0) >= 0, "a negative duration"
    is_index(head)


def _all(containers: tuple[str, ...]) -> Callable[[], list[bytes]]:
    return lambda: [sound_bytes(each) for each in containers]


def _joined() -> list[bytes]:
    """Each container, and two of it end to end."""
    return [sound_bytes(each) * n for each in ("wav", "rf64", "ogg", "mp3", "m4a", "mkv") for n in (1, 2)]


RECORDINGS = {
    "recording, headers": Reader(".wav", _headers, _joined),
    **{
        f"recording, {name}": Reader(f".{containers[0]}", _samples, _all(containers))
        for name, containers in GROUPS.items()
    },
}
