"""An application on a socket, until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from diarize.errors import DiarizeError
from diarize.service.limits import MOST_CONNECTIONS

HEAD_SECONDS = 20.0
"""Seconds that a client has to send the head of a request."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MOST_MESSAGE = 2**17
"""Bytes of a message of a WebSocket: a second of samples at 48 kHz."""


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens, so that its port is known before the server runs.

    Raises
    ------
    DiarizeError
        If the address is not one of this machine, or the port is in use or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(MOST_CONNECTIONS)
    except (OSError, OverflowError) as error:
        listener.close()
        raise DiarizeError(
            f"{host}, port {port}: cannot be used ({error}); give another --host or --port"
        ) from error
    return listener


class Server(uvicorn.Server):
    """A server that a first signal asks to stop; a second one ends the process.

    Parameters
    ----------
    application : ASGI application
    grace : float
        Seconds that running requests are given then.
    on_stop : callable
        Called when the server is asked to stop.
    """

    def __init__(self, application: ASGIApp, grace: float, on_stop: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=_Protocol,
                ws="websockets-sansio",
                ws_max_size=_MOST_MESSAGE,
                ws_ping_interval=None,  # whoever sends no samples is left anyway
                ws_per_message_deflate=False,
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_keep_alive=round(HEAD_SECONDS),
                timeout_graceful_shutdown=max(1, round(grace)),
            )
        )
        self._on_stop = on_stop
        # Its log is about requests of others, such as malformed ones.
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)

    def stop(self) -> None:
        """Answer what has been asked, take nothing more, and end."""
        self.should_exit = True
        self._on_stop()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at a signal; the base class would raise it again afterwards."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._take, number)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _take(self, number: int) -> None:
        for each in _SIGNALS:  # a second signal does what it does without a handler
            asyncio.get_running_loop().remove_signal_handler(each)
        self.stop()


class _Protocol(H11Protocol):
    """HTTP, with a limit on the time between the first byte of a connection or request and its whole head."""

    _idle_since = 0.0

    def connection_made(self, transport: Any) -> None:
        """Begin to watch the connection."""
        super().connection_made(transport)
        self._watch()

    def _watch(self) -> None:
        """Close the connection if no request has been complete for too long."""
        now = time.monotonic()
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering or not self._idle_since:
            self._idle_since = now
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return  # it is closed, or has become a WebSocket
        if now - self._idle_since > HEAD_SECONDS:
            self.transport.close()
        else:
            self.loop.call_later(HEAD_SECONDS / 10, self._watch)
