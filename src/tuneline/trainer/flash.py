"""Attention over packed rows that never writes its scores to memory: the kernels of the platform, where it has one.

A kernel is named once a run and used by training and evaluation; generation, whose queries are single tokens, does
without. All of them compute what `model.causal_attention` computes, which is used where there is none: on a CPU, in
fp32, and for models whose attention is more than softmax (Gemma's soft caps and windows).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from tuneline.trainer.architecture import Architecture

NONE, PACKED, MASKED, TPU = "", "cudnn-packed", "cudnn-masked", "pallas-tpu"
TPU_BLOCK = 128
"""Rows are multiples of this many tokens on a TPU: the kernel's block."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What the attention of one batch needs beside queries, keys and values; the same in every layer."""

    kernel: str
    segments: jax.Array
    """(rows, length); 0 is padding."""
    lengths: jax.Array | None = None
    """(rows, most) tokens of each segment, -1 where there is none; padding is the last segment."""
    offsets: jax.Array | None = None
    """(rows, most + 1) where each segment starts in its row, -1 behind the last."""


def kernel_for(architecture: Architecture, dtype: Any) -> str:
    """The kernel of this platform for a model, or NONE."""
    plain = not architecture.windows and not architecture.attention_softcap
    if not plain or dtype != jnp.bfloat16:
        return NONE
    platform = jax.default_backend()
    if platform == "tpu":
        return TPU
    if platform != "gpu" or architecture.head_size % 8:
        return NONE
    capability = tuple(int(part) for part in jax.local_devices()[0].compute_capability.split("."))
    if capability >= (9, 0) and architecture.head_size <= 256 and has_packed_layout():
        return PACKED
    return MASKED if capability >= (8, 0) and architecture.head_size <= 128 else NONE


def has_packed_layout() -> bool:
    """Whether the installed jax lets cuDNN's packed layout be used: it does so in a module of its own inner part."""
    try:
        from jax._src.cudnn.fused_attention_stablehlo import dot_product_attention
    except ImportError:
        return False
    return "q_offsets" in inspect.signature(dot_product_attention).parameters


def rows(kernel: str, segments: jax.Array, most: int) -> Rows:
    """What `attend` needs for a batch whose rows hold fewer than `most` segments each."""
    if kernel != PACKED:
        return Rows(kernel=kernel, segments=segments)
    count = segments.max(axis=1, keepdims=True)
    # Padding becomes the row's last segment: what no segment covers is never written by the kernel.
    numbers = jnp.where(segments == 0, count + 1, segments)
    lengths = jnp.sum(numbers[:, :, None] == jnp.arange(1, most + 1)[None, None, :], axis=1, dtype=jnp.int32)
    starts = jnp.where(lengths > 0, jnp.cumsum(lengths, axis=1, dtype=jnp.int32) - lengths, -1)
    return Rows(
        kernel=kernel,
        segments=segments,
        lengths=jnp.where(lengths > 0, lengths, -1),
        offsets=jnp.pad(starts, ((0, 0), (0, 1)), constant_values=-1),
    )


def attend(architecture: Architecture, batch: Rows, q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    """Causal attention within segments; q (rows, length, heads, size), k and v with their own number of heads.

    Returns (rows, length, heads * size).
    """
    scale = architecture.attention_scale or architecture.head_size**-0.5
    if batch.kernel == PACKED:
        out = _packed(q, k, v, batch.lengths, batch.offsets, scale)
    elif batch.kernel == MASKED:
        same = (batch.segments[:, :, None] == batch.segments[:, None, :])[:, None]
        out = jax.nn.dot_product_attention(q, k, v, mask=same, scale=scale, is_causal=True, implementation="cudnn")
    elif batch.kernel == TPU:
        out = _tpu(q, k, v, batch.segments, scale)
    else:
        raise ValueError(f"no attention kernel is named {batch.kernel!r}")
    return out.reshape(*q.shape[:2], -1)


def _packed(q: jax.Array, k: jax.Array, v: jax.Array, lengths: Any, offsets: Any, scale: float) -> jax.Array:
    # jax.nn.dot_product_attention offers everything of cuDNN's but its packed layout.
    from jax._src.cudnn.fused_attention_stablehlo import MaskType, dot_product_attention

    return dot_product_attention(
        q,
        k,
        v,
        q_seqlen=lengths,
        kv_seqlen=lengths,
        q_offsets=offsets,
        kv_offsets=offsets,
        scale=scale,
        mask_type=MaskType.PADDING_CAUSAL,
    )


def _tpu(q: jax.Array, k: jax.Array, v: jax.Array, segments: jax.Array, scale: float) -> jax.Array:
    from jax.experimental.pallas.ops.tpu.flash_attention import SegmentIds, flash_attention

    shared = q.shape[2] // k.shape[2]
    k, v = (jnp.repeat(x, shared, axis=2) for x in (k, v))
    q, k, v = (x.transpose(0, 2, 1, 3) for x in (q, k, v))
    out = flash_attention(q, k, v, segment_ids=SegmentIds(segments, segments), causal=True, sm_scale=scale)
    return out.transpose(0, 2, 1, 3)
