"""The pages of a service: a list of jobs, and a stream. Their files are in `assets/`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
_SCRIPTS = ("jobs.js", "live.js", "turns.js", "capture.js")


def page_routes(*, jobs: bool, live: bool) -> list[Route]:
    """The addresses of the pages that there are, and of what they load."""
    routes = [Route(f"/assets/{name}", _asset_of(name)) for name in (*_SCRIPTS, "style.css")]
    if jobs:
        routes.append(Route("/", _asset_of("jobs.html")))
    if live:
        routes.append(Route("/live/", _asset_of("live.html")))
    return routes


def _asset_of(name: str) -> Callable[[Request], Awaitable[Response]]:
    """What answers with a file."""
    kind = f"{_TYPES[name[name.rindex('.') :]]}; charset=utf-8"

    async def answer(request: Request) -> Response:
        return Response(_read(name), media_type=kind, headers={"Content-Security-Policy": _policy(request)})

    return answer


def _policy(request: Request) -> str:
    """What a page may load: from this server alone."""
    host = request.headers["Host"]  # one of the server's names, as the guard has checked
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "data:",
        "media-src": "blob:",
        "connect-src": f"'self' ws://{host} wss://{host}",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


@cache
def _read(name: str) -> str:
    own = files("diarize.service").joinpath("assets", name).read_text(encoding="utf-8")
    if name != "style.css":
        return own
    shared = files("diarize").joinpath("report", "assets", "recording.css")  # loads no matplotlib
    return shared.read_text(encoding="utf-8") + own
