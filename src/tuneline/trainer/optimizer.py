"""AdamW with a clamped warm-up and a cosine decay, and its state as named arrays."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import optax

WARMUP_STEPS = 20
CLIP = 1.0


def optimizer(*, learning_rate: float, steps: int) -> optax.GradientTransformation:
    """Gradients clipped to norm 1, AdamW without weight decay; the rate rises over 20 steps (at most half the run) and
    falls along a cosine to a tenth."""
    warmup = min(WARMUP_STEPS, steps // 2)
    schedule = optax.warmup_cosine_decay_schedule(
        init_value=learning_rate / (warmup + 1),
        peak_value=learning_rate,
        warmup_steps=warmup,
        decay_steps=max(steps, warmup + 1),
        end_value=learning_rate / 10,
    )
    return optax.chain(optax.clip_by_global_norm(CLIP), optax.adamw(schedule, weight_decay=0.0))


def to_arrays(tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a tree by their path: what a checkpoint stores."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def from_arrays(arrays: dict[str, np.ndarray], like: Any) -> Any:
    """The tree of the shape of `like` whose leaves were stored."""
    paths, structure = jax.tree_util.tree_flatten_with_path(like)
    leaves = [jax.numpy.asarray(arrays[jax.tree_util.keystr(path)]) for path, _ in paths]
    return jax.tree_util.tree_unflatten(structure, leaves)
