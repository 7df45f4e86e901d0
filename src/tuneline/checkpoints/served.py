"""Checkpoints that a managed service keeps: which one to take, by what they answer, as nothing else is known.

A tuning job of Vertex AI leaves each on an endpoint of its own, makes the last the default, and gives no figure of any.
So the evaluation set is predicted by each, and the rule is that of our own trainer (`choose`): the earliest one that
the set cannot tell from the best. A tuned model of the developer API has a loss curve and no checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneline.checkpoints.choose import Choice
from tuneline.checkpoints.result import Checkpoint
from tuneline.paired import compare, earliest_as_good

FLAT = 0.02
"""Share of the whole fall of the loss: a curve that loses less from an epoch on has settled there."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """One checkpoint of a managed tuning job."""

    id: str
    step: int
    epoch: int
    endpoint: str
    """Where it answers."""

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Served:
        """A checkpoint as `Engine.result` tells it."""
        return cls(
            id=str(value["id"]), step=int(value["step"]), epoch=int(value["epoch"]), endpoint=str(value["endpoint"])
        )

    @property
    def words(self) -> str:
        """`Checkpoint 2 (epoch 4)`."""
        return f"Checkpoint {self.id} (epoch {self.epoch})"


@dataclass(frozen=True, kw_only=True)
class ServedChoice:
    """The served checkpoint that is kept, and the choice in the words of every other one."""

    kept: Served
    choice: Choice


def choose_served(
    candidates: Sequence[Served], scores: Mapping[str, Sequence[float]], *, metric: str, why_last: str = ""
) -> ServedChoice:
    """Chooses among the checkpoints, oldest first, by a score of each row between 0 and 1; higher is better.

    Args:
        scores: checkpoint id → score of each row, the same rows in the same order; empty: the last is taken.
        metric: what the scores are, in words.
        why_last: why there are no scores.

    Raises:
        ValueError: there is no candidate, or their rows are not the same.
    """
    if not candidates:
        raise ValueError("there is no checkpoint to choose from")
    if not scores:
        last = candidates[-1]
        reason = f"{last.words} is the last one, the service's own default; {why_last}."
        return _chosen(last, last, len(candidates), "last", reason)
    means = {each.id: sum(scores[each.id]) / len(scores[each.id]) for each in candidates}
    best = max(candidates, key=lambda each: (means[each.id], -each.step))
    kept = earliest_as_good(candidates, best, lambda each: compare(scores[each.id], scores[best.id]))
    n = len(scores[kept.id])
    if kept == best:
        reason = (
            f"{kept.words} answers best of {len(candidates)}, and no earlier one comes near: "
            f"{metric} {means[kept.id]:.1%}, n = {n}."
        )
    else:
        gap = compare(scores[kept.id], scores[best.id])
        reason = (
            f"{kept.words} is the earliest of {len(candidates)} that n = {n} examples cannot tell from the best, "
            f"checkpoint {best.id}: {metric} {means[kept.id]:.1%} against {means[best.id]:.1%} "
            f"(the difference is {100 * gap.low:+.1f} to {100 * gap.high:+.1f} points)."
        )
    return _chosen(kept, best, len(candidates), "evaluation", reason)


def settled(losses: Sequence[tuple[int, float]]) -> int:
    """The epoch after which the loss no longer falls by more than `FLAT` of its whole fall; 0 where it still falls.

    Args:
        losses: (epoch, mean loss), one an epoch, in order.
    """
    if len(losses) < 2:
        return 0
    lowest = min(loss for _, loss in losses)
    fall = losses[0][1] - lowest
    if fall <= 0:
        return losses[0][0]
    for epoch, loss in losses[:-1]:
        if loss - lowest <= FLAT * fall:
            return epoch
    return 0


def by_epoch(snapshots: Sequence[Mapping[str, float]]) -> list[tuple[int, float]]:
    """The mean loss of each epoch, of points `{step, epoch, mean_loss}`."""
    found: dict[int, list[float]] = {}
    for point in snapshots:
        found.setdefault(int(point["epoch"]), []).append(float(point["mean_loss"]))
    return [(epoch, sum(losses) / len(losses)) for epoch, losses in sorted(found.items())]


def _chosen(kept: Served, best: Served, candidates: int, selection: Any, reason: str) -> ServedChoice:
    return ServedChoice(
        kept=kept,
        choice=Choice(
            checkpoint=Checkpoint(step=kept.step, uri=kept.endpoint, epoch=kept.epoch),
            selection=selection,
            reason=reason,
            best_step=best.step,
            candidates=candidates,
            base=None,
        ),
    )
