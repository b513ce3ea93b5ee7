"""Many clients of `diarize serve` at once: throughput, latencies, refusals and memory, as a Markdown table.

    python benchmarks/service_load.py [--clients 50] [--recordings 2] [--seconds 10] [--jobs 1 2]

Each client uploads a part of the demo recording, follows its job by server-sent events, fetches the RTTM, and
does so again. A client that is refused (429, 503) waits as long as Retry-After says, at most two seconds, and
tries again. A row with a queue of 10 shows what is refused. Memory is the largest resident size of the server
and of its worker processes together, read from /proc. "health" is the answer time of a further client that
asks for the state of the server all the time.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import soundfile
from printing import header, table

DEMO = Path(__file__).resolve().parent.parent / "egs" / "demo" / "meeting.flac"
_PATIENCE = 2.0


class Load:
    """What the clients of one server see."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.statuses: Counter[int] = Counter()
        self.states: Counter[str] = Counter()
        self.uploads: list[float] = []
        self.waits: list[float] = []
        self.results: list[float] = []
        self.health: list[float] = []
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, float, str | None]:
        """Status and content of an answer, its seconds, and its Retry-After."""
        parts = urlsplit(self.address)
        started = time.perf_counter()
        connection = http.client.HTTPConnection(parts.netloc, timeout=600)
        connection.request(method, f"{parts.path}{path}", body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        with self._lock:
            self.statuses[answer.status] += 1
        return answer.status, content, time.perf_counter() - started, answer.headers["Retry-After"]

    def label(self, recording: bytes, name: str) -> None:
        """Upload a recording, wait for its job, fetch the result."""
        started = time.perf_counter()
        while True:
            status, content, seconds, retry = self.ask("POST", f"jobs?name={name}.flac", recording)
            if status not in (429, 503):
                break
            time.sleep(min(float(retry or 1), _PATIENCE))
        id = json.loads(content)["id"]
        news = self.ask("GET", f"jobs/{id}/events")[1].decode().strip().rpartition("data: ")[2]
        waited = time.perf_counter() - started
        rttm = self.ask("GET", f"jobs/{id}/result?format=rttm")
        with self._lock:
            self.states[json.loads(news)["state"]] += 1
            self.uploads.append(seconds)
            self.waits.append(waited)
            self.results.append(rttm[2])

    def watch_health(self) -> None:
        """Ask for the state of the server until the load has ended."""
        while not self.ended.wait(0.1):
            self.health.append(self.ask("GET", "status")[2])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--recordings", type=int, default=2, help="recordings of each client")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a recording, at most 60")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2], help="worker processes, a row each")
    options = parser.parse_args(arguments)
    rows = [(n, 100) for n in options.jobs] + [(options.jobs[-1], 10)]
    cells = [_measure(options, n_jobs, queue) for n_jobs, queue in rows]
    condition = (
        f"{options.clients} clients, {options.recordings} recordings of {options.seconds:g} s each; "
        "seconds as median / 95 % / largest"
    )
    print(header(condition, ["starlette", "uvicorn"]))
    columns = ("processes", "queue", "done", "failed", "refused 429", "refused 503", "audio a second")
    print(table([*columns, "upload", "upload to done", "result", "health", "MB"], cells, n_text=2))


def _measure(options: argparse.Namespace, n_jobs: int, queue: int) -> list[str]:
    clips = _clips(options.clients, options.seconds)
    with tempfile.TemporaryDirectory() as folder, _serving(folder, n_jobs, queue) as (address, process):
        load = Load(address)
        memory: list[int] = []

        def work(number: int) -> None:
            for _ in range(options.recordings):
                load.label(clips[number], f"clip{number}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(options.clients)]
        others = [threading.Thread(target=load.watch_health)]
        others.append(threading.Thread(target=_watch_memory, args=(process.pid, memory, load.ended)))
        started = time.perf_counter()
        for thread in (*threads, *others):
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.perf_counter() - started
        load.ended.set()
        for thread in others:
            thread.join()
    speed = f"{load.states['done'] * options.seconds / elapsed:.1f}"
    refused = [str(load.statuses[status]) for status in (429, 503)]
    times = [_spread(values) for values in (load.uploads, load.waits, load.results, load.health)]
    counts = [str(load.states["done"]), str(load.states["failed"])]
    return [str(n_jobs), str(queue), *counts, *refused, speed, *times, f"{max(memory) / 1000:.0f}"]


@contextmanager
def _serving(folder: str, n_jobs: int, queue: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server as a process of its own; its address."""
    words = ["-m", "diarize", "serve", "-o", folder, "--jobs", str(n_jobs), "--max-queue", str(queue)]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.terminate()


def _clips(n: int, seconds: float) -> list[bytes]:
    """Parts of the demo recording that begin at different times, as FLAC."""
    samples, rate = soundfile.read(DEMO)
    clips = []
    for number in range(n):
        start = round(number / n * (len(samples) - seconds * rate))
        file = io.BytesIO()
        soundfile.write(file, samples[start : start + round(seconds * rate)], rate, format="FLAC")
        clips.append(file.getvalue())
    return clips


def _watch_memory(pid: int, found: list[int], ended: threading.Event) -> None:
    """Note the resident kilobytes of a process and its children, until the load has ended."""
    while True:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        found.append(sum(map(_resident, [str(pid), *children])))
        if ended.wait(0.5):
            return


def _resident(pid: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(lines[0].split()[1]) if lines else 0


def _spread(values: Sequence[float]) -> str:
    """Median, 95th percentile and maximum."""
    ordered = sorted(values)
    late = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return " / ".join(f"{value:.2f}" for value in (statistics.median(ordered), late, ordered[-1]))


if __name__ == "__main__":
    main()
