"""The ASGI application of a service: jobs, streams, or both."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from diarize.access import Access, RefusedError
from diarize.errors import DiarizeError
from diarize.service.guard import Guard, error_answer
from diarize.service.job_queue import JobQueue
from diarize.service.job_routes import JobRoutes
from diarize.service.live_routes import LiveRoutes
from diarize.service.openapi import describe_interface
from diarize.service.pages import page_routes


def make_application(access: Access, queue: JobQueue | None = None, live: LiveRoutes | None = None) -> Guard:
    """The application that serves jobs, streams, or both, to those whom `access` admits."""
    routes: list[BaseRoute] = [*page_routes(jobs=queue is not None, live=live is not None)]
    if queue is not None:
        routes += [*JobRoutes(queue).routes(), Route("/openapi.json", _openapi)]
    if live is not None:
        routes += live.routes()
    handlers = {RefusedError: _refused, DiarizeError: _wrong, HTTPException: _unknown, Exception: _bug}
    application = Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]
    application.router.redirect_slashes = False
    return Guard(application, access)


async def _openapi(request: Request) -> Response:
    return JSONResponse(describe_interface())


async def _refused(request: Request, error: RefusedError) -> Response:
    return error_answer(error.status, error.message)


async def _wrong(request: Request, error: DiarizeError) -> Response:
    return error_answer(422, str(error))


async def _unknown(request: Request, error: HTTPException) -> Response:
    """An address or a method that does not exist."""
    answer = error_answer(error.status_code, error.detail.lower())
    answer.headers.update(error.headers or {})
    return answer


async def _bug(request: Request, error: Exception) -> Response:
    return error_answer(500, "a bug; the log of the server has its traceback")
