"""A Python that starts in a moment: its scripts run in children of a server that has loaded torch."""

import atexit
import contextlib
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from diarize.machine.quiet_imports import import_matplotlib, import_torch_compiler

REPOSITORY = Path(__file__).resolve().parent.parent
LATE = ("hdbscan", "matplotlib.pyplot", "pyarrow.parquet", "sklearn.cluster", "sklearn.manifold")
"""What functions of the recipes import."""
CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    call = [os.getcwd(), os.getpgid(0), dict(os.environ), sys.argv[1:]]
    socket.send_fds(server, [json.dumps(call).encode()], [0, 1, 2])
    sys.exit(int(server.recv(4) or b"1"))
"""


@contextlib.contextmanager
def fast_python() -> Iterator[Path]:
    """A program that runs `[-u] [-W ACTION] SCRIPT WORDS...` or `-m MODULE WORDS...` as Python does.

    It runs in the caller's folder and environment, and in his process group if he is in our session.
    """
    with tempfile.TemporaryDirectory() as folder:
        address, program = f"{folder}/socket", Path(folder) / "python"
        program.write_text(CLIENT.format(python=sys.executable, address=address))
        program.chmod(0o755)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        server = subprocess.Popen(
            [sys.executable, __file__, address], env=environment, stdout=subprocess.PIPE
        )
        try:
            assert server.stdout.readline() == b"ready\n"
            yield program
        finally:
            server.kill()
            server.wait()
            server.stdout.close()


@cache
def python() -> str:
    """Such a program, until the tests of this process end."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return str(stack.enter_context(fast_python()))


def serve(address: str) -> None:
    """Load what the recipes import, then run a script in a child for each client."""
    for script in sorted((REPOSITORY / "recipes").glob("*.py")):
        runpy.run_path(str(script), run_name="loaded")
    import_matplotlib()
    import_torch_compiler()
    with warnings.catch_warnings(action="ignore"):
        for name in LATE:
            importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    print("ready", flush=True)
    while True:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            answer(client)
        client.close()


def answer(client: socket.socket) -> None:
    """Run the client's script with his files and folder, in his process group; never returns."""
    message, files, _, _ = socket.recv_fds(client, 2**16, 3)
    status = 1
    try:
        folder, group, environment, words = json.loads(message)
        with contextlib.suppress(PermissionError):  # a group of another session, as torchrun makes
            os.setpgid(0, group)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, file in enumerate(files):
            os.dup2(file, number)
        if words[0] == "-u":
            words = words[1:]
        if words[0] == "-W":
            warnings.simplefilter(words[1])
            words = words[2:]
        if words[0] == "-m":
            sys.argv, sys.path[0] = words[1:], folder
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = words, str(Path(words[0]).resolve().parent)
            runpy.run_path(words[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        client.sendall(str(status).encode())
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
