"""Where torch computes, and in which precision."""

import pytest
import torch

from diarize.errors import ConfigError
from diarize.machine.devices import find_device, mixed_precision


@pytest.mark.parametrize(
    ("avx512_bf16", "amx", "wanted", "dtype"),
    [
        (True, False, True, torch.bfloat16),
        (False, True, True, torch.bfloat16),
        (True, True, False, torch.float32),
        (False, False, True, torch.float32),  # with AVX2, a product took ten times as long in bfloat16
    ],
)
def test_bfloat16_where_it_is_wanted_and_fast(avx512_bf16, amx, wanted, dtype, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    with mixed_precision("cpu", wanted):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_device_by_its_name():
    assert find_device("cpu") == "cpu"
    assert find_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ConfigError, match="unknown device 'gpu'; known: auto, cuda, cpu, mps"):
        find_device("gpu")
