"""What the trainer computes on: the platform, its number type, and where compiled programs are kept."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def prepare(environment: Mapping[str, str]) -> None:
    """Settle what has to be settled before jax is imported, then import it.

    Compiled programs are kept in the user's cache folder: a second run of the same shapes starts seconds sooner.
    """
    _keep_freed_memory()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import jax

    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuneline" / "compiled"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"compiled programs are not kept: {error}", file=sys.stderr)
        return
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def compute_type() -> Any:
    """bfloat16 on accelerators, fp32 on a CPU."""
    import jax
    import jax.numpy as jnp

    return jnp.float32 if jax.default_backend() == "cpu" else jnp.bfloat16


def describe() -> str:
    """The devices in words: how many, of what kind."""
    import jax

    return f"{jax.device_count()} × {jax.devices()[0].device_kind}"


PEAKS = (
    ("H200", 989e12),
    ("H100", 989e12),
    ("A100", 312e12),
    ("L4", 121e12),
    ("TPU v3", 61.5e12),
    ("TPU v4", 275e12),
    ("TPU v5 lite", 197e12),
    ("TPU v5e", 197e12),
    ("TPU v5", 459e12),
    ("TPU v6", 918e12),
)
"""Dense bf16 FLOP/s of one device by a part of the name that jax gives it (vendors' data sheets; SXM parts for
GPUs, one of a v3 chip's two cores for TPU v3)."""


def peak_flops(kind: str) -> float:
    """Peak bf16 FLOP/s of a device by its kind; 0 where it is not known."""
    return next((peak for name, peak in PEAKS if name in kind), 0.0)


def utilisation(tokens_per_second: float, parameters: int) -> float | None:
    """MFU: tokens/s × 4 × parameters ÷ peak bf16 FLOP/s of all devices, or None where the peak is not known.

    With frozen weights a token costs two FLOPs a parameter forward and two backward; attention, recomputation and
    adapters are not counted.
    """
    import jax

    devices = jax.devices()
    peak = peak_flops(devices[0].device_kind) * len(devices)
    return round(tokens_per_second * 4 * parameters / peak, 4) if peak else None


def _keep_freed_memory() -> None:
    """Have glibc keep large freed blocks instead of returning them to the kernel at every step (page faults cost more
    than the arithmetic of a small model)."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:  # musl has none
            trim, mmap = -1, -3
            mallopt(mmap, 1 << 30)
            mallopt(trim, (1 << 31) - 1)
