"""Several processes that train one network together, started by torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist


def is_first() -> bool:
    """Whether this process writes and prints: the only one, or the first of torchrun's."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined_processes(device: str) -> Iterator[str]:
    """Join the processes of torchrun, where it started this one; gives the device of this process."""
    if "RANK" not in os.environ:
        yield device
        return
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    dist.init_process_group("nccl" if device != "cpu" else "gloo")
    yield device
    dist.barrier()  # nobody leaves while another still writes
    dist.destroy_process_group()
