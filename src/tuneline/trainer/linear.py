"""A frozen linear layer with its low-rank update: the product that training spends its time in."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp


def adapted(h: jax.Array, weight: jax.Array, a: jax.Array, b: jax.Array, scale: float) -> jax.Array:
    """`h @ weight + scale * (h @ a) @ b` for h (rows, length, in), in h's type; the weight gets no gradient."""
    if jax.default_backend() == "cpu":
        return _adapted(scale, h, weight, a, b)
    return _forward(scale, h, weight, a, b)[0]


def _forward(
    scale: float, h: jax.Array, weight: jax.Array, a: jax.Array, b: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    low = h @ a.astype(h.dtype)
    return h @ weight + (low @ b.astype(h.dtype)) * scale, (h, low, weight, a, b)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _adapted(scale: float, h: jax.Array, weight: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
    # The derived gradients of a and b multiply by the transposes of the large h and of y's gradient, which XLA's CPU
    # backend writes out, element by element, at every layer: a third of a step. Here the small factor is transposed.
    return _forward(scale, h, weight, a, b)[0]


def _backward(scale: float, kept: tuple[jax.Array, ...], slope: jax.Array) -> tuple[jax.Array | None, ...]:
    h, low, weight, a, b = kept
    low_slope = jnp.einsum("bto,ro->btr", slope, b.astype(slope.dtype)) * scale
    h_slope = jnp.einsum("bto,io->bti", slope, weight) + jnp.einsum("btr,ir->bti", low_slope, a.astype(slope.dtype))
    a_slope = jnp.einsum("btr,bti->ri", low_slope, h).T
    b_slope = jnp.einsum("btr,bto->ro", low * scale, slope)
    return h_slope, None, a_slope.astype(a.dtype), b_slope.astype(b.dtype)


_adapted.defvjp(_forward, _backward)
