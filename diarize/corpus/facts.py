"""What is measured in one recording of a corpus: in its header, in its samples, of its speakers' voices."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, audio_info, load_audio, stream_audio
from diarize.corpus.fingerprint import LONGEST, Words, fingerprint
from diarize.corpus.layout import Recording
from diarize.corpus.messages import kept_messages
from diarize.errors import DiarizeError
from diarize.segments import Segment

SHORTEST_VOICE = 1.0
"""Seconds; a shorter utterance has no embedding."""

_FRAME = 1600  # samples, 0.1 s: of the level
_SHORT_FRAME = 512  # samples: of the spectrum
_FLAT = 1e-5  # of full scale; neighbouring samples at a peak that differ by no more are a cut top


@dataclass(frozen=True, eq=False)
class Sound:
    """What the samples of a recording say, mono at 16 kHz. Levels are dB of full scale.

    Attributes
    ----------
    digest : bytes
        Hash of the samples as 16-bit numbers; files of other formats with the same samples have the same.
    peak, level : float
        Of the largest sample; of the loud frames of 0.1 s (their 95th percentile). -inf without sound.
    offset : float
        Mean of the samples, of full scale.
    clipped : float
        Share of the samples at full scale, or on a flat top.
    above_4_khz : float
        dB of 4.5 to 7.5 kHz over 0.3 to 3.4 kHz, in the frames in which that is largest (95th percentile).
    words : array (n,)
        Fingerprint of the beginning.
    """

    digest: bytes
    peak: float
    level: float
    offset: float
    clipped: float
    above_4_khz: float
    words: Words


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of one recording.

    Attributes
    ----------
    seconds : float
    rate : int
        Hz, by the header.
    error : str
        Why it cannot be read; the other values are then empty.
    warnings : tuple of str
        What the reader says about it, such as that it breaks off.
    sound : Sound, optional
        None in the quick form.
    vectors : array (n_utterances, dim)
        Embeddings of its utterances; zeros for those that are too short. Empty without an embedder.
    """

    seconds: float = 0.0
    rate: int = 0
    error: str = ""
    warnings: tuple[str, ...] = ()
    sound: Sound | None = None
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))


def glance(recording: Recording) -> Facts:
    """The facts of a recording by its header and its first second."""

    def read() -> Facts:
        info = audio_info(recording.path)
        if info.seconds is None:
            return Facts(len(load_audio(recording.path, channel=1)) / SAMPLE_RATE, info.rate)
        next(stream_audio(recording.path, channel=1, block=1.0))
        return Facts(info.seconds, info.rate)

    return _read(recording.path, read)


class Examination:
    """Reads whole recordings: their sound and the embeddings of their utterances.

    Parameters
    ----------
    model : str, optional
        The embedding model; by default, the default bundled one.
    embeds : bool
        Whether there are to be embeddings.
    """

    def __init__(self, model: str | None, embeds: bool = True) -> None:
        from diarize.embedding.embedder import Embedder  # loads torch, which the quick form does not need

        self.embedder = Embedder(model, device="cpu", threads=1) if embeds else None

    def __call__(self, recording: Recording) -> Facts:
        """The facts of a recording."""

        def read() -> Facts:
            rate = audio_info(recording.path).rate
            samples = load_audio(recording.path)
            vectors = self._embed(samples, [each.segment for each in recording.utterances])
            return Facts(len(samples) / SAMPLE_RATE, rate, sound=listen(samples), vectors=vectors)

        return _read(recording.path, read)

    def _embed(self, samples: Samples, segments: Sequence[Segment | None]) -> NDArray[np.float32]:
        if self.embedder is None:
            return np.empty((0, 0), np.float32)
        vectors = np.zeros((len(segments), self.embedder.dim), np.float32)
        for row, segment in enumerate(segments):
            start, end = (0.0, LONGEST) if segment is None else (segment.start, segment.end)
            part = samples[round(start * SAMPLE_RATE) : round(min(end, start + LONGEST) * SAMPLE_RATE)]
            if len(part) >= SHORTEST_VOICE * SAMPLE_RATE:
                whole = Segment(0.0, len(part) / SAMPLE_RATE)
                vectors[row] = self.embedder.windows([part], [whole])[0]
        return vectors


def _read(path: str, read: Callable[[], Facts]) -> Facts:
    """What `read` gives, with the warnings of the library; its errors are facts as well."""
    with kept_messages() as messages:
        try:
            facts = read()
        except DiarizeError as error:
            return Facts(error=str(error).removeprefix(f"{path}: "))
    warnings = tuple(dict.fromkeys(message.removeprefix(f"{path}: ") for message in messages))
    return replace(facts, warnings=warnings)


def listen(samples: Samples) -> Sound:
    """What the samples (n,) of a recording say, mono at 16 kHz, at least one."""
    size = np.abs(samples)
    peak = float(size.max())
    near = np.abs(np.diff(samples)) <= _FLAT
    flat = near & (size[1:] > 0.9 * peak) & (peak > 0.02)
    in_full = size >= 0.99
    in_full[1:] |= flat
    n_whole = max(len(samples) // _FRAME, 1)
    frames = samples[: n_whole * _FRAME].reshape(n_whole, -1).astype(np.float64)
    loud = np.quantile((frames**2).mean(axis=1), 0.95)
    numbers = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    return Sound(
        digest=hashlib.blake2b(numbers.tobytes(), digest_size=16).digest(),
        peak=_decibel(peak**2),
        level=_decibel(loud),
        offset=float(samples.mean(dtype=np.float64)),
        clipped=float(in_full.mean()),
        above_4_khz=_above_4_khz(samples),
        words=fingerprint(samples),
    )


def _above_4_khz(samples: Samples) -> float:
    part = samples[: round(LONGEST * SAMPLE_RATE)]
    if len(part) < _SHORT_FRAME:
        return 0.0
    frames = part[: len(part) // _SHORT_FRAME * _SHORT_FRAME].reshape(-1, _SHORT_FRAME)
    power = np.abs(np.fft.rfft(frames * np.hanning(_SHORT_FRAME), axis=1)) ** 2
    step = SAMPLE_RATE / _SHORT_FRAME
    low, high = (
        power[:, round(start / step) : round(end / step)].sum(axis=1)
        for start, end in ((300, 3400), (4500, 7500))
    )
    heard = low + high > 1e-4 * (low + high).max(initial=0)
    if not heard.any():
        return 0.0
    return _decibel(float(np.quantile(high[heard] / np.maximum(low[heard], 1e-30), 0.95)))


def _decibel(power: float) -> float:
    return float(10 * np.log10(power)) if power > 0 else -np.inf
