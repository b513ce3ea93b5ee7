"""A recording from the body of a request to the folder of its job, block by block."""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import BinaryIO

from diarize.access import RefusedError
from diarize.audio import recording_id
from diarize.errors import DiarizeError
from diarize.service.job_queue import JobQueue
from diarize.service.limits import MOST_JOBS, SILENCE, SLOWEST
from diarize.service.store import QueuedJob

logger = logging.getLogger(__name__)

_LONGEST_NAME = 200


def parse_name(name: str) -> tuple[str, str]:
    """The id of a recording and the suffix of its file, from the name that a client gives.

    Raises
    ------
    RefusedError
        If it is no name of a file.
    """
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or re.search(r"[/\\]", name):
        raise RefusedError(422, f"name: 1 to {_LONGEST_NAME} printable characters without / and \\")
    recording, suffix = recording_id(name), PurePosixPath(name).suffix.lower()
    if not re.search(r"[^\W_]", recording):
        raise RefusedError(422, "name: a letter or a digit is missing")
    return recording, suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""


def parse_number(text: str | None) -> int | None:
    """The number of speakers that a client gives.

    Raises
    ------
    RefusedError
        If it is none.
    """
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,2}", text):
        raise RefusedError(422, "num_speakers: a whole number from 1 to 999")
    return int(text)


def parse_length(text: str | None, most: int) -> int | None:
    """The length of a body that a header states.

    Raises
    ------
    RefusedError
        If it is too large.
    """
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,18}", text):
        raise RefusedError(400, "Content-Length: not a number")
    if int(text) > most:
        raise RefusedError(413, f"the recording has {text} bytes; at most {most} are taken")
    return int(text)


@contextmanager
def reserved(queue: JobQueue) -> Iterator[None]:
    """A place for an upload inside the block.

    Raises
    ------
    RefusedError
        If there is none now.
    """
    limits = queue.limits
    if queue.stopping:
        raise RefusedError(503, "the server is stopping; try again later")
    if len(queue.jobs) >= MOST_JOBS:
        raise RefusedError(507, f"the server holds {MOST_JOBS} jobs; delete some")
    if len(queue.waiting) + queue.n_uploads >= limits.max_queue:
        raise RefusedError(503, f"{limits.max_queue} jobs are waiting; try again later")
    if queue.n_uploads >= limits.max_uploads:
        raise RefusedError(429, f"{limits.max_uploads} uploads are running; try again in a second")
    queue.n_uploads += 1
    try:
        yield
    finally:
        queue.n_uploads -= 1


async def take_upload(
    queue: JobQueue, body: AsyncIterator[bytes], name: str, n_speakers: int | None
) -> QueuedJob:
    """Write a recording to the disk and queue its job. An upload that ends early leaves nothing.

    Raises
    ------
    RefusedError
        If it is empty, too large or too slow, or the disk is full.
    """
    recording, suffix = parse_name(name)
    try:
        folder = queue.store.new_folder()
        try:
            with queue.store.upload_path(folder.name, suffix).open("xb") as file:
                await _write(file, body, queue.limits.max_bytes)
            if queue.stopping:
                raise RefusedError(503, "the server is stopping; try again later")
            now = time.time()
            job = QueuedJob(folder.name, recording, suffix, n_speakers, created=now, changed=now)
            queue.add(job)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except (OSError, DiarizeError) as error:
        logger.error("%s: the upload cannot be stored (%s)", queue.store.folder, error)
        raise RefusedError(507, "the upload cannot be stored; the disk of the server may be full") from error
    return job


async def _write(file: BinaryIO, body: AsyncIterator[bytes], most: int) -> None:
    started, size = time.monotonic(), 0
    async for block in body:
        size += len(block)
        if size > most:
            raise RefusedError(413, f"the recording has more than {most} bytes")
        if time.monotonic() - started > SILENCE + size / SLOWEST:
            raise RefusedError(408, f"the upload is slower than {SLOWEST:.0f} bytes a second")
        file.write(block)
    if not size:
        raise RefusedError(422, "0 bytes; send the recording as the body of the request")
