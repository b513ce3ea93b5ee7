"""Recordings to embeddings: speech is detected and cut into windows, and an encoder embeds the windows.

The tasks of an encoder are computed in parallel, each on one thread, so the number of threads changes no
embedding.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diarize.audio import Samples, Source, source_id
from diarize.audio.kept import mono_blocks
from diarize.audio.level import raise_level
from diarize.audio.progress import Hook, Progress, ignore, report_blocks
from diarize.audio.sources import resolve_source
from diarize.config import Config
from diarize.embedding.encoders import find_encoders
from diarize.embedding.joined import join_models
from diarize.embedding.models import Model
from diarize.embedding.protocol import Precision, Vectors
from diarize.embedding.record import Voices, local_parts
from diarize.embedding.table import Embeddings, make_table
from diarize.machine.devices import find_device
from diarize.machine.threads import one_thread, own_threads, set_own_threads
from diarize.segments import Segment
from diarize.speakers.enrolment import Verifier
from diarize.speakers.plda import Backend
from diarize.speech.channel_options import check_channels
from diarize.speech.channels import ChannelSpeech, embed_channels, hear_channels
from diarize.speech.detect import Heard, hear, warn_beyond
from diarize.speech.windows import sliding_windows


class Embedder:
    """Embeddings of windows or of whole recordings.

    Parameters
    ----------
    model : path, name or Model, optional
        A model folder, FILE.onnx with settings beside it, the name of a bundled model, "campplus" or
        "resemblyzer", or several of them joined by "+"; by default, the default bundled model.
    device : str
        "auto" (CUDA if available, otherwise the CPU), "cpu", "cuda" or "mps".
    threads : int, optional
        Threads on the CPU; by default, torch's number, usually that of the cores. The embeddings do not
        depend on it.
    layer : str, optional
        A layer of a network of this project, whose output is the embedding, always in float32.
    precision : str
        "float32" or "bfloat16", as `embedding.precision` of the config.

    Raises
    ------
    ModelError
        If there is no such model, it cannot be read, or it cannot embed windows.
    """

    def __init__(
        self,
        model: str | Path | Model | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
        layer: str | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.threads = threads or own_threads()
        self.device = find_device(device)
        self.encoders = find_encoders(model, self.device, layer, precision)
        models = [encoder.model for encoder in self.encoders]
        self.model = models[0] if len(models) == 1 else join_models(models)

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        return sum(encoder.dim for encoder in self.encoders)

    @property
    def made_by(self) -> str:
        """The name and the fingerprint of the model."""
        return f"{self.model.name} {self.model.fingerprint}"

    @property
    def backend(self) -> Backend | None:
        """The back end: how embeddings vary within and between speakers; None if the model has none."""
        return self.model.backend

    @property
    def verifier(self) -> Verifier | None:
        """The law of the scores of known voices; None if the model has none."""
        return self.model.verifier

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
        """The embeddings of a recording, one row for each window of speech.

        Parameters
        ----------
        source : path, file, bytes, array, tensor or mapping
            A file: its path, its content, or the open file. Or samples (n_samples,) or (n_samples,
            n_channels) with their `rate` in Hz, or ``{"waveform": samples, "sample_rate": rate}``.
        channel : int, optional
            Counted from 1; by default, the mean of `mixed_channels`.
        channels : "speakers", optional
            Each channel is one speaker: each row is from one channel's own speech and has its speaker.
        channel_names : sequence of str, optional
            The speakers of the channels; by default, CHANNEL_1, CHANNEL_2, ...
        track : int, optional
            Audio track, counted from 1; by default, the default track of the file.
        speech : list of Segment, optional
            Known speech; by default, speech is detected.
        config : Config, optional
            Settings of the detection and of the windows.
        recording : str, optional
            Id of the recording; by default, the file's name without suffix.
        whole : bool
            One row for the whole recording (or for each channel's speaker): the mean over its windows,
            normalised to length 1. If no speech is found, the whole recording counts as speech.
        hook : callable, optional
            Called with "hear" or "embed" and a record: `Progress` while the stage runs, its result when it
            ends.

        Raises
        ------
        AudioError
            If the recording cannot be read.
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
        blocks = mono_blocks(source, channel, track)
        # Overlap matters only for turns, and a whole recording has one speaker.
        unasked = {"overlap": 1.0, "mixed": 1.0} if whole else {"overlap": 1.0}
        once = config.resegmentation.model_copy(update={"enabled": False})
        config = config.model_copy(
            update={"speech": config.speech.model_copy(update=unasked), "resegmentation": once}
        )
        heard = hear(report_blocks(blocks, "hear", hook), config.speech, speech, self.threads)
        warn_beyond(recording, speech or [], heard.n_seconds)
        hook("hear", heard)
        everything = Segment(0.0, heard.n_seconds)
        heard = heard._replace(
            segments=heard.segments or [everything] * whole,
            mixed=[] if whole else heard.mixed,
            local=None,  # a table has windows alone
        )
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
        """A table of the windows of each channel's speech, sorted by start, or one row for each channel."""

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
        """The embedding (dim,), of length 1, of a whole recording of one speaker: the mean over its speech.

        Raises
        ------
        AudioError
            If the recording cannot be read.
        """
        return self(source, rate=rate, channel=channel, track=track, whole=True).vectors[0]

    def windows(
        self,
        blocks: Iterable[Samples],
        windows: list[Segment],
        hook: Hook = ignore,
        *,
        mixed: list[Segment] | None = None,
        parts: Sequence[Sequence[Segment] | None] | None = None,
        rows: Sequence[int] | None = None,
    ) -> Vectors:
        """The embeddings (n_windows, dim), of length 1, of windows that are sorted by start.

        A window that has `parts` is embedded by these alone. From the others, a network that runs once over
        the recording excludes the `mixed` segments, unless less than 0.2 s of a window would remain. Parts
        and mixed segments are sorted and do not overlap. `rows` are the rows of the windows in the result, by
        default in their order. `hook` gets the number of windows done and in total; each of several models
        counts its own.

        Raises
        ------
        AudioError
            If a window begins after the end of the samples.
        ValueError
            If the windows are not sorted by start.
        """
        vectors = np.empty((len(windows), self.dim), dtype=np.float32)
        if not windows:
            return vectors
        if any(later.start < earlier.start for earlier, later in pairwise(windows)):
            raise ValueError("windows must be in the order of their starts")
        if len(self.encoders) > 1 and isinstance(blocks, Iterator):
            blocks = list(blocks)  # each encoder reads them
        columns = np.cumsum([encoder.dim for encoder in self.encoders])[:-1]
        total = len(windows) * len(self.encoders)
        at = np.arange(len(windows)) if rows is None else np.asarray(rows)
        done = 0
        with one_thread(), ThreadPoolExecutor(self.threads, initializer=set_own_threads) as executor:
            for encoder, part in zip(self.encoders, np.split(vectors, columns, axis=1), strict=True):
                before, pending = done, deque[Future[Vectors]]()
                louder = raise_level(blocks)
                for task in encoder.tasks(louder, windows, mixed or [], parts or [None] * len(windows)):
                    pending.append(executor.submit(task))
                    while len(pending) > 2 * self.threads:
                        done += _collect(pending.popleft(), part, at[done - before :])
                        hook("embed", Progress(done, total))
                while pending:
                    done += _collect(pending.popleft(), part, at[done - before :])
        hook("embed", Progress(done, total))
        if len(self.encoders) > 1:
            vectors /= np.float32(np.sqrt(len(self.encoders)))  # of length 1 again
        return vectors


def embed(
    heard: Heard, blocks: Iterable[Samples], embedder: Embedder, config: Config, hook: Hook = ignore
) -> Voices:
    """The windows of a recording's speech and their embeddings, by one pass over its samples.

    Parameters
    ----------
    heard : Heard
        Speech; its mixed segments are excluded from the embeddings.
    blocks : iterable of arrays
        Mono samples (n,) at 16 kHz.
    embedder : Embedder
    config : Config
        Its [embedding], and its [resegmentation] for the pieces. Without a back end there are no pieces.
    hook : callable, optional
        Gets the number of windows done and in total.

    Raises
    ------
    AudioError
        If the samples end before the speech.
    """
    windows = sorted(sliding_windows(heard.segments, config.embedding.window, config.embedding.hop))
    again = config.resegmentation
    pieces = []
    if again.enabled and embedder.backend is not None:
        pieces = sorted(sliding_windows(heard.segments, again.window, again.hop))
    keys, whole, parts = local_parts(heard.local)
    spans = windows + pieces + whole
    chosen: list[list[Segment] | None] = [*[None] * (len(windows) + len(pieces)), *parts]
    order = sorted(range(len(spans)), key=spans.__getitem__)
    vectors = embedder.windows(
        blocks,
        [spans[i] for i in order],
        hook,
        mixed=heard.mixed,
        parts=[chosen[i] for i in order],
        rows=order,
    )
    own, short, local = np.split(vectors, [len(windows), len(windows) + len(pieces)])
    seconds = np.array([sum(part.duration for part in each) for each in parts])
    return Voices(windows, own, pieces, short, keys, local, seconds)


def _collect(future: Future[Vectors], vectors: Vectors, rows: NDArray[np.int64]) -> int:
    """Write the next group of embeddings to the first of the rows that are left; their number."""
    group = future.result()
    vectors[rows[: len(group)]] = group
    return len(group)
