"""Services as tests run them: in this process, without a socket."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from diarize.access import Access
from diarize.batch.labelling import Labelling
from diarize.batch.workers import make_task
from diarize.service.application import make_application
from diarize.service.job_queue import JobQueue
from diarize.service.limits import Limits
from diarize.service.store import Store

PORT = 8000
HOST = f"127.0.0.1:{PORT}"
TOKEN = "a-token-of-24-characters"
ADDRESS = f"http://{HOST}/{TOKEN}/"


@asynccontextmanager
async def service(
    folder: Path, n_processes: int = 0, **limits: float
) -> AsyncIterator[tuple[JobQueue, httpx.AsyncClient]]:
    """A queue and a client of its service; without processes, jobs wait forever."""
    given = Limits(**{"grace": 0.0, **limits})  # type: ignore[arg-type]
    task = make_task(Labelling(), ("json",), 1, 1, given.max_duration, reports=True)
    with Store(folder) as store:
        async with JobQueue(store, task, given, n_processes) as queue:
            transport = httpx.ASGITransport(make_application(Access(PORT, TOKEN), queue))
            async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
                yield queue, client


class Socket:
    """The client's end of a WebSocket of an application."""

    def __init__(self, application: Any, target: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(target)
        scope = {
            "type": "websocket",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "extensions": {"websocket.http.response": {}},
        }
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._sent.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(application(scope, self._sent.get, self._received.put))

    async def receive(self) -> dict[str, Any]:
        """The next message of the server."""
        return await asyncio.wait_for(self._received.get(), 60)

    def send(self, content: bytes | str) -> None:
        """Send a message."""
        kind = "bytes" if isinstance(content, bytes) else "text"
        self._sent.put_nowait({"type": "websocket.receive", kind: content})

    def leave(self) -> None:
        """Close the connection without a word."""
        self._sent.put_nowait({"type": "websocket.disconnect", "code": 1006})
