"""The sound of recordings, and fingerprints: of files or, for commands of a data folder, of the command."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from pathlib import Path

from diarize.audio.sources import AudioFile
from diarize.batch.jobs import Job
from diarize.errors import AudioError, FormatError
from diarize.files.atomic import atomic_path
from diarize.files.fingerprints import Fingerprint, fingerprint, is_same
from diarize.files.locations import locate, status
from diarize.files.remote import RemoteFile, is_url
from diarize.formats.kaldi import is_command, run_command


@contextmanager
def open_source(job: Job) -> Iterator[str | AudioFile]:
    """A job's audio. The output of a command, or the file at a URL, is a temporary file inside the block.

    Raises
    ------
    FormatError
        If the command fails or writes nothing.
    DiarizeError
        If the file at a URL cannot be read.
    """
    if is_url(job.source):
        with _open_remote(job.source) as (source, _):
            yield source
        return
    if not is_command(job.source):
        yield job.source
        return
    audio = run_command(job.source)
    if not audio:
        raise FormatError(f"recording {job.recording}: the command '{job.source}' writes nothing")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{job.recording}.wav"
        with atomic_path(file) as temporary:
            temporary.write_bytes(audio)
        yield str(file)


@contextmanager
def open_fingerprinted(job: Job) -> Iterator[tuple[str | AudioFile, Fingerprint | None]]:
    """The same, with its fingerprint. A file at a URL is downloaded once."""
    if is_url(job.source):
        with _open_remote(job.source) as found:
            yield found
    else:
        known = fingerprint_source(job.source)
        with open_source(job) as source:
            yield source, known


@contextmanager
def _open_remote(url: str) -> Iterator[tuple[AudioFile, Fingerprint]]:
    try:
        size, version = RemoteFile(url).status()  # before the content, so that a change in between is seen
        with RemoteFile(url).downloaded() as file:
            known = Fingerprint(size, version, file_digest(file, "sha256").hexdigest())
            yield AudioFile(url, url, file), known
    except FileNotFoundError as error:
        raise AudioError(f"{url}: no such file; check the URL") from error


def fingerprint_source(source: str) -> Fingerprint | None:
    """The fingerprint of a recording, which is read whole; None if it cannot be read."""
    if is_command(source):
        return Fingerprint(0, 0, sha256(source.encode("utf-8", "surrogatepass")).hexdigest())
    try:
        return fingerprint(source)
    except (OSError, ValueError):  # labelling it gives the error
        return None


def is_same_source(source: str, known: Fingerprint) -> bool:
    """Whether a recording is that of a fingerprint."""
    return fingerprint_source(source) == known if is_command(source) else is_same(source, known)


def source_size(source: str) -> int:
    """The size of a recording in bytes; 0 for a command or a file that is not there."""
    try:
        return 0 if is_command(source) else status(locate(source))[0]
    except (OSError, ValueError):
        return 0
