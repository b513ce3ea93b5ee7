"""A server for the pages of recordings on this machine, which writes corrections back to the files.

It listens on 127.0.0.1 alone, and answers only whom `diarize.access` admits:

- a request that writes must come from a page of this server;
- recordings have numbers, and no part of an address is used as a path;
- there are at most 64 connections, and one that is silent for a minute is closed.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from socketserver import TCPServer
from threading import BoundedSemaphore, Lock
from typing import Any, BinaryIO

from diarize.access import SAFE_HEADERS, Access, RefusedError
from diarize.audio.compressed import COMPRESSED_TYPE
from diarize.errors import DiarizeError
from diarize.report.page_sources import PLAYED, PageSource
from diarize.report.ranges import find_range
from diarize.report.recording_page import format_list_page, format_recording_page
from diarize.report.results import save_correction, version_of

logger = logging.getLogger(__name__)

MOST_BYTES = 16 * 2**20
"""Size of the largest correction that is read: some 200,000 turns."""
MOST_CONNECTIONS = 64
"""Connections at a time; a browser opens six. Further ones are closed."""
_BLOCK = 2**16


class PageServer(ThreadingHTTPServer):
    """The server. `serve_forever` runs it, `address` is what a browser opens.

    Parameters
    ----------
    sources : sequence of PageSource
    port : int
        0 takes a free one.

    Raises
    ------
    DiarizeError
        If the port is in use or not allowed.
    """

    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, sources: Sequence[PageSource], port: int = 0) -> None:
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise DiarizeError(
                f"port {port} cannot be used ({error}); give another one with --port"
            ) from error
        self.sources = list(sources)
        self.access = Access(self.server_port)
        self.work = Lock()
        """Held while a page is made or a correction is written."""
        self.copy = lru_cache(2)(PageSource.compress)
        self._free = BoundedSemaphore(MOST_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own, if there are not too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that are gone."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def server_bind(self) -> None:
        """Bind the socket; the base class would also look up the name of the host, by DNS if need be."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    @property
    def address(self) -> str:
        """The address of the list of recordings, with the token."""
        return f"http://127.0.0.1:{self.server_port}/{self.access.token}/"


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "diarize", ""
    timeout = 60

    def do_GET(self) -> None:
        """Answer with the list, a page or audio."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer as to GET, without the content."""
        self._answer()

    def do_PUT(self) -> None:
        """Take corrections."""
        self._answer()

    def _answer(self) -> None:
        try:
            number, name = self._route()
            (self._put if self.command == "PUT" else self._get)(number, name)
        except RefusedError as refused:
            self._send_json(refused.status, {"error": refused.message})
        except DiarizeError as error:
            self._send_json(422, {"error": str(error)})
        except (ConnectionError, TimeoutError):  # the browser has gone, as it does when it seeks in audio
            self.close_connection = True

    def _route(self) -> tuple[int | None, str]:
        """The number of the recording, None for the list, and the last part of the address."""
        _, *parts = self.server.access.admit(self.path, self.headers).split("/")
        if self.command == "PUT" and self.headers.get("Origin") is None:
            raise RefusedError(403, "corrections come from a page of this server")
        match parts:
            case [""]:
                return None, ""
            case [number, ("" | "audio" | "turns") as name] if re.fullmatch("[0-9]{1,6}", number):
                if int(number) < len(self.server.sources):
                    return int(number), name
        raise RefusedError(404, "not found")

    def _get(self, number: int | None, name: str) -> None:
        if number is None:
            names = [source.recording for source in self.server.sources]
            self._send(200, "text/html; charset=utf-8", format_list_page(names).encode())
            return
        source = self.server.sources[number]
        if name == "audio" and source.audio is not None:
            self._send_audio(source, source.audio)
        elif name == "":
            with self.server.work:
                version = version_of(source.path)
                result = source.read()
                data = source.describe(result)
            if source.audio is not None:
                data["audio"] = {"address": "audio"}
            if result.can_save:
                data["save"] = {"address": "turns", "version": version}
            self._send(200, "text/html; charset=utf-8", format_recording_page(data).encode())
        else:
            raise RefusedError(404, "not found")

    def _put(self, number: int | None, name: str) -> None:
        if number is None or name != "turns":
            raise RefusedError(405, "only turns can be written")
        body = self._read_body()
        source = self.server.sources[number]
        asked = self.headers.get("If-Match", "").strip('"')
        with self.server.work:
            if asked != version_of(source.path):
                raise RefusedError(
                    409,
                    f"{source.path.name} has changed since this page was opened; "
                    "download your corrections, then open the page again",
                )
            result = source.read()
            if not result.can_save:
                raise RefusedError(409, f"{source.path.name} cannot be written back; download RTTM or JSON")
            written = save_correction(result, body)
            answer = {"version": version_of(source.path), "written": [path.name for path in written]}
        self._send_json(200, answer)

    def _read_body(self) -> bytes:
        if self.headers.get_content_type() != "application/json":
            raise RefusedError(415, "corrections are JSON")
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,18}", length):
            raise RefusedError(411, "the length of the content is missing")
        if int(length) > MOST_BYTES:
            raise RefusedError(413, f"more than {MOST_BYTES} bytes of corrections are refused")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise RefusedError(400, "the content ends early")
        return body

    def _send_audio(self, source: PageSource, path: Path) -> None:
        """Send the audio, or the range of it that is asked for; a copy, if browsers do not play the file."""
        type = PLAYED.get(path.suffix.lower())
        if type is None:
            file: BinaryIO = BytesIO(self.server.copy(source))
        else:
            try:
                file = path.open("rb")
            except OSError as error:
                raise RefusedError(404, f"{path.name}: cannot be read ({error.strerror})") from error
        with file:
            size = file.seek(0, 2)
            span = find_range(self.headers.get("Range"), size)
            headers = {"Accept-Ranges": "bytes"}
            if span is None:
                self._start(416, {**headers, "Content-Range": f"bytes */{size}", "Content-Length": "0"})
                return
            start, end = span
            partial = "Range" in self.headers and (start, end) != (0, size)
            if partial:
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
            headers |= {"Content-Type": type or COMPRESSED_TYPE, "Content-Length": str(end - start)}
            self._start(206 if partial else 200, headers)
            file.seek(start)
            left = 0 if self.command == "HEAD" else end - start
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                self.wfile.write(block)
                left -= len(block)

    def _send_json(self, status: int, content: object) -> None:
        self._send(status, "application/json", json.dumps(content).encode())

    def _send(self, status: int, type: str, content: bytes) -> None:
        self._start(status, {"Content-Type": type, "Content-Length": str(len(content))})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        if status >= 400:  # a body that was not read would be taken for the next request
            self.close_connection = True
            headers = {**headers, "Connection": "close"}
        for name, value in (headers | SAFE_HEADERS).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the base class from printing each request; addresses hold the token."""
        logger.debug("%s %s", self.command, args[1:2])
