"""Where 16-bit floats are fast, and how to compute in them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch


def fast_bf16(device: str) -> bool:
    if device != "cpu":
        return True
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def autocast(device: str, bf16: bool) -> AbstractContextManager:
    return torch.autocast(device, torch.bfloat16) if bf16 else nullcontext()
