"""What the backward pass computes again instead of keeping: as little as the memory of a device allows."""

from __future__ import annotations

import jax

from tuneline.trainer.architecture import Architecture
from tuneline.trainer.model import SAVE_LINEAR, SAVE_NOTHING
from tuneline.trainer.packing import MOST_SEGMENTS, RowShape
from tuneline.trainer.placement import Placement

BYTES = 2
"""Of a number in bfloat16, which is what accelerators compute in."""
SHARE = 0.8
"""Of the memory that weights leave: the rest is for what a single layer needs at once, scores and fragmentation. On an
H200, Llama 3.1 8B over 16,384 tokens was planned at 57 GiB and took 69, weights (15) included."""


def choose(architecture: Architecture, shape: RowShape, placement: Placement, *, memory: int | None = None) -> str:
    """`SAVE_LINEAR` where its activations fit, else `SAVE_NOTHING`.

    On a CPU always `SAVE_LINEAR`: norms, gates and scores are computed again sooner than they are read from memory
    (a step of 8 × 256 tokens of a 3M model: 226 ms, and 305 with everything kept; 241 with nothing).

    `memory` is that of one device in bytes, asked of the device where it is not given.
    """
    if memory is None:
        if jax.default_backend() == "cpu":
            return SAVE_LINEAR
        stats = jax.local_devices()[0].memory_stats() or {}
        memory = int(stats.get("bytes_limit", 0))
    left = memory - BYTES * architecture.parameters / placement.devices
    tokens = shape.rows * shape.length / placement.devices
    return SAVE_LINEAR if tokens * kept_bytes(architecture) <= SHARE * left else SAVE_NOTHING


def kept_bytes(architecture: Architecture) -> int:
    """Bytes that SAVE_LINEAR keeps of one token: in each layer its input, the outputs of the linear layers and of the
    attention, and cuDNN's fp32 statistic for each head and segment."""
    outputs = sum(out for _, out in architecture.linear_shapes.values())
    attended = architecture.heads * architecture.head_size
    statistic = 4 * architecture.heads * (MOST_SEGMENTS + 1)
    return architecture.layers * (BYTES * (architecture.width + outputs + attended) + statistic)
