"""Processes that start in a moment: children of a server that has already loaded torch."""

import asyncio
import logging
import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from planted import tiny_network
from preloaded import python

from diarize.machine.quiet_imports import import_onnxruntime
from diarize.networks.weights import save_weights
from diarize.training.embedding_training import train_embedding
from diarize.training.objectives import read_loss
from diarize.training.optimizers import TrainingConfig
from diarize.training.packed import PackedFeatures

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "pytest",
        "diarize.audio",
        "diarize.cli.many",
        "diarize.pipeline.diarizer",
        "diarize.training.activity_training",
        "diarize.training.local_training",
        "diarize.training.embedding_training",
        "diarize.scoring.verification",
        "torch._dynamo",
    ]  # by optimizers
)


def start(function: Callable[..., None], *arguments: object) -> BaseProcess:
    """A process that calls a function of this module."""
    process = _CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def run_command(output: Path, *words: object) -> None:
    """Run diarize as from the command line, in a process group of its own; it writes output.out and .err."""
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, suffix in ((1, ".out"), (2, ".err")):
        with output.with_suffix(suffix).open("w") as file:
            os.dup2(file.fileno(), number)
    torch.set_num_threads(1)
    sys.argv = ["diarize", *map(str, words)]
    runpy.run_module("diarize", run_name="__main__")


def run_cluster(file: Path, n_workers: int, allowed_failures: int) -> None:
    """A Dask scheduler that writes its file, and workers of one thread; one that dies is replaced."""
    import distributed  # once for all of them, as what a first recording imports
    import sklearn.utils.validation  # noqa: F401

    import_onnxruntime()
    options = {"scheduler_file": str(file), "dashboard": False, "dashboard_address": ":0"}

    async def serve(server: Callable[..., Any], **more: object) -> None:
        async with server(**options, **more) as served:
            await served.finished()

    def fork(server: Callable[..., Any], **more: object) -> int:
        pid = os.fork()
        if not pid:
            torch.set_num_threads(1)
            asyncio.run(serve(server, **more))
            os._exit(0)
        return pid

    parent = os.getppid()
    os.setpgrp()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    fork(distributed.Scheduler, host="127.0.0.1", port=0, allowed_failures=allowed_failures)
    while not file.exists():
        time.sleep(0.01)
    worker = {"nthreads": 1, "memory_limit": 0, "local_directory": str(file.parent)}
    for _ in range(n_workers):
        fork(distributed.Worker, **worker)
    while os.getppid() == parent:  # which is gone if pytest is
        if os.waitpid(-1, os.WNOHANG)[0]:
            fork(distributed.Worker, **worker)
        time.sleep(0.01)
    os.killpg(0, signal.SIGKILL)


def run_recipe(script: Path, *words: object) -> None:
    """Run a recipe as from the command line."""
    sys.argv = [script.name, *map(str, words)]
    runpy.run_path(str(script), run_name="__main__")


def run_recipe_and_die(folder: Path, n_files: int, script: Path, *words: object) -> None:
    """Run a recipe; it is killed as it opens, renames or removes a file of a folder for the n-th time."""
    touched = 0

    def kill(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal touched
        if event in ("open", "os.rename", "os.remove") and str(arguments[0]).startswith(str(folder)):
            touched += 1
            if touched == n_files:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    run_recipe(script, *words)


def run_by_torchrun(script: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """What a recipe did as two processes."""
    command = [python(), "-m", "torch.distributed.run", "--nproc-per-node", 2, "--master-port", free_port()]
    return subprocess.run(
        [str(word) for word in (*command, script, *words)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHON_EXEC": python()},
    )  # fmt: skip


def free_port() -> int:
    """The number of a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def train_together(
    rank: int, port: int, features: Path, config: TrainingConfig, folder: Path, killed_at: int | None
) -> None:
    """One of two that train a blstm; the first may be killed at a step. Writes rank<N>.safetensors."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)

    def on_checkpoint(step: int, network: object) -> dict[str, float]:
        if step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return {}

    packed = PackedFeatures.load(features)
    network = train_embedding(
        tiny_network("blstm"), packed.select(packed.clip < 48), config, folder,
        loss=read_loss({"kind": "cross-entropy"}, "test"), validation=packed.select(packed.clip >= 48),
        on_checkpoint=on_checkpoint,
    )  # fmt: skip
    save_weights(network, folder / f"rank{rank}.safetensors")
    dist.destroy_process_group()
