"""One recording to the content of its results, in whatever process."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from diarize.audio.progress import Hook, ignore
from diarize.batch.jobs import VOICES, Job, read_speech
from diarize.batch.sources import open_fingerprinted, open_source
from diarize.config import Config
from diarize.errors import DiarizeError
from diarize.files.fingerprints import Fingerprint
from diarize.formats import render_turns

if TYPE_CHECKING:
    from diarize.audio import Source
    from diarize.pipeline.diarizer import Diarizer
    from diarize.pipeline.result import Diarization

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labelling:
    """How recordings are labelled. The attributes are those of `Diarizer` and of its call.

    Attributes
    ----------
    speech : path, optional
        Known speech: a file, or a folder with a file for each recording.
    known : path, optional
        Table of known voices.
    """

    config: Config = field(default_factory=Config)
    model: str | Path | None = None
    device: str = "auto"
    channel: int | None = None
    channels: str | None = None
    channel_names: Sequence[str] | None = None
    track: int | None = None
    speech: Path | None = None
    known: Path | None = None

    def make_diarizer(self, threads: int | None = None) -> Diarizer:
        """The diarizer for these recordings; it loads the models.

        Raises
        ------
        ModelError
            If a model is missing or cannot be read, or the known voices are those of another one.
        FormatError
            If the table of known voices cannot be read.
        ConfigError
            If a setting of the clusterer is impossible.
        """
        from diarize.pipeline.diarizer import Diarizer
        from diarize.pipeline.recognition import open_known

        diarizer = Diarizer(self.model, config=self.config, device=self.device, threads=threads)
        if self.known is not None:
            open_known(self.known, diarizer.embedder)
        return diarizer


@dataclass(frozen=True)
class Labelled:
    """The results of a recording, ready to be written.

    Attributes
    ----------
    results : dict
        The content of each file by format.
    source : Fingerprint, optional
        That of the recording, made before it was labelled.
    duration, seconds : float
        Length of the recording, and wall-clock time of its labelling.
    """

    results: dict[str, bytes]
    source: Fingerprint | None
    duration: float
    seconds: float
    n_speakers: int


@dataclass(frozen=True)
class Started:
    """A recording is being labelled."""

    job: Job


@dataclass(frozen=True)
class Finished:
    """A recording was labelled."""

    job: Job
    labelled: Labelled


@dataclass(frozen=True)
class Failed:
    """A recording cannot be labelled; the traceback is that of an unexpected error."""

    job: Job
    error: str
    traceback: str | None = None


Event = Started | Finished | Failed


def label_here(
    jobs: Iterable[Job], how: Labelling, formats: Sequence[str], threads: int | None, hook: Hook = ignore
) -> Generator[Event]:
    """Label jobs one after the other in this process.

    Raises
    ------
    DiarizeError
        If the models cannot be loaded.
    """
    diarizer = None
    for job in jobs:
        diarizer = diarizer or how.make_diarizer(threads)
        yield Started(job)
        yield try_job(diarizer, job, how, formats, hook)


def try_job(
    diarizer: Diarizer, job: Job, how: Labelling, formats: Sequence[str], hook: Hook = ignore
) -> Finished | Failed:
    """Label one job. An unexpected error, too, is a failure of this recording, so that the others go on."""
    try:
        return Finished(job, label_as_files(diarizer, job, how, formats, hook))
    except DiarizeError as error:
        return Failed(job, str(error))
    except Exception as error:
        what = f"{job.name}: a bug: {type(error).__name__}: {error}"
        said = f"{what}; `diarize status --format json` has its traceback"
        return Failed(job, said, traceback.format_exc())


def label_job(diarizer: Diarizer, job: Job, how: Labelling, hook: Hook = ignore) -> Diarization:
    """The diarization of one job.

    Raises
    ------
    DiarizeError
        If the recording cannot be labelled.
    """
    with open_source(job) as source:
        return _label_source(diarizer, job, source, how, hook)


def _label_source(
    diarizer: Diarizer, job: Job, source: Source, how: Labelling, hook: Hook = ignore
) -> Diarization:
    # As bounds: a recording too short for the number in its data folder is labelled, with a warning.
    given = how.config.clustering.n_speakers is not None or how.channels is not None
    number = None if given else job.n_speakers
    diarization = diarizer(
        source,
        channel=how.channel,
        channels=how.channels,
        channel_names=how.channel_names,
        track=how.track,
        min_speakers=number,
        max_speakers=number,
        speech=read_speech(how.speech, job.recording) if how.speech else job.speech,
        known=how.known,
        recording=job.recording,
        hook=hook,
    )
    if how.channels is not None and job.n_speakers not in (None, len(diarization.speakers)):
        said = f"reco2num_spk says {job.n_speakers} speakers"
        logger.warning("%s: %s, %d channels hold speech", job.recording, said, len(diarization.speakers))
    return diarization


def label_as_files(
    diarizer: Diarizer, job: Job, how: Labelling, formats: Sequence[str], hook: Hook = ignore
) -> Labelled:
    """The results of one job as the content of files.

    Raises
    ------
    DiarizeError
        If the recording cannot be labelled, or a format cannot hold its turns.
    """
    started = time.perf_counter()
    with open_fingerprinted(job) as (source, read):
        diarization = _label_source(diarizer, job, source, how, hook)
    results = {name: result_content(diarization, name) for name in formats}
    seconds = time.perf_counter() - started
    return Labelled(results, read, diarization.duration, seconds, len(diarization.speakers))


def result_content(diarization: Diarization, format: str) -> bytes:
    """A diarization as the content of a file in the named format, or its `VOICES`."""
    return diarization.voices.to_bytes() if format == VOICES else result_text(diarization, format).encode()


def result_text(diarization: Diarization, format: str) -> str:
    """A diarization as text in the named format. JSON holds the whole result."""
    if format == "json":
        return diarization.to_json()
    return render_turns(diarization.turns, format, diarization.recording)
