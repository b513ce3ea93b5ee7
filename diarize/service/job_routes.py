"""The jobs of a service over HTTP: upload, state, progress, result, list, deletion."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from diarize import __version__
from diarize.access import RefusedError
from diarize.formats import FORMATS, read_turns, render_turns
from diarize.service.job_queue import JobQueue
from diarize.service.limits import SILENCE
from diarize.service.store import RESULT, QueuedJob
from diarize.service.uploads import parse_length, parse_number, reserved, take_upload

_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8", "vtt": "text/vtt; charset=utf-8"}


class JobRoutes:
    """The answers to requests about jobs."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue

    def routes(self) -> list[Route]:
        """The addresses and what answers them."""
        return [
            Route("/status", self.status),
            Route("/jobs", self.show_all),
            Route("/jobs", self.upload, methods=["POST"]),
            Route("/jobs/{id}", self.show),
            Route("/jobs/{id}", self.delete, methods=["DELETE"]),
            Route("/jobs/{id}/events", self.events),
            Route("/jobs/{id}/result", self.result),
        ]

    async def status(self, request: Request) -> Response:
        """The version, the number of jobs by state, and the limits."""
        queue = self._queue
        states = [job.state for job in queue.jobs.values()]
        counts = {state: states.count(state) for state in ("waiting", "running", "done", "failed")}
        names = ("max_bytes", "max_duration", "max_seconds", "max_queue", "max_uploads", "keep")
        limits = {name: getattr(queue.limits, name) for name in names}
        return JSONResponse({"version": __version__, "jobs": counts, "limits": limits, "formats": [*FORMATS]})

    async def upload(self, request: Request) -> Response:
        """Take a recording, which is the body of the request, and queue a job."""
        number = parse_number(request.query_params.get("num_speakers"))
        parse_length(request.headers.get("Content-Length"), self._queue.limits.max_bytes)
        name = request.query_params.get("name", "recording")
        with reserved(self._queue):
            job = await take_upload(self._queue, _body(request), name, number)
        return JSONResponse(self._describe(job), 201, {"Location": f"jobs/{job.id}"})

    async def show_all(self, request: Request) -> Response:
        """All jobs, the oldest first."""
        places = {job.id: place for place, job in enumerate(self._queue.waiting, 1)}
        jobs = [_describe(job, places.get(job.id)) for job in self._queue.jobs.values()]
        return JSONResponse({"jobs": jobs})

    async def show(self, request: Request) -> Response:
        """A job."""
        return JSONResponse(self._describe(self._find(request)))

    async def delete(self, request: Request) -> Response:
        """Remove a job; if it runs, it ends."""
        self._queue.remove(self._find(request))
        return Response(status_code=204)

    async def events(self, request: Request) -> Response:
        """The job at each change, as server-sent events, until it has ended."""
        return StreamingResponse(self._events(self._find(request)), media_type="text/event-stream")

    async def result(self, request: Request) -> Response:
        """The result in a format."""
        job, name = self._find(request), request.query_params.get("format", "json")
        if name not in FORMATS:
            raise RefusedError(422, f"format: one of {', '.join(FORMATS)}")
        if job.state == "failed":
            raise RefusedError(409, f"the job has failed: {job.error}")
        if job.state != "done":
            raise RefusedError(409, f"the job is {job.state}; its result comes later")
        content = await asyncio.to_thread(_render, self._queue.store.folder / job.id / RESULT, name, job)
        file = f"{job.id}{FORMATS[name].suffix}"
        headers = {"Content-Disposition": f'attachment; filename="{file}"'}
        return Response(content, headers=headers, media_type=_TYPES.get(name, "text/plain; charset=utf-8"))

    async def _events(self, job: QueuedJob) -> AsyncIterator[str]:
        async for is_new in self._queue.follow(job):
            yield (
                f"event: job\ndata: {json.dumps(self._describe(job))}\n\n" if is_new else ": nothing new\n\n"
            )

    def _find(self, request: Request) -> QueuedJob:
        job = self._queue.jobs.get(request.path_params["id"])
        if job is None:
            raise RefusedError(404, "no such job; it may have been deleted")
        return job

    def _describe(self, job: QueuedJob) -> dict[str, Any]:
        waiting = self._queue.waiting
        return _describe(job, waiting.index(job) + 1 if job in waiting else None)


def _describe(job: QueuedJob, place: int | None) -> dict[str, Any]:
    """A job as JSON; what is not known is null."""
    running = job.state == "running" and job.stage is not None
    return {
        "id": job.id,
        "recording": job.recording,
        "state": job.state,
        "place": place,
        "num_speakers": job.n_speakers,
        "created": _time(job.created),
        "changed": _time(job.changed),
        "progress": {"stage": job.stage, "done": job.done, "total": job.total} if running else None,
        "duration": job.duration,
        "seconds": job.seconds,
        "speakers": job.speakers,
        "error": job.error,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _render(path: Path, format: str, job: QueuedJob) -> str:
    """The stored result in a format."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RefusedError(410, "the result is gone from the disk of the server") from error
    return text if format == "json" else render_turns(read_turns(path), format, job.recording)


async def _body(request: Request) -> AsyncIterator[bytes]:
    """The body of a request as it comes.

    Raises
    ------
    RefusedError
        If the client is silent for too long.
    """
    blocks = request.stream()
    while True:
        try:
            block = await asyncio.wait_for(anext(blocks), SILENCE)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise RefusedError(408, f"nothing was sent for {SILENCE:g} s") from error
        yield block
