"""Streams over WebSocket: samples come, the events of `diarize live` go.

A client sends samples of 16 bits, little endian, one channel, as binary messages of any size, and the text
``end`` at the end. It receives each event as a JSON text; after the last one, the server closes.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from diarize.access import RefusedError
from diarize.audio.pipe import ByteQueue, stream_pcm
from diarize.errors import DiarizeError
from diarize.service.guard import error_answer
from diarize.service.limits import SILENCE

if TYPE_CHECKING:
    from diarize.pipeline.live import LiveDiarizer

_MOST_BLOCKS = 32
"""Messages that wait to be labelled; then no more are read, and the client has to wait."""
_RATES = (8_000, 192_000)


class LiveRoutes:
    """Streams, some at a time, each with a diarizer and a thread of its own.

    Parameters
    ----------
    make : callable
        Gives a new `LiveDiarizer`.
    most : int
        Streams at a time.
    """

    def __init__(self, make: Callable[[], LiveDiarizer], most: int) -> None:
        self._make, self._most, self._n = make, most, 0
        self._threads = ThreadPoolExecutor(most, "stream")

    def routes(self) -> list[WebSocketRoute]:
        """The addresses and what answers them."""
        return [WebSocketRoute("/live/socket", self.stream)]

    async def stream(self, socket: WebSocket) -> None:
        """Label a stream."""
        try:
            rate = _parse_rate(socket.query_params.get("rate", "16000"))
            if self._n >= self._most:
                raise RefusedError(503, f"{self._most} streams are running; try again later")
        except RefusedError as refused:
            await socket.send_denial_response(error_answer(refused.status, refused.message))
            return
        self._n += 1
        samples, events = ByteQueue(), asyncio.Queue[str | None]()
        loop = asyncio.get_running_loop()

        def tell(event: str | None) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        try:
            await socket.accept()
            labelling = loop.run_in_executor(self._threads, self._label, samples, rate, tell)
            reading = asyncio.create_task(_read(socket, samples))
            try:
                while (event := await events.get()) is not None:
                    await socket.send_text(event)
                await socket.close()
            except (WebSocketDisconnect, RuntimeError):  # the client has gone
                pass
            finally:
                reading.cancel()
                samples.put(b"")
                with suppress(asyncio.CancelledError):
                    await reading
                await labelling
        finally:
            self._n -= 1

    def _label(self, samples: ByteQueue, rate: float, tell: Callable[[str | None], None]) -> None:
        """Label samples until they end, in a thread; the last thing told is None."""
        try:
            diarizer = self._make()
            for block in stream_pcm(samples, rate, "stream"):
                for event in diarizer.push(block):
                    tell(event.to_json())
            for event in diarizer.finish():
                tell(event.to_json())
        except DiarizeError as error:
            tell(json.dumps({"event": "error", "error": str(error)}))
        finally:
            tell(None)


async def _read(socket: WebSocket, samples: ByteQueue) -> None:
    """Pass samples on until the client ends the stream, is gone, or is silent for too long."""
    try:
        while True:
            while samples.n_blocks >= _MOST_BLOCKS:
                await asyncio.sleep(0.05)
            message = await asyncio.wait_for(socket.receive(), SILENCE)
            if message["type"] == "websocket.disconnect" or message.get("text") == "end":
                return
            if block := message.get("bytes"):
                samples.put(block)
    except TimeoutError:
        return
    finally:
        samples.put(b"")


def _parse_rate(text: str) -> int:
    """The rate of the samples in Hz.

    Raises
    ------
    RefusedError
        If it is none.
    """
    low, high = _RATES
    if not re.fullmatch("[0-9]{4,6}", text) or not low <= int(text) <= high:
        raise RefusedError(422, f"rate: a whole number of Hz from {low} to {high}")
    return int(text)
