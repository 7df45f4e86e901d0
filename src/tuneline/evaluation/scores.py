"""Two models on the same rows: the score of each, their difference with its interval, and what that means in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tuneline.errors import TunelineError
from tuneline.evaluation import metrics
from tuneline.evaluation.metrics import METRICS, Metric
from tuneline.evaluation.predictions import Prediction
from tuneline.paired import SEED, Comparison, compare

CODE_SHARE = 0.5
"""`parses_as_python` is scored where at least this share of the expected outputs is code."""

PRIMARY = ("token_accuracy", "rouge_l")
"""The verdict is by the first of these that both models have."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One metric of both models."""

    metric: Metric
    comparison: Comparison
    """`second` is the tuned model."""

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `no difference shown`."""
        if not self.comparison.significant:
            return "no difference shown"
        return "better" if (self.comparison.difference > 0) == self.metric.higher_is_better else "worse"

    def to_dict(self) -> dict[str, Any]:
        compared = self.comparison
        return {
            "metric": self.metric.name,
            "title": self.metric.title,
            "n": compared.n,
            "base": compared.first,
            "tuned": compared.second,
            "difference": compared.difference,
            "low": compared.low,
            "high": compared.high,
            "smallest_difference": compared.smallest,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, kw_only=True)
class Scores:
    """All metrics that both models have, and the verdict by the first of `PRIMARY`."""

    n: int
    scores: tuple[Score, ...]

    def of(self, name: str) -> Score | None:
        """The score of a metric, or None where it was not measured."""
        return next((score for score in self.scores if score.metric.name == name), None)

    @property
    def verdict(self) -> str:
        """One plain sentence: better, worse, or not told apart, with n and the smallest difference n can show."""
        primary = next(score for name in PRIMARY if (score := self.of(name)))
        compared = primary.comparison
        words = {
            "better": "The tuned model is better than its base",
            "worse": "The tuned model is WORSE than its base",
            "no difference shown": "No difference between the tuned model and its base is shown",
        }[primary.verdict]
        return (
            f"{words}: {primary.metric.title} {compared.second:.1%} against {compared.first:.1%} "
            f"(difference {100 * compared.low:+.1f} to {100 * compared.high:+.1f} points, 95 %, n = {self.n}; "
            f"differences below about {100 * compared.smallest:.1f} points cannot be shown with that many)."
        )

    def to_dict(self) -> dict[str, Any]:
        return {"n": self.n, "verdict": self.verdict, "scores": [score.to_dict() for score in self.scores]}


def compare_models(base: Sequence[Prediction], tuned: Sequence[Prediction], *, seed: int = SEED) -> Scores:
    """Scores both models on every row and compares them pair by pair.

    Raises:
        TunelineError: the two do not hold the same examples, or hold none.
    """
    if not tuned or [(row.index, row.expected) for row in base] != [(row.index, row.expected) for row in tuned]:
        raise TunelineError(
            f"base ({len(base)}) and tuned ({len(tuned)}) predictions are not of the same examples: nothing to compare"
        )
    scores = [
        Score(metric=metric, comparison=compared)
        for metric in METRICS
        if (compared := _compared(metric.name, base, tuned, seed))
    ]
    return Scores(n=len(tuned), scores=tuple(scores))


def samples(base: Sequence[Prediction], tuned: Sequence[Prediction], *, count: int = 12) -> list[dict[str, Any]]:
    """About `count` rows side by side, spread evenly over the set, so that none is picked for its looks."""
    if not tuned:
        return []
    step = max(1, len(tuned) // count)
    return [
        {"index": b.index, "input": b.input, "expected": b.expected, "base": b.prediction, "tuned": t.prediction}
        for b, t in list(zip(base, tuned, strict=True))[::step][:count]
    ]


def _compared(name: str, base: Sequence[Prediction], tuned: Sequence[Prediction], seed: int) -> Comparison | None:
    """The comparison of one metric, or None where it cannot be measured on these rows."""
    if name in ("token_accuracy", "loss"):
        return _teacher_forced("correct" if name == "token_accuracy" else "loss", base, tuned, seed)
    score: Callable[[str, str], float] = {
        "exact_match": metrics.exact_match,
        "rouge_l": metrics.rouge_l,
        "edit_similarity": metrics.edit_similarity,
        "parses_as_python": lambda prediction, _: float(bool(prediction.strip()) and metrics.parses(prediction)),
    }[name]
    pairs = list(zip(base, tuned, strict=True))
    if name == "parses_as_python":
        code = [pair for pair in pairs if metrics.is_code(pair[0].expected)]
        if len(code) < max(1.0, CODE_SHARE * len(pairs)):
            return None
        pairs = code
    return compare(
        [score(b.prediction, b.expected) for b, _ in pairs],
        [score(t.prediction, t.expected) for _, t in pairs],
        seed=seed,
    )


def _teacher_forced(
    field: str, base: Sequence[Prediction], tuned: Sequence[Prediction], seed: int
) -> Comparison | None:
    first = [getattr(row, field) for row in base]
    second = [getattr(row, field) for row in tuned]
    weights = [row.tokens for row in tuned]
    if None in first or None in second or None in weights or not sum(weights):
        return None
    return compare(first, second, weights=weights, seed=seed)
