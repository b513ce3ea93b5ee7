"""The device and the precision in which torch computes."""

from __future__ import annotations

import torch

from diarize.errors import ConfigError


def find_device(name: str) -> str:
    """The device with the given name; for "auto", CUDA if available, otherwise the CPU.

    Raises
    ------
    ConfigError
        If the name is unknown or the machine has no such device.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "cpu": True,
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return "cuda" if there["cuda"] else "cpu"
    if name not in there:
        raise ConfigError(f"unknown device {name!r}; known: auto, {', '.join(there)}")
    if not there[name]:
        raise ConfigError(f"device {name!r}: this machine has none that torch can use; choose auto or cpu")
    return name


def mixed_precision(device: str, wanted: bool = True) -> torch.autocast:
    """A context in which matrix products use bfloat16, if `wanted` and if the device is fast at it.

    A processor is fast at it if it has instructions for it (AVX512_BF16 or AMX). With AVX-512 alone, it gains
    nothing. Without, it computes one number at a time, at least ten times slower than in float32.
    """
    kind = device.split(":")[0]
    return torch.autocast(kind, torch.bfloat16, enabled=wanted and (kind != "cpu" or _cpu_has_bfloat16()))


def _cpu_has_bfloat16() -> bool:
    """Whether the processor is known to have instructions for bfloat16.

    torch has the answer under private names, which other versions may lack.
    """
    checks = [getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile")]
    return any(check is not None and check() for check in checks)
