"""A service from its settings: the folder, the workers, the application, the socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diarize.access import Access
from diarize.batch.labelling import Labelling
from diarize.batch.workers import make_task
from diarize.service.application import make_application
from diarize.service.job_queue import JobQueue
from diarize.service.limits import Limits
from diarize.service.live_routes import LiveRoutes
from diarize.service.serving import Server, open_socket
from diarize.service.store import Store

if TYPE_CHECKING:
    from diarize.pipeline.live import LiveDiarizer


@dataclass(frozen=True)
class Place:
    """Where a service listens, how clients call it, and what they have to know.

    Attributes
    ----------
    host, port : str, int
        Address to listen on; port 0 takes a free one.
    names : tuple of str
        Further names of the server, as for `Access`.
    token : str, optional
        By default, a new random one.
    """

    host: str = "127.0.0.1"
    port: int = 0
    names: tuple[str, ...] = ()
    token: str | None = None


@dataclass(frozen=True)
class Service:
    """What is served: jobs, if there is a `folder`; streams, if there is a `latency`."""

    how: Labelling
    limits: Limits
    folder: Path | None = None
    n_processes: int = 1
    latency: float | None = None
    threads: int | None = None

    def run(self, place: Place, announce: Callable[[str], None]) -> None:
        """Serve until a signal comes. `announce` gets the address when the server is ready.

        Raises
        ------
        DiarizeError
            If the token, the address, the folder, a model or a setting is wrong.
        """
        asyncio.run(self._serve(place, announce))

    async def _serve(self, place: Place, announce: Callable[[str], None]) -> None:
        async with AsyncExitStack() as stack:
            listener = stack.enter_context(open_socket(place.host, place.port))
            port = listener.getsockname()[1]
            access = Access(port, place.token, (*place.names, *_own_names(place.host)))
            live = None if self.latency is None else LiveRoutes(self._make_live(), self.limits.max_streams)
            queue = None
            if self.folder is not None:
                store = stack.enter_context(Store(self.folder))
                longest = self.limits.max_duration
                task = make_task(self.how, ("json",), self.n_processes, self.threads, longest, reports=True)
                queue = JobQueue(store, task, self.limits, self.n_processes)
                await stack.enter_async_context(queue)
            stop = (lambda: None) if queue is None else queue.stop
            server = Server(make_application(access, queue, live), self.limits.grace, stop)
            if queue is not None:
                queue.on_failure = server.stop
            name = _own_names(place.host)[0] if _own_names(place.host) else "127.0.0.1"
            page = "live/" if queue is None else ""
            announce(f"http://{name}:{port}/{access.token}/{page}")
            await server.serve([listener])

    def _make_live(self) -> Callable[[], LiveDiarizer]:
        """What makes a diarizer for each stream; the first one is made here, to find what is wrong."""
        from diarize.pipeline.live import LiveDiarizer  # a server of jobs alone does not load torch

        assert self.latency is not None
        latency, how = self.latency, self.how

        def make() -> LiveDiarizer:
            return LiveDiarizer(
                how.model, config=how.config, latency=latency, device=how.device, threads=self.threads
            )

        make()
        return make


def _own_names(host: str) -> tuple[str, ...]:
    """The name that an address gives to the server; none if it stands for all addresses."""
    if host in ("0.0.0.0", "::"):
        return ()
    return (f"[{host}]" if ":" in host else host,)
