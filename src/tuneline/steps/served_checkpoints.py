"""Selection where a service of Google's has tuned: by what each checkpoint answers, or by the loss curve it left."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tuneline import checkpoints, evaluation
from tuneline.checkpoints import Checkpoint, Choice, Curves, Served
from tuneline.errors import ServiceError
from tuneline.jobs.vertex_tuning import VertexTuning
from tuneline.planning import Plan
from tuneline.steps.job_engines import engine_of, predict

METRIC = "ROUGE-L"
"""Of a text alone nothing is known but the text: words in common with what was expected, in order."""


def select(plan: Plan, waited: Mapping[str, Any], *, run: str) -> tuple[Choice, dict[str, Any], Curves]:
    """The choice, what the step's output holds beyond it, and the curves.

    Args:
        waited: the result of `wait_for_tuning_job`.

    Raises:
        ServiceError: a checkpoint does not answer, or cannot be made the default.
    """
    if plan.engine == "gemini_api":
        return _by_loss(plan, waited)
    candidates = [Served.from_dict(each) for each in waited.get("checkpoints") or []]
    if not candidates:
        # exportLastCheckpointOnly: the tuned model is the last one, and nothing else was kept.
        candidates = [Served(id="", step=0, epoch=int(plan.training.epochs), endpoint=str(waited["endpoint"]))]
    scores, why_last = _scores(plan, candidates, run=run)
    chosen = checkpoints.choose_served(candidates, scores, metric=METRIC, why_last=why_last)
    kept = chosen.kept
    if chosen.choice.selection == "evaluation":
        VertexTuning().choose_checkpoint(str(waited["model"]), kept.id)
        print(f"checkpoint {kept.id} is the default of {waited['model']}", file=sys.stderr)
    more = {
        **_common(plan),
        "checkpoint_id": kept.id,
        "endpoint": kept.endpoint,
        "model": waited["model"],
        "scores": [
            {
                "id": each.id,
                "epoch": each.epoch,
                "step": each.step,
                "n": len(scores[each.id]),
                "score": sum(scores[each.id]) / len(scores[each.id]),
            }
            for each in candidates
            if each.id in scores
        ],
    }
    return chosen.choice, more, _curves(plan, str(waited["job"]))


def _scores(plan: Plan, candidates: Sequence[Served], *, run: str) -> tuple[dict[str, list[float]], str]:
    """Each checkpoint's score of each row that all have answered; else nothing, and why."""
    if not plan.evaluation:
        return {}, "there is no evaluation set to choose by"
    if len(candidates) < 2:
        return {}, "the job kept no other"
    if not plan.training.checkpoint_selection:
        return {}, "selection is switched off"
    answers = {}
    for each in candidates:
        print(f"checkpoint {each.id} answers the evaluation set at {each.endpoint}", file=sys.stderr)
        rows = evaluation.read_predictions(predict(plan, each.endpoint, plan.evaluation, run=run))
        answers[each.id] = {row.index: row for row in rows if not row.error}
    common = sorted(set.intersection(*(set(rows) for rows in answers.values())))
    if not common:
        return {}, "no row was answered by every checkpoint"
    return {
        each: [evaluation.rouge_l(rows[index].prediction, rows[index].expected) for index in common]
        for each, rows in answers.items()
    }, ""


def _curves(plan: Plan, job: str) -> Curves:
    """The curves of the job's experiment; none where they cannot be read, since nothing is decided by them."""
    try:
        return checkpoints.curves_of([json.loads(line) for line in engine_of(plan).logs(job)])
    except ServiceError as error:
        print(f"the curves of {job} were not read: {error}", file=sys.stderr)
        return Curves()


def _by_loss(plan: Plan, waited: Mapping[str, Any]) -> tuple[Choice, dict[str, Any], Curves]:
    """The tuned model as it is: the developer API keeps no other; and what its loss curve says of the epochs."""
    made = engine_of(plan).result(str(waited["job"]))
    told = made.get("snapshots")
    points = list(told) if isinstance(told, list) else []
    losses = checkpoints.by_epoch(points)
    epoch = losses[-1][0] if losses else int(plan.training.epochs)
    step = int(points[-1]["step"]) if points else 0
    reason = f"Epoch {epoch} is the last, and the API keeps no other" + _advice(losses) + "."
    choice = Choice(
        checkpoint=Checkpoint(step=step, uri=str(waited["job"]), epoch=epoch),
        selection="last",
        reason=reason,
        best_step=step,
        candidates=1,
        base=None,
    )
    drawn = Curves(train_loss=[(int(point["step"]), float(point["mean_loss"])) for point in points])
    more = {**_common(plan), "checkpoint_id": "", "endpoint": "", "model": waited["job"], "scores": []}
    return choice, {**more, "losses": [list(each) for each in losses]}, drawn


def _advice(losses: Sequence[tuple[int, float]]) -> str:
    """What the curve says of the number of epochs: spec/gemini-api.md, "Loss curve"."""
    if len(losses) < 2:
        return ""
    epoch = checkpoints.settled(losses)
    figures = f"mean loss {losses[0][1]:.3f} in epoch {losses[0][0]}, {losses[-1][1]:.3f} in epoch {losses[-1][0]}"
    if epoch:
        return f"; the loss has settled after epoch {epoch}, so that many do as well ({figures})"
    return f"; the loss still falls, so more epochs may help ({figures})"


def _common(plan: Plan) -> dict[str, Any]:
    base = plan.base_model
    return {
        "output_uri": "",
        "base_predictions": "",
        "base_model": {"requested": base.requested, "name": "", "stand_in": base.stand_in},
    }
