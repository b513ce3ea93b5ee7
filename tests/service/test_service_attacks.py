"""A service against who does not know its token, other pages, and clients that misbehave; over sockets."""

import asyncio
import os
import signal
import socket

import pytest
from services import HOST, PORT, TOKEN, service

from diarize.access import SAFE_HEADERS, Access
from diarize.errors import DiarizeError
from diarize.service import serving
from diarize.service.application import make_application
from diarize.service.serving import Server, open_socket

ADDRESSES = ("", "status", "jobs", "openapi.json", "jobs/0123456789abcdef", "assets/jobs.js")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": f"evil.example:{PORT}"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_requests_of_others_are_refused_at_every_address(tmp_path, headers, status, method):
    async def scenario() -> None:
        async with service(tmp_path) as (queue, client):
            for address in ADDRESSES:
                answer = await client.request(method, address, headers=headers, content=b"x")
                assert answer.status_code == status, address
                assert (
                    SAFE_HEADERS.items()
                    <= {name.title(): value for name, value in answer.headers.items()}.items()
                )
                assert "access-control-allow-origin" not in answer.headers
            assert not queue.jobs

    asyncio.run(scenario())


def test_without_the_token_nothing_is_found(tmp_path):
    async def scenario() -> None:
        async with service(tmp_path) as (queue, client):
            for start in (
                "",
                "x/",
                f"{TOKEN}x/",
                f"{TOKEN[:-1]}/",
                f"{TOKEN.upper()}/",
                "%7B/",
                f"x/{TOKEN}/",
            ):
                for address in ADDRESSES:
                    answer = await client.post(f"http://{HOST}/{start}{address}", content=b"x")
                    assert answer.status_code == 404, (start, address)
                    assert TOKEN not in answer.text
            allowed = await client.get(f"http://{HOST}/status", headers={"Authorization": f"Bearer {TOKEN}"})
            assert allowed.status_code == 200
            assert not queue.jobs

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "path",
    ["jobs/../../etc/passwd", "jobs/..%2f..%2fjournal.sqlite/result", "jobs/%2e%2e/result", "journal.sqlite",
     "jobs/{id}/result/../recording", "jobs/{id}/recording.wav", "jobs/{id}%00/result", "jobs/{id}/",
     "assets/..%2frun.py", "assets/%2e%2e/run.py", "assets//etc/passwd"],
)  # fmt: skip
def test_no_address_of_a_service_is_a_path(tmp_path, path):
    async def scenario() -> None:
        async with service(tmp_path) as (_queue, client):
            job = (await client.post("jobs", params={"name": "a.wav"}, content=b"secret")).json()
            answer = await client.get(f"http://{HOST}/{TOKEN}/{path.format(id=job['id'])}")
            assert answer.status_code == 404
            assert "secret" not in answer.text

    asyncio.run(scenario())


@pytest.mark.parametrize("format", ["../recording", "rttm/..", "stm", "voices", "", "JSON"])
def test_no_format_of_a_client_is_a_path(tmp_path, format):
    async def scenario() -> None:
        async with service(tmp_path) as (_queue, client):
            job = (await client.post("jobs", content=b"x")).json()
            answer = await client.get(f"jobs/{job['id']}/result", params={"format": format})
            assert answer.status_code == 422

    asyncio.run(scenario())


async def exchange(port: int, text: str) -> bytes:
    """What a server answers to a text, until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.replace("{port}", str(port)).encode())
    try:
        return await asyncio.wait_for(reader.read(), 30)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


GOOD = f"GET /{TOKEN}/status HTTP/1.1\r\nHost: 127.0.0.1:{{port}}\r\nConnection: close\r\n\r\n"
BAD = [
    f"GET /{TOKEN}/status HTTP/1.1\r\n\r\n",
    f"GET /{TOKEN}/status HTTP/1.0\r\n\r\n",
    f"GET /{TOKEN}/status HTTP/1.1\r\nHost: a\r\nHost: 127.0.0.1:{{port}}\r\n\r\n",
    f"GET http://evil.example/{TOKEN}/status HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    f"POST /{TOKEN}/jobs HTTP/1.1\r\nHost: 127.0.0.1:{{port}}\r\nContent-Length: 99999999999999\r\n\r\nx",
    f"POST /{TOKEN}/jobs HTTP/1.1\r\nHost: 127.0.0.1:{{port}}\r\nContent-Length: -1\r\n\r\nx",
    f"POST /{TOKEN}/jobs HTTP/1.1\r\nHost: 127.0.0.1:{{port}}\r\nTransfer-Encoding: chunked\r\n"
    "Content-Length: 4\r\n\r\nzz\r\n",
    "GET / HTTP/1.1\r\nX: " + "a" * 100_000 + "\r\n\r\n",
    "GET /" + "a" * 100_000 + " HTTP/1.1\r\n\r\n",
    "nonsense\r\n\r\n",
]


def test_a_server_refuses_what_is_malformed_leaves_who_is_slow_and_stops_at_a_signal(
    tmp_path, monkeypatch, caplog, capfd
):
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.3)

    async def scenario() -> None:
        with open_socket("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
            with pytest.raises(DiarizeError, match=rf"^127\.0\.0\.1, port {port}: cannot be used "):
                open_socket("127.0.0.1", port)
            async with service(tmp_path) as (queue, _client):
                server = Server(make_application(Access(port, TOKEN), queue), 1, queue.stop)
                running = asyncio.create_task(server.serve([listener]))
                while not server.started:
                    await asyncio.sleep(0.01)
                assert b" 200 OK\r\n" in await exchange(port, GOOD)
                for text in BAD:
                    status = (await exchange(port, text)).partition(b"\r\n")[0]
                    assert b" 2" not in status[8:], (text[:80], status)
                begun = GOOD[:40]
                assert await exchange(port, begun) == b"", "it was closed, for the head did not come"
                twice = await exchange(port, GOOD.replace("close", "keep-alive") + begun)
                assert twice.count(b" 200 OK\r\n") == 1, "nor that of a second request"
                gone = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
                for _reader, writer in gone:  # a reset, not a proper end
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                    )
                    writer.transport.abort()
                monkeypatch.setattr(server.config, "limit_concurrency", 2)
                held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
                assert b" 503 " in (await exchange(port, GOOD)).partition(b"\r\n")[0]
                for _reader, writer in held:
                    writer.close()
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.wait_for(running, 30)
                assert queue.stopping
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.1", port)
                assert not queue.jobs

    asyncio.run(scenario())
    assert (caplog.records, capfd.readouterr().err) == ([], "")
