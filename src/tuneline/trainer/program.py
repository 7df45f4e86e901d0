"""The compiled functions of a run: gradients, update, evaluation. Each is compiled once a shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from tuneline.trainer.architecture import Architecture
from tuneline.trainer.loss import token_losses
from tuneline.trainer.model import Weights
from tuneline.trainer.packing import Batch
from tuneline.trainer.placement import ONE, Placement

Losses = Callable[..., tuple[jax.Array, jax.Array]]
"""`(weights, adapter, batch, remat=..., placement=...)` → (loss, correct) of whatever is counted, zero elsewhere."""


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What one step did; `loss` (mean of what is counted) and `correct` stay on the device until they are read."""

    loss: Any
    correct: Any
    counted: int
    """Response tokens; pairs in preference tuning."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """`step(adapter, state, batches)` → adapter, state, StepResult; `evaluate(adapter, batch)` → losses, correct."""

    step: Callable[[Any, Any, Sequence[Batch]], tuple[Any, Any, StepResult]]
    evaluate: Callable[[Any, Batch], tuple[Any, Any]]


def build(
    architecture: Architecture,
    weights: Weights,
    *,
    scale: float,
    rule: optax.GradientTransformation,
    remat: str = "",
    placement: Placement = ONE,
    losses: Losses | None = None,
    counts: str = "counted",
) -> Program:
    """The program of one base, over the devices of a placement.

    `losses` says what is learned, response tokens where it says nothing, and `counts` which field of a batch has a one
    wherever it counts something.
    """
    put = placement.rows
    losses_of = losses or partial(_of_tokens, architecture, scale)

    def loss_of(adapter: Any, weights: Weights, batch: Any, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
        values, correct = losses_of(weights, adapter, batch, remat=remat, placement=placement)
        return jnp.sum(values) / tokens, jnp.sum(correct)

    gradient = jax.value_and_grad(loss_of, has_aux=True)

    @partial(jax.jit, donate_argnums=(0, 1))
    def whole(adapter: Any, state: Any, weights: Weights, batch: Any, tokens: jax.Array) -> Any:
        (loss, correct), grads = gradient(adapter, weights, batch, tokens)
        updates, state = rule.update(grads, state, adapter)
        return optax.apply_updates(adapter, updates), state, loss, correct

    @partial(jax.jit, donate_argnums=(1,))
    def further(adapter: Any, before: Any, weights: Weights, batch: Any, tokens: jax.Array) -> Any:
        return jax.tree.map(jnp.add, before, gradient(adapter, weights, batch, tokens))

    @partial(jax.jit, donate_argnums=(0, 1))
    def apply(adapter: Any, state: Any, grads: Any) -> Any:
        updates, state = rule.update(grads, state, adapter)
        return optax.apply_updates(adapter, updates), state

    @jax.jit
    def evaluate(adapter: Any, weights: Weights, batch: Any) -> Any:
        return placement.gathered(losses_of(weights, adapter, batch, placement=placement))

    def step(adapter: Any, state: Any, batches: Sequence[Batch]) -> tuple[Any, Any, StepResult]:
        counted = int(sum(batch[counts].sum() for batch in batches))
        tokens = jnp.float32(max(counted, 1))
        if len(batches) == 1:
            adapter, state, loss, correct = whole(adapter, state, weights, put(batches[0]), tokens)
        else:
            # From zero, so that the first batch needs no program of its own.
            total: Any = ((jnp.float32(0), jnp.float32(0)), jax.tree.map(jnp.zeros_like, adapter))
            for batch in batches:
                total = further(adapter, total, weights, put(batch), tokens)
            (loss, correct), grads = total
            adapter, state = apply(adapter, state, grads)
        return adapter, state, StepResult(loss=loss, correct=correct, counted=counted)

    return Program(step=step, evaluate=lambda adapter, batch: evaluate(adapter, weights, put(batch)))


def _of_tokens(architecture: Architecture, scale: float, weights: Weights, adapter: Any, batch: Any, **how: Any) -> Any:
    return token_losses(architecture, weights, adapter, scale, batch, **how)
