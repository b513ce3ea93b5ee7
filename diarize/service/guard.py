"""What each request passes before it is answered: access; headers; an end for clients that do not read."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from diarize.access import SAFE_HEADERS, Access, RefusedError
from diarize.service.limits import SILENCE

logger = logging.getLogger(__name__)


class Guard:
    """Answers only whom `access` admits. The application sees addresses without the token."""

    def __init__(self, application: ASGIApp, access: Access) -> None:
        self._application, self._access = application, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a WebSocket."""
        headers = Headers(scope=scope)

        async def send_safely(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                MutableHeaders(scope=message).update(SAFE_HEADERS)
            await asyncio.wait_for(send(message), SILENCE)

        try:
            path = self._access.admit(scope["raw_path"].decode("latin-1"), headers)
        except RefusedError as refused:
            await refuse(refused, scope, receive, send_safely)
            return
        try:
            await self._application({**scope, "path": unquote(path), "root_path": ""}, receive, send_safely)
        except (ClientDisconnect, TimeoutError):  # the client has gone, or does not read
            pass
        except Exception:
            logger.exception("a bug")  # the application has answered with status 500


async def refuse(refused: RefusedError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with an error."""
    answer = error_answer(refused.status, refused.message)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(answer)
    else:
        await answer(scope, receive, send)


def error_answer(status: int, message: str) -> JSONResponse:
    """An error as JSON, with the seconds to wait where the client may try again."""
    headers = {429: {"Retry-After": "1"}, 503: {"Retry-After": "30"}, 401: {"WWW-Authenticate": "Bearer"}}
    return JSONResponse({"error": message}, status, headers.get(status))
