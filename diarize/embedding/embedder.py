"""Recordings to embeddings: speech is found, cut into windows, and an encoder makes their vectors.

An encoder's pieces of work are computed side by side, each on one thread: the number of threads changes
no vector.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from diarize.audio import Channel, Samples, Source, mixed_channels, source_id, stream_audio
from diarize.audio.kept import KeptBlocks
from diarize.audio.progress import Hook, Progress, ignore, report_blocks
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


class Voices(NamedTuple):
    """Windows of the speech of a recording, in the order of their starts, and their vectors (n, dim)."""

    windows: Sequence[Segment]
    vectors: Vectors
    pieces: Sequence[Segment] = ()
    """Shorter windows for the resegmentation; none without it."""
    piece_vectors: Vectors = np.empty((0, 0), np.float32)


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
        hook: Hook = ignore,
    ) -> Embeddings:
        """One row a window of speech of a recording.

        Parameters
        ----------
        source : path, file, bytes, array, tensor or mapping
            A file by its path, its content or opened; samples (n_samples,) or (n_samples, n_channels) with
            their `rate` in Hz; or ``{"waveform": samples, "sample_rate": rate}``.
        channel : int, optional
            Counts from 1; without it the mean of `mixed_channels`.
        channels : "speakers", optional
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
        hook : callable, optional
            Called with "hear" or "embed" and a record: `Progress` while the stage runs, its result when it
            has ended.

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
            found = hear_channels(source, track, names, recording, config, speech, hook)
            hook("hear", found)
            return self.channel_table(source, track, recording, found.speech, config, hook, whole=whole)
        mixed: Channel = mixed_channels(source, track=track) if channel is None else channel
        blocks = KeptBlocks(lambda: stream_audio(source, channel=mixed, track=track))
        # Overlap matters to turns alone, and a whole recording has one speaker.
        unasked = {"overlap": 1.0, "mixed": 1.0} if whole else {"overlap": 1.0}
        once = config.resegmentation.model_copy(update={"enabled": False})
        config = config.model_copy(
            update={"speech": config.speech.model_copy(update=unasked), "resegmentation": once}
        )
        heard = hear(report_blocks(blocks, "hear", hook), config.speech, speech)
        hook("hear", heard)
        everything = Segment(0.0, heard.n_seconds)
        heard = heard._replace(segments=heard.segments or [everything] * whole)
        voices = embed(heard, blocks, self, config, hook)
        hook("embed", voices)
        if not whole:
            return make_table(recording, voices.windows, voices.vectors)
        mean = voices.vectors.mean(axis=0, keepdims=True)
        return make_table(recording, [everything], mean / np.linalg.norm(mean))

    def channel_table(
        self,
        source: Source,
        track: int | None,
        recording: str,
        speech: Sequence[ChannelSpeech],
        config: Config,
        hook: Hook,
        *,
        whole: bool = False,
    ) -> Embeddings:
        """A table of the windows of each channel's speech, by their starts, or one row a channel."""

        def embed(blocks: Iterable[Samples], windows: list[Segment], mixed: list[Segment]) -> Vectors:
            return self.windows(blocks, windows, hook, mixed=mixed)

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
        hook: Hook = ignore,
        *,
        mixed: list[Segment] | None = None,
    ) -> Vectors:
        """Vectors (n_windows, dim) of length 1 of windows, sorted by start, over blocks of samples.

        `hook` is told the windows done and their number. Where the network runs once over the
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
                    hook("embed", Progress(done, len(windows)))
            while pending:
                done = _collect(pending.popleft(), vectors, done)
        hook("embed", Progress(done, len(windows)))
        return vectors


def embed(
    heard: Heard, blocks: Iterable[Samples], embedder: Embedder, config: Config, hook: Hook = ignore
) -> Voices:
    """The windows of what was heard in a recording and their embeddings, by one pass over its samples.

    Parameters
    ----------
    heard : Heard
        Where there is speech; what is mixed is left out of the embeddings.
    blocks : iterable of arrays
        Mono samples (n,) at 16 kHz.
    embedder : Embedder
    config : Config
        Its [embedding], and its [resegmentation] for the pieces; models without a back end have none.
    hook : callable, optional
        Told the windows done and their number.

    Raises
    ------
    AudioError
        When the samples end before the speech.
    """
    windows = sorted(sliding_windows(heard.segments, config.embedding.window, config.embedding.hop))
    again = config.resegmentation
    pieces = []
    if again.enabled and embedder.backend is not None:
        pieces = sorted(sliding_windows(heard.segments, again.window, again.hop))
    both = windows + pieces
    order = sorted(range(len(both)), key=both.__getitem__)
    vectors = np.empty((len(both), embedder.dim), dtype=np.float32)
    vectors[order] = embedder.windows(blocks, [both[i] for i in order], hook, mixed=heard.mixed)
    return Voices(windows, vectors[: len(windows)], pieces, vectors[len(windows) :])


def make_table(
    recording: str, windows: Sequence[Segment], vectors: Vectors, speakers: list[str] | None = None
) -> Embeddings:
    """Windows (n_windows) of one recording and their vectors (n_windows, dim) as a table."""
    return Embeddings(
        recording=np.full(len(windows), recording),
        start=np.array([window.start for window in windows], dtype=np.float64),
        end=np.array([window.end for window in windows], dtype=np.float64),
        vectors=vectors,
        speaker=None if speakers is None else np.array(speakers, dtype=np.str_),
    )


def _collect(future: Future[Vectors], vectors: Vectors, done: int) -> int:
    group = future.result()
    vectors[done : done + len(group)] = group
    return done + len(group)
