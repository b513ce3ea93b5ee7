"""The server of pages: who may ask, what is answered, what is written."""

import http.client
import json
import re
import socket
from contextlib import contextmanager
from threading import Thread

import pytest
import soundfile
from command_line import demo_samples
from hypothesis import given
from hypothesis import strategies as st

from diarize.audio import load_audio
from diarize.errors import DiarizeError
from diarize.formats import read_rttm, write_turns
from diarize.formats.json_format import format_json, list_turns
from diarize.report.page_sources import find_sources
from diarize.report.ranges import find_range
from diarize.report.results import version_of
from diarize.report.server import MOST_BYTES, PageServer
from diarize.segments import Segment, Turn

TURNS = [Turn("talk", Segment(0.5, 2), "Ann"), Turn("talk", Segment(2, 3), "Bob")]


def document(turns=TURNS, recording: str = "talk") -> bytes:
    return format_json({"recording": recording, "turns": list_turns(turns)}).encode()


@contextmanager
def serving(*inputs, **options):
    """A server of results, in a thread."""
    with PageServer(find_sources(inputs, **options)) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    soundfile.write(folder / "talk.wav", demo_samples(4.0), 16000)
    return folder


@pytest.fixture
def result(folder):
    """The result, as it is before each test."""
    path = folder / "talk.json"
    path.write_bytes(document())
    write_turns(TURNS, folder / "talk.rttm")
    return path


@pytest.fixture(scope="module")
def server(folder):
    (folder / "talk.json").write_bytes(document())
    with serving(folder, audio=folder) as server:
        yield server


def ask(server, method: str, path: str, body: bytes | None = None, **headers: str | None):
    """Status, headers and content of an answer; `path` follows the token. None leaves a header out."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    given = {"Host": f"127.0.0.1:{server.server_port}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in given.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def put(server, body: bytes, path: str = "0/turns", **headers: str | None):
    """Send corrections as the page does; status and content."""
    result = server.sources[0].path
    given = {
        "Origin": server.address.rsplit("/", 2)[0],
        "Content_Type": "application/json",
        "Content_Length": str(len(body)),
        "If_Match": f'"{version_of(result)}"',
    }
    status, _, content = ask(server, "PUT", f"/{server.access.token}/{path}", body, **(given | headers))
    return status, json.loads(content)


def test_the_list_leads_to_the_page_and_the_page_to_audio_and_turns(server, result):
    assert server.server_address[0] == "127.0.0.1"
    status, headers, content = ask(server, "GET", f"/{server.access.token}/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert '<a href="0/">talk</a>' in content.decode()
    status, headers, content = ask(server, "GET", f"/{server.access.token}/0/")
    assert status == 200
    data = json.loads(re.search(r'id="data">(.*?)</script>', content.decode())[1])
    assert data["audio"] == {"address": "audio"}
    assert data["save"] == {"address": "turns", "version": version_of(result)}
    assert data["peaks"]["duration"] == 4000
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers
    assert "python" not in headers["Server"].lower()


@pytest.mark.parametrize(
    "path",
    [
        "/", "/{token}", "/{token}x/", "/x/0/", "/{token}/1/", "/{token}/0/nothing", "/{token}/-1/",
        "/{token}/0x/",
        "/{token}/0/../0/", "/{token}/0/%2e%2e/", "/{token}/../../etc/passwd", "/{token}/talk.json",
        "/{token}/0/audio/..", "/{token}/0//etc/passwd", "/%00/", "/%c3%a9/",
    ],
)  # fmt: skip
def test_other_addresses_are_not_found(server, path):
    status, _, content = ask(server, "GET", path.replace("{token}", server.access.token))
    assert status == 404
    assert server.access.token not in content.decode()


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "evil.example:{port}", "localhost.evil:{port}", None]
)
def test_a_request_that_names_another_host_is_refused(server, result, method, host):
    before = result.read_bytes()
    host = host and host.replace("{port}", str(server.server_port))
    status, _, content = ask(
        server,
        method,
        f"/{server.access.token}/0/turns",
        document([]) if method == "PUT" else None,
        Host=host,
    )
    assert (status, json.loads(content)["error"]) == (403, "this server is not known by that name")
    assert result.read_bytes() == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_request_of_another_page_is_refused(server, result, headers):
    before = result.read_bytes()
    headers = {name: value.replace("{port}", str(server.server_port)) for name, value in headers.items()}
    assert ask(server, "GET", f"/{server.access.token}/0/", **headers)[0] == 403
    assert put(server, document([]), **headers)[0] == 403
    assert result.read_bytes() == before


def test_corrections_are_written_whole_and_beside_it_too(server, result):
    corrected = [TURNS[0], Turn("talk", Segment(2, 3), "Zoë <b>")]
    first = version_of(result)
    status, answer = put(server, document(corrected))
    assert (status, answer["written"]) == (200, ["talk.json", "talk.rttm"])
    assert answer["version"] == version_of(result) != first
    assert [turn.speaker for turn in read_rttm(result.with_suffix(".rttm"))] == ["Ann", "Zoë_<b>"]
    assert json.loads(result.read_text())["turns"][1]["speaker"] == "Zoë <b>"
    assert {path.name for path in result.parent.iterdir()} == {"talk.json", "talk.rttm", "talk.wav"}
    assert put(server, document(TURNS), If_Match=f'"{answer["version"]}"')[0] == 200


def test_a_file_that_has_changed_is_not_overwritten(server, result):
    version = version_of(result)
    result.write_bytes(document(TURNS[:1]))
    for match in (f'"{version}"', "", "*", None):
        status, answer = put(server, document([]), If_Match=match)
        assert status == 409
        assert answer["error"].startswith("talk.json has changed since this page was opened")
    assert result.read_bytes() == document(TURNS[:1])


@pytest.mark.parametrize(
    ("status", "message", "change"),
    [
        (403, "corrections come from a page of this server", {"Origin": None}),
        (415, "corrections are JSON", {"Content_Type": "text/plain"}),
        (415, "corrections are JSON", {"Content_Type": None}),
        (411, "the length of the content is missing", {"Content_Length": None}),
        (411, "the length of the content is missing", {"Content_Length": "-1"}),
        (413, f"more than {MOST_BYTES} bytes", {"Content_Length": str(MOST_BYTES + 1)}),
        (413, f"more than {MOST_BYTES} bytes", {"Content_Length": "9" * 18}),
        (405, "only turns can be written", {"path": "0/"}),
        (405, "only turns can be written", {"path": "0/audio"}),
        (404, "not found", {"path": "../0/turns"}),
    ],
)
def test_corrections_that_are_not_sent_as_the_page_sends_them_are_refused(
    server, result, status, message, change
):
    before = result.read_bytes()
    found, answer = put(server, document([]), **change)
    assert found == status
    assert answer["error"].startswith(message)
    assert result.read_bytes() == before


def test_corrections_that_are_wrong_are_refused_in_one_line(server, result):
    before = result.read_bytes()
    status, answer = put(server, b'{"format": "diarize"')
    assert (status, answer["error"].partition(":")[0]) == (422, "the corrections, line 1")
    assert put(server, document(recording="walk"))[0] == 422
    assert result.read_bytes() == before


def test_corrections_that_end_early_are_not_written(server, result):
    before = result.read_bytes()
    head = (
        f"PUT /{server.access.token}/0/turns HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n"
        f"Origin: http://127.0.0.1:{server.server_port}\r\nContent-Type: application/json\r\n"
        f'If-Match: "{version_of(result)}"\r\nContent-Length: 5000\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", server.server_port), 30) as connection:
        connection.sendall(head.encode() + document())
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert result.read_bytes() == before


@pytest.mark.parametrize(
    "request_line", ["GET http://[ HTTP/1.1", "DELETE /{token}/0/turns HTTP/1.1", "nonsense"]
)
def test_requests_of_other_kinds_have_an_answer_of_an_error(server, request_line):
    with socket.create_connection(("127.0.0.1", server.server_port), 30) as connection:
        line = request_line.replace("{token}", server.access.token)
        connection.sendall(f"{line}\r\nHost: 127.0.0.1:{server.server_port}\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert re.search(rb"\b(400|501)\b", answer)


def test_audio_is_sent_in_the_ranges_that_are_asked_for(server, folder):
    whole = (folder / "talk.wav").read_bytes()
    path = f"/{server.access.token}/0/audio"
    status, headers, content = ask(server, "GET", path)
    assert (status, headers["Content-Type"], headers["Accept-Ranges"]) == (200, "audio/wav", "bytes")
    assert content == whole
    for asked, start, end in (("bytes=0-", 0, None), ("bytes=100-199", 100, 200), ("bytes=-50", -50, None)):
        status, headers, content = ask(server, "GET", path, Range=asked)
        expected = whole[start:end]
        assert content == expected
        first = start % len(whole)
        assert headers["Content-Range"] == f"bytes {first}-{first + len(expected) - 1}/{len(whole)}" or (
            asked == "bytes=0-"
        )
    status, headers, content = ask(server, "GET", path, Range="bytes=9999999-")
    assert (status, headers["Content-Range"], content) == (416, f"bytes */{len(whole)}", b"")
    status, headers, content = ask(server, "HEAD", path)
    assert (status, headers["Content-Length"], content) == (200, str(len(whole)), b"")


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_ranges_are_slices(size, first, last):
    data = bytes(size)
    for header, wanted in (
        (f"bytes={first}-{last}", data[first : last + 1] if first <= last else data),
        (f"bytes={first}-", data[first:]),
        (f"bytes=-{last}", data[max(0, size - last) :] if last else b""),
    ):
        span = find_range(header, size)
        assert (data[slice(*span)] if span else b"") == wanted
    for other in (
        None,
        "",
        "bytes=-",
        "bytes=a-b",
        "items=0-1",
        "bytes=0-1,3-4",
        "bytes= 0-1",
        "bytes=\u0660-\u0661",
    ):
        assert find_range(other, size) == (0, size)


def test_a_file_that_browsers_do_not_play_is_sent_as_a_copy(tmp_path):
    soundfile.write(tmp_path / "talk.aiff", demo_samples(2.0), 16000)
    write_turns([Turn("talk", Segment(0, 1), "Ann")], tmp_path / "talk.srt")
    with serving(tmp_path, audio=tmp_path) as server:
        status, headers, content = ask(server, "GET", f"/{server.access.token}/0/audio")
        assert (status, headers["Content-Type"]) == (200, "audio/webm")
        assert len(load_audio(content)) == 32000
        _, _, page = ask(server, "GET", f"/{server.access.token}/0/")
        assert '"save":' not in page.decode(), "subtitles may hold words, so they are not written"
        assert put(server, document())[1]["error"].startswith("talk.srt cannot be written back")


def test_a_result_that_is_gone_is_an_error_of_one_line(tmp_path):
    path = tmp_path / "talk.json"
    path.write_bytes(document())
    with serving(path) as server:
        path.unlink()
        status, _, content = ask(server, "GET", f"/{server.access.token}/0/")
        assert (status, json.loads(content)["error"]) == (
            422,
            f"{path}: cannot be read (No such file or directory)",
        )


def test_each_server_has_a_token_of_its_own_and_a_taken_port_is_an_error(server):
    with PageServer([]) as other:
        assert len(other.access.token) == 32
        assert other.access.token != server.access.token
    told = rf"port {server.server_port} cannot be used \(.*\); give another one with --port"
    with pytest.raises(DiarizeError, match=told):
        PageServer([], server.server_port)
