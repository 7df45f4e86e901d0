"""Response-only loss: what each response token costs, and whether it would have been predicted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from tuneline.trainer.architecture import Architecture
from tuneline.trainer.model import Adapter, Weights, hidden, logits
from tuneline.trainer.placement import ONE, Placement

CHUNK_SCORES = 2**26
"""Scores alive at once, above which the logits of a batch are cut into chunks: 256 MiB in fp32."""


def token_losses(
    architecture: Architecture,
    weights: Weights,
    adapter: Adapter | None,
    scale: float,
    batch: Mapping[str, jax.Array],
    *,
    remat: str = "",
    placement: Placement = ONE,
) -> tuple[jax.Array, jax.Array]:
    """(loss, correct) of each position (rows, length), both fp32, zero where `counted` is."""
    h = hidden(
        architecture,
        weights,
        adapter,
        scale,
        batch["tokens"],
        batch["positions"],
        batch["segments"],
        remat=remat,
        placement=placement,
    )
    head = {name: weights[name] for name in ("embed", "head") if name in weights}
    head = placement.gathered(head)
    chunks = chunk_count(h.shape[0] * h.shape[1], architecture.vocabulary)
    if chunks == 1:
        losses, correct = _scored(architecture, head, h, batch["targets"])
    else:
        losses, correct = _by_chunks(architecture, chunks, head, h, batch["targets"])
    return losses * batch["counted"], correct * batch["counted"]


def _scored(architecture: Architecture, head: Weights, h: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(loss, correct) of hidden states (..., width) against the tokens that should follow."""
    scores = logits(architecture, head, h)
    target = jnp.take_along_axis(scores, targets[..., None], axis=-1)[..., 0]
    losses = jax.nn.logsumexp(scores, axis=-1) - target
    return losses, (jnp.argmax(scores, axis=-1) == targets).astype(jnp.float32)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _by_chunks(
    architecture: Architecture, chunks: int, head: Weights, h: jax.Array, targets: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """`_scored` with the scores of one chunk alive at a time. The head is frozen: it gets no gradient."""
    return _joined(
        jax.lax.map(lambda part: _scored(architecture, head, *part), _cut(chunks, h, targets)), targets.shape
    )


def _by_chunks_forward(architecture: Architecture, chunks: int, head: Weights, h: jax.Array, targets: jax.Array) -> Any:
    # A token's loss depends on its own hidden state alone, so the gradient can be had while the scores are there, for
    # a cotangent of one, and scaled afterwards: the scores are never computed twice.
    def of_chunk(part: tuple[jax.Array, jax.Array]) -> Any:
        h, targets = part
        losses, pull, correct = jax.vjp(lambda h: _scored(architecture, head, h, targets), h, has_aux=True)
        (slope,) = pull(jnp.ones_like(losses))
        return losses, correct, slope

    losses, correct, slope = jax.lax.map(of_chunk, _cut(chunks, h, targets))
    return _joined((losses, correct), targets.shape), _joined((slope,), targets.shape)[0]


def _by_chunks_backward(architecture: Architecture, chunks: int, slope: jax.Array, cotangents: Any) -> Any:
    return None, (slope * cotangents[0][..., None]).astype(slope.dtype), None


_by_chunks.defvjp(_by_chunks_forward, _by_chunks_backward)


def _cut(chunks: int, *arrays: jax.Array) -> tuple[jax.Array, ...]:
    """Arrays (rows, length, ...) as (chunks, rows, part, ...): every device of a slice has rows in every chunk."""
    padding = -arrays[0].shape[1] % chunks
    padded = [jnp.pad(x, ((0, 0), (0, padding), *((0, 0),) * (x.ndim - 2))) for x in arrays]
    return tuple(x.reshape(x.shape[0], chunks, -1, *x.shape[2:]).swapaxes(0, 1) for x in padded)


def _joined(parts: tuple[jax.Array, ...], shape: tuple[int, ...]) -> Any:
    """The reverse of `_cut`, for arrays that begin like `shape`."""
    return tuple(x.swapaxes(0, 1).reshape(shape[0], -1, *x.shape[3:])[:, : shape[1]] for x in parts)


def chunk_count(tokens: int, vocabulary: int) -> int:
    """Into how many chunks the logits of a batch are cut."""
    return max(1, -(-tokens * vocabulary // CHUNK_SCORES))
