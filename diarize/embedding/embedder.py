"""Recordings to embeddings: speech is found, cut into windows, and an encoder makes their vectors.

An encoder's pieces of work are computed side by side, each on one thread: the number of threads changes
no vector.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from diarize.audio import SAMPLE_RATE, Channel, Samples, Source, mixed_channels, source_id, stream_audio
from diarize.audio.sources import resolve_source
from diarize.config import Config
from diarize.embedding.encoders import find_encoder
from diarize.embedding.models import Model
from diarize.embedding.protocol import Vectors
from diarize.embedding.table import Embeddings
from diarize.machine.devices import find_device
from diarize.machine.threads import one_thread, own_threads, set_own_threads
from diarize.segments import Segment
from diarize.speakers.plda import Backend
from diarize.speech.channel_options import check_channels
from diarize.speech.channels import ChannelSpeech, embed_channels, hear_channels
from diarize.speech.detect import Heard, hear
from diarize.speech.windows import sliding_windows

Progress = Callable[[str, float, float | None], None]
"""Called with the stage, what of it is done, and how much it is (None while unknown).

Detection counts seconds of the recording, embedding counts windows, clustering goes from 0 to 1.
"""


class Voices(NamedTuple):
    """Windows of the speech of a recording, in the order of their starts, and their vectors (n, dim)."""

    windows: list[Segment]
    vectors: Vectors
    pieces: list[Segment]
    """Shorter windows for the resegmentation; none without it."""
    piece_vectors: Vectors


class Embedder:
    """Embeddings of windows or of whole recordings.

    Parameters
    ----------
    model : path, name or Model, optional
        A model folder, FILE.onnx with settings beside it, the name of a bundled model, "resemblyzer", or
        nothing for the default one.
    device : str
        "auto" (CUDA where there is one), "cpu", "cuda" or "mps".
    threads : int, optional
        Pieces of work computed side by side on the CPU; by default one a core.

    Raises
    ------
    ModelError
        When there is no such model, it cannot be read, or it embeds no windows.
    """

    def __init__(
        self, model: str | Path | Model | None = None, *, device: str = "auto", threads: int | None = None
    ) -> None:
        self.threads = threads or own_threads()
        self.device = find_device(device)
        self.encoder = find_encoder(model, self.device)
        self.model = self.encoder.model

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.encoder.dim

    @property
    def backend(self) -> Backend | None:
        """How the vectors vary within speakers and between them; None where the model does not tell."""
        return self.model.backend

    def __call__(
        self,
        source: Source,
        *,
        rate: float | None = None,
        channel: int | None = None,
        channels: str | None = None,
        channel_names: Sequence[str] | None = None,
        track: int | None = None,
        speech: list[Segment] | None = None,
        config: Config | None = None,
        recording: str | None = None,
        whole: bool = False,
        on_progress: Progress | None = None,
    ) -> Embeddings:
        """One row a window of speech of a recording.

        Parameters
        ----------
        source : path, file, bytes, array, tensor or mapping
            A file by its path, its content or opened; samples (n_samples,) or (n_samples, n_channels) with
            their `rate` in Hz; or ``{"waveform": samples, "sample_rate": rate}``.
        channel : int, optional
            Counts from 1; without it the mean of `mixed_channels`.
        channels : {"speakers"}, optional
            Each channel is one speaker: rows are of the channels' own speech and audio, and know the speaker.
        channel_names : sequence of str, optional
            The speakers of the channels; without it CHANNEL_1, CHANNEL_2, ...
        track : int, optional
            Audio track of a file with several, from 1; without it the default track.
        speech : list of Segment, optional
            Where there is speech, instead of detecting it.
        config : Config, optional
            Settings of the detection and of the windows.
        recording : str, optional
            Its id, instead of the file's name.
        whole : bool
            One row for the whole recording, or each channel's speaker, instead: the mean over its windows, of
            length 1. A recording in which no speech is found counts as speech from its start to its end.
        on_progress : callable, optional
            Called with stage, done and total (None while unknown).

        Raises
        ------
        AudioError
            When the recording cannot be read.
        """
        config = config or Config()
        names = check_channels(channels, channel, channel_names)
        source = resolve_source(source, rate)
        if recording is None:
            recording = source_id(source)
        if channels is not None:
            notify = on_progress or (lambda stage, done, total: None)
            found = hear_channels(source, track, names, recording, config, speech, notify)
            return self.channel_table(source, track, recording, found.speech, config, notify, whole=whole)
        mixed: Channel = mixed_channels(source, track=track) if channel is None else channel

        def blocks() -> Iterator[Samples]:
            return stream_audio(source, channel=mixed, track=track)

        notify = on_progress or (lambda stage, done, total: None)
        # Who has turns in overlap is no matter here; a whole recording is of one speaker.
        unasked = {"overlap": 1.0, "mixed": 1.0} if whole else {"overlap": 1.0}
        heard = hear(report_blocks(blocks(), notify), config.speech.model_copy(update=unasked), speech)
        everything = Segment(0.0, heard.n_seconds)
        speech = heard.segments or [everything] * whole
        windows = sorted(sliding_windows(speech, config.embedding.window, config.embedding.hop))
        vectors = self.windows(
            blocks(), windows, lambda done, n: notify("embed windows", done, n), mixed=heard.mixed
        )
        if not whole:
            return make_table(recording, windows, vectors)
        mean = vectors.mean(axis=0, keepdims=True)
        return make_table(recording, [everything], mean / np.linalg.norm(mean))

    def channel_table(
        self,
        source: Source,
        track: int | None,
        recording: str,
        speech: Sequence[ChannelSpeech],
        config: Config,
        notify: Progress,
        *,
        whole: bool = False,
    ) -> Embeddings:
        """A table of the windows of each channel's speech, by their starts, or one row a channel."""

        def embed(blocks: Iterable[Samples], windows: list[Segment], mixed: list[Segment]) -> Vectors:
            return self.windows(blocks, windows, lambda i, n: notify("embed windows", i, n), mixed=mixed)

        rows = embed_channels(embed, source, track, speech, config.embedding, whole)
        return make_table(recording, *rows)

    def utterance(
        self,
        source: Source,
        *,
        rate: float | None = None,
        channel: int | None = None,
        track: int | None = None,
    ) -> Vectors:
        """One vector (dim,) of length 1 for a whole recording of one speaker: the mean over its speech.

        Raises
        ------
        AudioError
            When the recording cannot be read.
        """
        return self(source, rate=rate, channel=channel, track=track, whole=True).vectors[0]

    def windows(
        self,
        blocks: Iterable[Samples],
        windows: list[Segment],
        on_progress: Callable[[int, int], None] | None = None,
        *,
        mixed: list[Segment] | None = None,
    ) -> Vectors:
        """Vectors (n_windows, dim) of length 1 of windows, sorted by start, over blocks of samples.

        `on_progress` is called with the windows done and their number. Where the network runs once over the
        recording, what is `mixed`, sorted and apart, is left out, unless little of a window remains.

        Raises
        ------
        AudioError
            When a window begins after the samples' end.
        ValueError
            When the windows are not sorted by start.
        """
        vectors = np.empty((len(windows), self.dim), dtype=np.float32)
        if not windows:
            return vectors
        if any(later.start < earlier.start for earlier, later in pairwise(windows)):
            raise ValueError("windows must be in the order of their starts")
        done = 0
        with one_thread(), ThreadPoolExecutor(self.threads, initializer=set_own_threads) as executor:
            pending: deque[Future[Vectors]] = deque()
            for task in self.encoder.tasks(blocks, windows, mixed or []):
                pending.append(executor.submit(task))
                while len(pending) > 2 * self.threads:
                    done = _collect(pending.popleft(), vectors, done)
                    if on_progress:
                        on_progress(done, len(windows))
            while pending:
                done = _collect(pending.popleft(), vectors, done)
        if on_progress:
            on_progress(done, len(windows))
        return vectors

    def voices(
        self,
        blocks: Iterable[Samples],
        heard: Heard,
        config: Config,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Voices:
        """The windows of what was heard in a recording, and their vectors, by one pass over its samples.

        Raises
        ------
        AudioError
            When the samples end before the speech.
        """
        windows = sorted(sliding_windows(heard.segments, config.embedding.window, config.embedding.hop))
        again = config.resegmentation
        pieces = []
        if again.enabled and self.backend is not None:
            pieces = sorted(sliding_windows(heard.segments, again.window, again.hop))
        both = windows + pieces
        order = sorted(range(len(both)), key=both.__getitem__)
        vectors = np.empty((len(both), self.dim), dtype=np.float32)
        vectors[order] = self.windows(blocks, [both[i] for i in order], on_progress, mixed=heard.mixed)
        return Voices(windows, vectors[: len(windows)], pieces, vectors[len(windows) :])


def make_table(
    recording: str, windows: list[Segment], vectors: Vectors, speakers: list[str] | None = None
) -> Embeddings:
    """Windows (n_windows) of one recording and their vectors (n_windows, dim) as a table."""
    return Embeddings(
        recording=np.full(len(windows), recording),
        start=np.array([window.start for window in windows], dtype=np.float64),
        end=np.array([window.end for window in windows], dtype=np.float64),
        vectors=vectors,
        speaker=None if speakers is None else np.array(speakers, dtype=np.str_),
    )


def report_blocks(blocks: Iterable[Samples], notify: Progress) -> Iterator[Samples]:
    """Blocks of samples passed on, and the seconds that have passed told."""
    seconds = 0.0
    for block in blocks:
        yield block
        seconds += len(block) / SAMPLE_RATE
        notify("detect speech", seconds, None)


def _collect(future: Future[Vectors], vectors: Vectors, done: int) -> int:
    group = future.result()
    vectors[done : done + len(group)] = group
    return done + len(group)
