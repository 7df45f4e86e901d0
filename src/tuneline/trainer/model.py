"""The decoder as pure functions of weights: one block for all families, scanned over the layers.

Weights are a tree: `embed` (vocabulary, width), `norm` (width,), `head` (width, vocabulary) unless tied, and `layers`,
whose leaves carry the layer as their first axis. An adapter is `{linear: {"a": (layers, in, rank), "b": (layers, rank,
out)}}`. Tokens come as rows (rows, length) with a segment number and a position each; a token attends to earlier tokens
of its own segment only, so that several examples share a row without seeing each other. Segment 0 is padding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from tuneline.trainer import flash
from tuneline.trainer.architecture import Architecture, Rope
from tuneline.trainer.linear import adapted
from tuneline.trainer.placement import ONE, Placement

Weights = Mapping[str, Any]
Adapter = Mapping[str, Mapping[str, jax.Array]]
Attend = Callable[[jax.Array, jax.Array, jax.Array, Any], tuple[jax.Array, Any]]

NEVER = -1e30
SAVE_LINEAR, SAVE_NOTHING = "linear", "nothing"
LINEAR = "linear"
"""Outputs of linear layers, by the name under which activation checkpointing keeps them."""


def frequencies(rope: Rope, head_size: int) -> np.ndarray:
    """Inverse frequencies (head_size / 2,) of the rotary embedding, scaled as the model's configuration says."""
    inverse = rope.base ** (-np.arange(0, head_size, 2, dtype=np.float64) / head_size)
    if rope.scaling == "linear":
        inverse = inverse / rope.factor
    if rope.scaling == "llama3":
        # Long wavelengths are stretched by `factor`, short ones kept, those between interpolated (Llama 3.1).
        ratio = rope.original_context * inverse / (2 * math.pi)
        smooth = (ratio - rope.low_frequency_factor) / (rope.high_frequency_factor - rope.low_frequency_factor)
        smooth = np.clip(smooth, 0.0, 1.0)
        inverse = (1 - smooth) * inverse / rope.factor + smooth * inverse
    return inverse.astype(np.float32)


def rotations(architecture: Architecture, positions: jax.Array) -> tuple[jax.Array, ...]:
    """cos and sin (rows, length, 1, head_size / 2) of each rope the model has: the global one, then the local one."""
    tables: list[jax.Array] = []
    for rope in (architecture.rope, architecture.local_rope):
        if rope is not None:
            angles = positions[..., None, None].astype(jnp.float32) * frequencies(rope, architecture.head_size)
            tables += [jnp.cos(angles), jnp.sin(angles)]
    return tuple(tables)


def normalise(x: jax.Array, weight: jax.Array, epsilon: float, *, zero_centred: bool) -> jax.Array:
    """Root-mean-square norm over the last axis, computed in fp32."""
    wide = x.astype(jnp.float32)
    wide = wide * jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + epsilon)
    scale = weight.astype(jnp.float32)
    return (wide * (1.0 + scale if zero_centred else scale)).astype(x.dtype)


def _rotate(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)


def attention(architecture: Architecture, q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array) -> jax.Array:
    """Grouped-query attention, softmax in fp32; q (B, T, heads, size), k, v (B, kv heads, S, size), mask (B, T, S).

    Keys and values come head by head, as a cache holds them: nothing of it is moved. Returns (B, T, heads * size).
    """
    batch, length, heads, size = q.shape
    kv_heads, reach = k.shape[1], k.shape[2]
    # Heads that share a key stand below one another in one product: batched products of matrices, not of vectors.
    q = q.reshape(batch, length, kv_heads, -1, size).transpose(0, 2, 3, 1, 4).reshape(batch, kv_heads, -1, size)
    scale = architecture.attention_scale or size**-0.5
    scores = jnp.einsum("bktd,bksd->bkts", q * scale, k, preferred_element_type=jnp.float32)
    if architecture.attention_softcap:
        scores = architecture.attention_softcap * jnp.tanh(scores / architecture.attention_softcap)
    bias = jnp.where(mask, 0.0, NEVER)
    scores = scores.reshape(batch, kv_heads, -1, length, reach) + bias[:, None, None]
    scores = jnp.exp(scores - jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True)))
    total = scores.sum(axis=-1, keepdims=True)
    weights = scores.astype(v.dtype).reshape(batch, kv_heads, -1, reach)
    out = jnp.einsum("bkts,bksd->bktd", weights, v).reshape(batch, kv_heads, -1, length, size) / total.astype(v.dtype)
    return out.transpose(0, 3, 1, 2, 4).reshape(batch, length, heads * size)


def causal_attention(
    architecture: Architecture, q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array
) -> jax.Array:
    """The same over whole rows (T = S), in blocks of queries, each of which looks no further than its own end.

    All of q, k and v come as (B, T, heads, size).
    """
    length = q.shape[1]
    k, v = k.transpose(0, 2, 1, 3), v.transpose(0, 2, 1, 3)
    size = max(128, -(-length // 4))
    blocks = [
        attention(
            architecture,
            q[:, at : at + size],
            k[:, :, : at + size],
            v[:, :, : at + size],
            mask[:, at : at + size, : at + size],
        )
        for at in range(0, length, size)
    ]
    return jnp.concatenate(blocks, axis=1)


def block(
    architecture: Architecture,
    x: jax.Array,
    weights: Weights,
    adapter: Adapter | None,
    scale: float,
    tables: tuple[jax.Array, ...],
    local: jax.Array | None,
    attend: Attend,
    state: Any,
) -> tuple[jax.Array, Any]:
    """One decoder block; `attend(q, k, v, state)` says what is looked at: training and generation share the rest."""

    def linear(h: jax.Array, name: str) -> jax.Array:
        if adapter is None:
            y = h @ weights[name]
        else:
            y = adapted(h, weights[name], adapter[name]["a"], adapter[name]["b"], scale)
        y = y + weights[f"{name}_bias"] if f"{name}_bias" in weights else y
        return checkpoint_name(y, LINEAR)

    def norm(h: jax.Array, name: str) -> jax.Array:
        return normalise(h, weights[name], architecture.epsilon, zero_centred=architecture.gemma)

    rows, length, _ = x.shape
    h = norm(x, "attention_norm")
    q = linear(h, "q").reshape(rows, length, architecture.heads, architecture.head_size)
    k = linear(h, "k").reshape(rows, length, architecture.key_value_heads, architecture.head_size)
    v = linear(h, "v").reshape(rows, length, architecture.key_value_heads, architecture.head_size)
    if architecture.head_norm:
        q, k = norm(q, "q_norm"), norm(k, "k_norm")
    cos, sin = tables[:2]
    if len(tables) == 4 and local is not None:
        cos, sin = jnp.where(local, tables[2], cos), jnp.where(local, tables[3], sin)
    attended, state = attend(_rotate(q, cos, sin), _rotate(k, cos, sin), v, state)
    out = linear(attended, "o")
    x = x + (norm(out, "attention_post_norm") if architecture.gemma else out)
    h = norm(x, "mlp_norm")
    gate = linear(h, "gate")
    gate = jax.nn.silu(gate) if architecture.activation == "silu" else jax.nn.gelu(gate, approximate=True)
    out = linear(gate * linear(h, "up"), "down")
    return x + (norm(out, "mlp_post_norm") if architecture.gemma else out), state


def embed(architecture: Architecture, weights: Weights, tokens: jax.Array) -> jax.Array:
    """Token embeddings (rows, length, width); Gemma scales them by the root of the width, rounded to their type."""
    x = weights["embed"][tokens]
    return x * jnp.asarray(architecture.width**0.5, x.dtype) if architecture.gemma else x


def hidden(
    architecture: Architecture,
    weights: Weights,
    adapter: Adapter | None,
    scale: float,
    tokens: jax.Array,
    positions: jax.Array,
    segments: jax.Array,
    *,
    remat: str = "",
    placement: Placement = ONE,
) -> jax.Array:
    """Final hidden states (rows, length, width) of packed rows.

    `remat` says what the backward pass computes again: nothing that it need not (empty), all but the linear layers and
    the attention (`SAVE_LINEAR`), or whole layers (`SAVE_NOTHING`).
    """
    length = tokens.shape[1]
    tables = rotations(architecture, positions)
    if placement.kernel:
        batch = flash.rows(placement.kernel, segments, placement.segments)
    else:
        mask = (segments[:, :, None] == segments[:, None, :]) & jnp.tril(jnp.ones((length, length), bool))
        distance = positions[:, :, None] - positions[:, None, :]

    def layer(x: jax.Array, inputs: tuple[Weights, Adapter | None, jax.Array | None]) -> tuple[jax.Array, None]:
        layer_weights, layer_adapter, window = inputs

        def attend(q: jax.Array, k: jax.Array, v: jax.Array, state: None) -> tuple[jax.Array, None]:
            if placement.kernel:
                return placement.attend(architecture, batch, q, k, v), state
            seen = mask if window is None else mask & ((window == 0) | (distance < window))
            return causal_attention(architecture, q, k, v, seen), state

        local = None if window is None else window > 0
        whole = placement.gathered(layer_weights)
        x, _ = block(architecture, x, whole, layer_adapter, scale, tables, local, attend, None)
        return placement.by_row(x), None

    if remat:
        layer = jax.checkpoint(layer, policy=_kept if remat == SAVE_LINEAR else None)
    x, _ = jax.lax.scan(
        layer,
        placement.by_row(embed(architecture, weights, tokens)),
        (weights["layers"], adapter, windows(architecture)),
    )
    return final_norm(architecture, weights, x)


def _kept(primitive: Any, *_: Any, **parameters: Any) -> bool:
    """What SAVE_LINEAR keeps of a layer: the linear layers' outputs, and what flash attention's backward pass needs."""
    kernels = ("dot_product_attention_fwd", "pallas_call")
    return parameters.get("name") == LINEAR or any(kernel in primitive.name for kernel in kernels)


def windows(architecture: Architecture) -> jax.Array | None:
    """Each layer's window as something to scan over; None where no layer has one."""
    return jnp.asarray(architecture.windows, jnp.int32) if architecture.windows else None


def final_norm(architecture: Architecture, weights: Weights, x: jax.Array) -> jax.Array:
    """The norm before the output head."""
    return normalise(x, weights["norm"], architecture.epsilon, zero_centred=architecture.gemma)


def logits(architecture: Architecture, weights: Weights, h: jax.Array) -> jax.Array:
    """Scores over the vocabulary in fp32, from hidden states of any leading shape."""
    if architecture.tied:
        scores = jnp.einsum("...d,vd->...v", h, weights["embed"], preferred_element_type=jnp.float32)
    else:
        scores = jnp.matmul(h, weights["head"], preferred_element_type=jnp.float32)
    cap = architecture.final_softcap
    return cap * jnp.tanh(scores / cap) if cap else scores


def initial_weights(architecture: Architecture, seed: int, dtype: Any = jnp.float32) -> dict[str, Any]:
    """Random weights of an architecture: what the built-in base starts from, and what tests and benchmarks use."""
    random = np.random.default_rng(seed)

    def normal(shape: tuple[int, ...], deviation: float) -> jax.Array:
        return jnp.asarray(random.standard_normal(shape, np.float32) * deviation, dtype)

    count, width = architecture.layers, architecture.width
    neutral = jnp.zeros if architecture.gemma else jnp.ones
    layers: dict[str, Any] = {n: normal((count, *s), s[0] ** -0.5) for n, s in architecture.linear_shapes.items()}
    # Blocks start close to the identity: their outputs are scaled down by depth (GPT-2).
    for name in ("o", "down"):
        layers[name] = layers[name] * (2 * count) ** -0.5
    norms = ["attention_norm", "mlp_norm"] + (["attention_post_norm", "mlp_post_norm"] if architecture.gemma else [])
    layers |= {name: neutral((count, width), dtype) for name in norms}
    if architecture.head_norm:
        layers |= {name: neutral((count, architecture.head_size), dtype) for name in ("q_norm", "k_norm")}
    if architecture.attention_bias:
        shapes = architecture.linear_shapes
        layers |= {f"{name}_bias": normal((count, shapes[name][1]), 0.02) for name in ("q", "k", "v")}
    weights: dict[str, Any] = {"embed": normal((architecture.vocabulary, width), 0.02 if architecture.tied else 1.0)}
    weights |= {"norm": neutral((width,), dtype), "layers": layers}
    if not architecture.tied:
        weights["head"] = normal((width, architecture.vocabulary), width**-0.5)
    return weights
