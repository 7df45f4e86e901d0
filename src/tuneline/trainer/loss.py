"""Response-only loss: what each response token costs, and whether it would have been predicted."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from tuneline.trainer.architecture import Architecture
from tuneline.trainer.model import Adapter, Weights, hidden, logits

CHUNK_SCORES = 2**26
"""Scores alive at once, above which the logits of a batch are cut into chunks: 256 MiB in fp32."""


def token_losses(
    architecture: Architecture,
    weights: Weights,
    adapter: Adapter | None,
    scale: float,
    batch: Mapping[str, jax.Array],
    *,
    remat: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """(loss, correct) of each position (rows, length), both fp32, zero where `counted` is."""
    h = hidden(
        architecture, weights, adapter, scale, batch["tokens"], batch["positions"], batch["segments"], remat=remat
    )
    rows, length, width = h.shape
    chunks = chunk_count(rows * length, architecture.vocabulary)

    def of_chunk(h: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
        scores = logits(architecture, weights, h)
        target = jnp.take_along_axis(scores, targets[..., None], axis=-1)[..., 0]
        losses = jax.nn.logsumexp(scores, axis=-1) - target
        # Right when nothing scores higher and nothing before it as high: what argmax says, for less on a CPU.
        return losses, (jnp.argmax(scores, axis=-1) == targets).astype(jnp.float32)

    if chunks == 1:
        losses, correct = of_chunk(h, batch["targets"])
    else:
        padding = -(rows * length) % chunks
        flat = jnp.pad(h.reshape(-1, width), ((0, padding), (0, 0))).reshape(chunks, -1, width)
        targets = jnp.pad(batch["targets"].reshape(-1), (0, padding)).reshape(chunks, -1)
        # Recomputed in the backward pass, so that only one chunk's scores are ever alive.
        losses, correct = jax.lax.map(jax.checkpoint(lambda pair: of_chunk(*pair)), (flat, targets))
        losses, correct = (x.reshape(-1)[: rows * length].reshape(rows, length) for x in (losses, correct))
    return losses * batch["counted"], correct * batch["counted"]


def chunk_count(tokens: int, vocabulary: int) -> int:
    """Into how many chunks the logits of a batch are cut."""
    return max(1, -(-tokens * vocabulary // CHUNK_SCORES))
