"""Several processes that train one network together, started by torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn


def is_first() -> bool:
    """Whether this process writes and prints: it is the only one, or the first of torchrun's."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined_processes(device: str) -> Iterator[str]:
    """Join the processes of torchrun, if it started this one; gives the device of this process."""
    if "RANK" not in os.environ:
        yield device
        return
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    dist.init_process_group("nccl" if device != "cpu" else "gloo")
    yield device
    dist.barrier()  # no process exits while another still writes
    dist.destroy_process_group()


def rank_and_number() -> tuple[int, int]:
    """The number of this process, from 0, and the number of processes."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def average_gradients(parameters: list[nn.Parameter]) -> None:
    """Replace the gradients of every process by their mean."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def first_process_says(value: bool, device: str) -> bool:
    """The first process's value, in every process."""
    if not dist.is_initialized():
        return value
    flag = torch.tensor(int(value), device=device)
    dist.broadcast(flag, 0)
    return bool(flag)
