"""Recordings and results in an object store on this machine, beside the same on disk, as a table.

    python benchmarks/object_store.py [--store s3|gs] [--recordings 100] [--jobs 2]

Recordings are cuts of the demo recording, 3 to 6 s long. Results are compared byte for byte with those on
disk. The last row is the command once more, which has nothing to do. Requests are those that the server saw.
The stores are moto's server (pip install s3fs "moto[server]") and the emulator of Google's (pip install gcsfs
gcp-storage-emulator).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from many_files import results, write_recordings
from printing import header, table

ACCOUNT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def s3_server(requests: list[str]) -> Iterator[None]:
    """A server of S3 whose requests go to the list; the environment leads to it."""
    import s3fs  # noqa: F401
    from moto.server import ThreadedMotoServer
    from werkzeug.serving import WSGIRequestHandler

    WSGIRequestHandler.log_request = lambda self, *_: requests.append(self.command)  # type: ignore[assignment]
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    os.environ |= {**ACCOUNT, "AWS_ENDPOINT_URL": address}
    yield
    server.stop()


@contextmanager
def gs_server(requests: list[str]) -> Iterator[None]:
    """The same for Google's store."""
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"  # the emulator has no kinds of buckets
    import gcsfs  # noqa: F401
    from gcp_storage_emulator.server import create_server

    BaseHTTPRequestHandler.log_request = lambda self, *_: requests.append(self.command)  # type: ignore[assignment]
    server = create_server("127.0.0.1", 0, in_memory=True)
    server.start()
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{server._api._httpd.server_port}"
    yield
    server.stop()


STORES = {"s3": s3_server, "gs": gs_server}


def label(words: Sequence[str]) -> float:
    """Run `diarize run`; gives wall seconds."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "diarize", "run", *words, "-q"], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Read the command line, start the server, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", choices=STORES, default="s3")
    parser.add_argument("--recordings", type=int, default=100, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--model", help="model folder, or the name of a bundled model")
    arguments = parser.parse_args()
    requests: list[str] = []
    try:
        with STORES[arguments.store](requests):
            compare(arguments, requests)
    except ImportError as error:
        raise SystemExit(f"object_store.py: {error.name} is missing; see --help") from error


def compare(arguments: argparse.Namespace, requests: list[str]) -> None:
    """Label in the store and on disk, print the table."""
    import fsspec

    store, root = fsspec.filesystem(arguments.store), f"{arguments.store}://bucket"
    store.mkdir("bucket")
    print(header(f"{arguments.jobs} processes"))
    options = ["--jobs", str(arguments.jobs), *(["--model", arguments.model] if arguments.model else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        seconds = write_recordings(folder / "in", arguments.recordings, 0)
        store.put(f"{folder / 'in'}/", "bucket/in", recursive=True)
        rows = [("disk", f"{label([str(folder / 'in'), '-o', str(folder / 'out'), *options]):.1f}", "", "")]
        for title in (arguments.store, f"{arguments.store}, nothing to do"):
            requests.clear()
            words = [f"{root}/in", "-o", f"{root}/out", "--journal", str(folder / "journal"), *options]
            wall, n_requests = label(words), len(requests)
            store.invalidate_cache()
            copy = folder / title
            store.get("bucket/out/", f"{copy}/", recursive=True)
            same = "yes" if results(copy) == results(folder / "out") else "no"
            rows.append((title, f"{wall:.1f}", f"{n_requests / arguments.recordings:.2f}", same))
    print(f"{arguments.recordings} recordings, {seconds:.0f} s of audio.\n")
    print(table(("place", "wall s", "requests for each recording", "same bytes"), rows), end="")


if __name__ == "__main__":
    main()
