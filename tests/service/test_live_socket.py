"""Streams over WebSocket, on an application without a socket."""

import asyncio
import json

import pytest
from command_line import demo_samples
from services import HOST, PORT, TOKEN, Socket

from diarize.access import Access
from diarize.audio.pipe import ByteQueue, stream_pcm
from diarize.pipeline.live import LiveDiarizer
from diarize.service import live_routes
from diarize.service.application import make_application
from diarize.service.live_routes import LiveRoutes

SAMPLES = (demo_samples(3.0) * 32767).astype("<i2").tobytes()
ORDINARY = {"Host": HOST, "Origin": f"http://{HOST}"}
TARGET = f"/{TOKEN}/live/socket"


def application(most: int = 2, make=LiveDiarizer):
    return make_application(Access(PORT, TOKEN), live=LiveRoutes(make, most))


async def events_of(socket: Socket) -> list[dict]:
    """All events until the server closes."""
    events = []
    while (message := await socket.receive())["type"] == "websocket.send":
        events.append(json.loads(message["text"]))
    assert (message["type"], message["code"]) == ("websocket.close", 1000)
    await socket.task
    return events


def test_the_events_are_those_of_a_live_diarizer():
    queue = ByteQueue()
    for start in range(0, len(SAMPLES), 3_201):
        queue.put(SAMPLES[start : start + 3_201])
    queue.put(b"")
    live = LiveDiarizer()
    expected = [event for block in stream_pcm(queue, 16_000) for event in live.push(block)]
    expected += live.finish()
    assert expected

    async def scenario() -> list[dict]:
        socket = Socket(application(), f"{TARGET}?rate=16000", ORDINARY)
        assert (await socket.receive())["type"] == "websocket.accept"
        for start in range(0, len(SAMPLES), 3_201):  # an odd number of bytes
            socket.send(SAMPLES[start : start + 3_201])
        socket.send("end")
        return await events_of(socket)

    assert asyncio.run(scenario()) == [json.loads(event.to_json()) for event in expected]


def test_a_stream_without_samples_ends_with_an_error_and_a_silent_or_lost_one_ends(monkeypatch):
    monkeypatch.setattr(live_routes, "SILENCE", 0.05)

    class Nobody:
        """Hears nobody."""

        def push(self, samples):
            return []

        finish = list

    async def scenario() -> None:
        app = application(1, Nobody)
        for last in ("end", None, "leave"):
            socket = Socket(app, TARGET, ORDINARY)
            assert (await socket.receive())["type"] == "websocket.accept"
            refused = Socket(app, TARGET, ORDINARY)
            assert (await refused.receive())["status"] == 503, "one at a time"
            if last == "leave":
                socket.leave()
                await socket.task
                continue
            if last:
                socket.send(last)
            assert await events_of(socket) == [
                {"event": "error", "error": "stream: 0 samples; record or export it again"}
            ]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        (f"{TARGET}?rate=7999", {}, 422),
        (f"{TARGET}?rate=192001", {}, 422),
        (f"{TARGET}?rate=-16000", {}, 422),
        (f"{TARGET}?rate=", {}, 422),
        ("/live/socket", {}, 404),
        (f"/{TOKEN}x/live/socket", {}, 404),
        (TARGET, {"Origin": "http://evil.example"}, 403),
        (TARGET, {"Origin": "null"}, 403),
        (TARGET, {"Host": "evil.example"}, 403),
        (TARGET, {"Sec-Fetch-Site": "cross-site"}, 403),
        ("/live/socket", {"Authorization": "Bearer x"}, 401),
    ],
)
def test_a_socket_is_refused_before_it_is_open(target, headers, status):
    async def scenario() -> None:
        socket = Socket(application(), target, ORDINARY | headers)
        message = await socket.receive()
        assert (message["type"], message["status"]) == ("websocket.http.response.start", status)
        assert TOKEN not in (await socket.receive())["body"].decode()

    asyncio.run(scenario())
