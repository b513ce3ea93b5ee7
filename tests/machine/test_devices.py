"""Where torch computes, and in which precision."""

import pytest
import torch

from diarize.errors import ConfigError
from diarize.machine.devices import find_device, mixed_precision


@pytest.mark.parametrize(
    ("capability", "wanted", "dtype"),
    [
        ("AVX512", True, torch.bfloat16),
        ("AVX512", False, torch.float32),
        ("AVX2", True, torch.float32),  # a product took ten times as long in bfloat16
        ("DEFAULT", True, torch.float32),
    ],
)
def test_bfloat16_where_it_is_wanted_and_fast(capability, wanted, dtype, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    with mixed_precision("cpu", wanted):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_device_by_its_name():
    assert find_device("cpu") == "cpu"
    assert find_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ConfigError, match="unknown device 'gpu'; known: auto, cuda, cpu, mps"):
        find_device("gpu")
