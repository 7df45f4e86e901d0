"""Which examples a step sees: a pure function of seed and step, so that a resumed run goes on as if never stopped."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


def examples_of_step(*, seed: int, step: int, batch_size: int, count: int) -> list[int]:
    """Places of the examples that step `step` (from 0) sees; each epoch sees all `count` once, in its own order."""
    first = step * batch_size
    return [int(_permutation(seed, at // count, count)[at % count]) for at in range(first, first + batch_size)]


def epoch_of_step(*, step: int, batch_size: int, count: int) -> float:
    """Epochs seen after `step` steps."""
    return step * batch_size / count
