"""The gate: a challenger is promoted only if it beats the champion by more than chance, and breaks nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuneline.errors import GateNotPassed, Problem, UsageError
from tuneline.evaluation.scores import Score, Scores


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether the challenger passes, and every reason."""

    passed: bool
    reasons: tuple[str, ...] = field(default=())

    def raise_unless_passed(self) -> None:
        """Raises `GateNotPassed` with every reason where the challenger is refused."""
        if not self.passed:
            raise GateNotPassed("the challenger is not promoted:\n" + "\n".join(f"  - {r}" for r in self.reasons))


def gate(
    scores: Scores, *, metric: str = "token_accuracy", gain: float = 0.0, guards: Mapping[str, float] | None = None
) -> Decision:
    """Decides by scores in which `base` is the champion and `tuned` the challenger, on rows neither was chosen by.

    Args:
        scores: both models on the same test rows.
        metric: the one that must improve.
        gain: the lower bound of the 95 % interval must be above this, in the metric's own unit.
        guards: metric → tolerance; the challenger must not be worse there by more than that.

    Raises:
        UsageError: a metric that is named was not measured.
    """
    guards = guards or {}
    missing = [name for name in (metric, *guards) if scores.of(name) is None]
    if missing:
        known = ", ".join(score.metric.name for score in scores.scores)
        raise UsageError(
            [Problem(where="gate", what=f"{name} was not measured", fix=f"one of: {known}") for name in missing]
        )
    judged = _of(scores, metric)
    worst = _improvement(judged)[0]
    passed = worst > gain
    reasons = [
        f"{judged.metric.title} improves by at least {worst:.4f} (95 %, n = {judged.comparison.n}), "
        f"{'above' if passed else 'not above'} the wanted {gain:.4f}; "
        f"the smallest difference that n can show is about {judged.comparison.smallest:.4f}"
    ]
    for name, tolerance in guards.items():
        guard = _of(scores, name)
        fall = -_improvement(guard)[1]
        if fall > tolerance:
            passed = False
            reasons.append(f"{guard.metric.title} falls by {fall:.4f}, more than its tolerance of {tolerance:.4f}")
    return Decision(passed=passed, reasons=tuple(reasons))


def _of(scores: Scores, name: str) -> Score:
    score = scores.of(name)
    assert score is not None
    return score


def _improvement(score: Score) -> tuple[float, float]:
    """Lower bound and middle of challenger − champion, turned round for a metric where less is better."""
    compared = score.comparison
    if score.metric.higher_is_better:
        return compared.low, compared.difference
    return -compared.high, -compared.difference
