"""Which checkpoint to keep: chosen by evaluation, not by age, and not by a lead that is only chance.

`true`: the earliest checkpoint that the evaluation set cannot tell from the best one. The best has the highest token
accuracy, ties going to the lower loss; "cannot tell" means that the paired-bootstrap 95 % interval of the difference
holds 0. `false`: the last one. `default`: `true` where there is an evaluation set (`docs/checkpoints.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tuneline.checkpoints.result import BASE_STEP, Checkpoint, Evaluation, Result, Rows, read_rows
from tuneline.errors import JobFailed, NotFound, Problem, TunelineError, UsageError
from tuneline.paired import Comparison, compare, earliest_as_good

Selection = Literal["true", "false", "default"]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The checkpoint that is kept, and why."""

    checkpoint: Checkpoint
    selection: Literal["evaluation", "last"]
    """How it was chosen."""
    reason: str
    """One plain sentence, with n and the figures."""
    best_step: int
    """The checkpoint with the best evaluation; the last one where there is none."""
    candidates: int
    base: Evaluation | None
    """The untuned base on the same set."""
    against_best: Comparison | None = None
    """Best minus chosen, in token accuracy; None where they are one, or nothing was compared."""
    against_base: Comparison | None = None
    """Chosen minus base, in token accuracy."""

    def to_dict(self) -> dict[str, Any]:
        """The choice as the step's output holds it; below 2 KB but for the URIs."""
        kept = self.checkpoint
        return {
            "step": kept.step,
            "epoch": kept.epoch,
            "uri": kept.uri,
            "reason": self.reason,
            "selection": self.selection,
            "best_step": self.best_step,
            "candidates": self.candidates,
            "evaluation": kept.evaluation.to_dict() if kept.evaluation else None,
            "base_evaluation": self.base.to_dict() if self.base else None,
            "against_best": _figures(self.against_best),
            "against_base": _figures(self.against_base),
            "predictions": kept.predictions,
        }


def choose(result: Result, selection: Selection = "default") -> Choice:
    """Chooses among the checkpoints of a finished job; the same files always give the same choice.

    Raises:
        JobFailed: the job kept no checkpoint.
        UsageError: `true` is asked for, but nothing was evaluated; or `selection` is no such word.
        NotFound: an evaluation that `result.json` names is gone.
    """
    if selection not in ("true", "false", "default"):
        raise _refused(f"{selection!r} is none of true, false, default", "give one of them, or leave it out")
    if not result.checkpoints:
        raise JobFailed(f"the job kept no checkpoint in {result.output_uri}; its log says what it did")
    evaluated = [each for each in result.checkpoints if each.evaluation]
    if selection == "true" and not evaluated:
        raise _refused("`true` needs evaluations, and the job made none", "give evaluation_data_uri, or leave it out")
    if selection == "false" or not evaluated:
        return _last(result, asked=selection == "false")
    return _by_evaluation(result, evaluated)


def _last(result: Result, *, asked: bool) -> Choice:
    last = result.checkpoints[-1]
    why = "selection is switched off" if asked else "there is no evaluation set to choose by"
    return Choice(
        checkpoint=last,
        selection="last",
        reason=f"Step {last.step} is the last checkpoint; {why}.",
        best_step=last.step,
        candidates=len(result.checkpoints),
        base=result.base_evaluation,
        against_base=_against_base(result, last),
    )


def _by_evaluation(result: Result, evaluated: list[Checkpoint]) -> Choice:
    best = max(evaluated, key=_rank)
    rows = read_rows(result.output_uri, best.step)

    def against(candidate: Checkpoint) -> Comparison:
        return _gained(result, read_rows(result.output_uri, candidate.step), rows)

    kept = earliest_as_good(evaluated, best, against)
    against_best = None if kept == best else against(kept)
    against_base = _against_base(result, kept)
    return Choice(
        checkpoint=kept,
        selection="evaluation",
        reason=_sentence(kept, best, len(evaluated), len(rows.tokens), against_best, against_base),
        best_step=best.step,
        candidates=len(evaluated),
        base=result.base_evaluation,
        against_best=against_best,
        against_base=against_base,
    )


def _rank(checkpoint: Checkpoint) -> tuple[float, float, int]:
    evaluation = checkpoint.evaluation
    assert evaluation is not None
    return evaluation.accuracy, -evaluation.loss, -checkpoint.step


def _against_base(result: Result, kept: Checkpoint) -> Comparison | None:
    """Chosen minus base where both were evaluated; a job may leave the base out."""
    if not kept.evaluation:
        return None
    try:
        base = read_rows(result.output_uri, BASE_STEP)
    except NotFound:
        return None
    return _gained(result, base, read_rows(result.output_uri, kept.step))


def _gained(result: Result, before: Rows, after: Rows) -> Comparison:
    """What the later evaluation has over the earlier; TunelineError where they are not of the same examples."""
    if before.index.tolist() != after.index.tolist():
        raise TunelineError(f"the evaluations under {result.output_uri} are not all of the same examples")
    return compare(before.correct, after.correct, weights=after.tokens)


def _sentence(
    kept: Checkpoint,
    best: Checkpoint,
    candidates: int,
    n: int,
    against_best: Comparison | None,
    against_base: Comparison | None,
) -> str:
    assert kept.evaluation is not None
    assert best.evaluation is not None
    if candidates == 1:
        head = f"Step {kept.step} is the only checkpoint that was evaluated"
    elif against_best is None:
        head = f"Step {kept.step} has the best evaluation of {candidates} checkpoints, and no earlier one comes near"
    else:
        head = (
            f"Step {kept.step} is the earliest of {candidates} checkpoints that n = {n} examples cannot tell from the "
            f"best, step {best.step} ({best.evaluation.accuracy:.1%}; the difference is "
            f"{_points(against_best.low)} to {_points(against_best.high)} points)"
        )
    tail = f"token accuracy {kept.evaluation.accuracy:.1%}, loss {kept.evaluation.loss:.3f}, n = {n}"
    if against_base is None:
        return f"{head}: {tail}."
    verdict = (
        f"{'above' if against_base.difference > 0 else 'BELOW'} the untuned base's {against_base.first:.1%}"
        if against_base.significant
        else f"not told apart from the untuned base's {against_base.first:.1%}"
    )
    return f"{head}: {tail}, {verdict}."


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _figures(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {
        "n": comparison.n,
        "difference": comparison.difference,
        "low": comparison.low,
        "high": comparison.high,
        "significant": comparison.significant,
    }


def _refused(what: str, fix: str) -> UsageError:
    return UsageError([Problem(where="enable_checkpoint_selection", what=what, fix=fix)])
