"""The server of pages against programs on the same machine that do not know its token."""

import http.client
import socket
import struct
from threading import Thread

import pytest

from diarize.formats import write_turns
from diarize.report.page_sources import find_sources
from diarize.report.server import MOST_CONNECTIONS, PageServer
from diarize.segments import Segment, Turn


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    write_turns([Turn("talk", Segment(0, 1), "Ann")], folder / "talk.rttm")
    with PageServer(find_sources([folder])) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def status(server, path: str, method: str = "GET", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    assert server.access.token not in str(answer.headers) + answer.read().decode()
    connection.close()
    return answer.status


def send(server, text: bytes) -> bytes:
    """The answer to bytes that are no proper request."""
    with socket.create_connection(("127.0.0.1", server.server_port), 30) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        try:
            return b"".join(iter(lambda: connection.recv(4096), b""))
        except ConnectionResetError:  # closed with bytes unread
            return b""


def test_only_this_machine_reaches_it(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_other_methods_are_refused(server, method):
    assert status(server, f"/{server.access.token}/0/turns", method) == 501


@pytest.mark.parametrize("wrong", ["", "x", "{token}x", "{short}", "%7B", "{token}%00", "{upper}"])
def test_no_other_token_opens_it(server, wrong):
    known = {
        "token": server.access.token,
        "short": server.access.token[:-1],
        "upper": server.access.token.swapcase(),
    }
    assert status(server, f"/{wrong.format(**known)}/0/") == 404


@pytest.mark.parametrize(
    "path",
    ["../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "0/%2e%2e/%2e%2e/etc/passwd", "0/audio/../../talk.rttm",
     "0/..;/", "file:///etc/passwd", "0\\..\\talk.rttm", "talk.rttm", "0/turns/../../../talk.rttm"],
)  # fmt: skip
def test_no_address_is_a_path(server, path):
    assert status(server, f"/{server.access.token}/{path}") == 404


@pytest.mark.parametrize(
    "request_text",
    [
        "GET /{token}/ HTTP/1.1\r\n\r\n",
        "GET /{token}/\r\n\r\n",
        "GET /{token}/ HTTP/1.0\r\n\r\n",
        "GET /{token}/ HTTP/1.1\r\nHost: a\r\nHost: {host}\r\n\r\n",
        "GET /{token}/ HTTP/1.1\r\nX: a\r\n Host: {host}\r\n\r\n",
        "GET http://evil.example/{token}/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "PUT /{token}/0/turns HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\n" + "X: y\r\n" * 101 + "\r\n",
        "GET /" + "a" * 70_000 + " HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nX: " + "a" * 70_000 + "\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ],
)  # fmt: skip
def test_a_request_without_a_proper_head_is_refused(server, request_text):
    host = f"127.0.0.1:{server.server_port}"
    answer = send(server, request_text.format(token=server.access.token, host=host).encode())
    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert b"talk" not in answer


def test_a_client_that_is_slow_or_gone_stops_nobody_and_says_nothing(server, capfd):
    address = ("127.0.0.1", server.server_port)
    slow = [socket.create_connection(address) for _ in range(MOST_CONNECTIONS - 4)]
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\nHost")
    assert status(server, f"/{server.access.token}/") == 200
    more = [socket.create_connection(address) for _ in range(8)]
    for connection in more[4:]:  # beyond the limit: closed at once, no thread waits for them
        connection.settimeout(30)
        assert connection.recv(1) == b""
    for connection in slow + more:  # a reset, not a proper end
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    while True:
        try:
            assert status(server, f"/{server.access.token}/") == 200
            break
        except (ConnectionError, http.client.HTTPException):  # the threads have not ended yet
            continue
    assert capfd.readouterr().err == ""
