"""Whether two models differ on the same examples by more than chance: the paired bootstrap, and the rule made of it.

A ground-floor module beside `errors`: the trainer decides by it what to predict with, `checkpoints` which adapter to
keep, `evaluation` what may be said of a score. They must agree.

The examples are drawn again, with replacement, some thousand times; both models are scored on each draw; the middle
95 % of the differences is the interval. Pairing matters: two models that fail on the same hard examples are told apart
with far fewer of them. (Koehn, "Statistical Significance Tests for Machine Translation Evaluation", 2004.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

T = TypeVar("T")

DRAWS = 10_000
SEED = 20_240_229
"""Fixed, so that the same scores always give the same interval and the same choice."""
CONFIDENCE = 0.95

# Indices drawn at a time: 4 million of them stay below 100 MB.
_DRAWN_AT_ONCE = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`second` minus `first`, on the same examples."""

    n: int
    first: float
    second: float
    low: float
    high: float
    """The 95 % interval of the difference."""

    @property
    def difference(self) -> float:
        return self.second - self.first

    @property
    def significant(self) -> bool:
        """Whether the interval does not hold 0."""
        return self.low > 0.0 or self.high < 0.0

    @property
    def smallest(self) -> float:
        """About the smallest difference that these examples can show: half the interval's width.

        Where the models never differ there is no width; then 3 ÷ n, by the rule of three, for scores between 0 and 1.
        """
        half = (self.high - self.low) / 2
        return half if half > 0.0 else min(1.0, 3.0 / self.n)


def compare(first: ArrayLike, second: ArrayLike, *, weights: ArrayLike | None = None, seed: int = SEED) -> Comparison:
    """Compares two models on the same `n` examples.

    Args:
        first: shape (n,): the score of each example; with `weights`, the sum over the example's tokens.
        second: the same of the other model, in the same order.
        weights: shape (n,): tokens of each example; the scores are then sum ÷ tokens. Unset: means over examples.
        seed: of the draws.

    Raises:
        ValueError: the shapes differ, there is no example, or the weights add up to nothing.
    """
    import numpy as np

    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    w = np.ones_like(a) if weights is None else np.asarray(weights, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or a.shape != w.shape:
        raise ValueError(f"paired scores need the same examples on both sides: {a.shape}, {b.shape}, {w.shape}")
    if not len(a) or w.sum() <= 0 or (w < 0).any():
        raise ValueError("there is nothing to compare: no example, or none with a token")
    low, high = _interval(b - a, w, np.random.default_rng(seed))
    return Comparison(n=len(a), first=float(a.sum() / w.sum()), second=float(b.sum() / w.sum()), low=low, high=high)


def earliest_as_good(candidates: Iterable[T], best: T, against_best: Callable[[T], Comparison]) -> T:
    """The first of the candidates (in order of their steps) that nothing tells from the best; the best itself, if none.

    Only a lead of the best counts against an earlier one: what is no worse, or worse by no more than chance, is as good
    and was there sooner. `against_best(candidate)` is best minus candidate.
    """
    for candidate in candidates:
        if candidate == best or against_best(candidate).low <= 0.0:
            return candidate
    return best


def _interval(difference: np.ndarray, weights: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    import numpy as np

    n = len(difference)
    if n == 1:
        # One example says nothing of the next: every difference that a score between 0 and 1 can have is possible.
        return -1.0, 1.0
    if not difference.any():
        return 0.0, 0.0
    drawn = np.empty(DRAWS)
    size = max(1, _DRAWN_AT_ONCE // n)
    for start in range(0, DRAWS, size):
        index = rng.integers(0, n, size=(min(size, DRAWS - start), n), dtype=np.int32)
        total = weights[index].sum(axis=1)
        # A draw may hold empty responses alone; it then shows no difference.
        drawn[start : start + size] = difference[index].sum(axis=1) / np.where(total > 0, total, 1.0)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)
