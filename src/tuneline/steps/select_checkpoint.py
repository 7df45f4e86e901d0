"""Chooses the checkpoint to keep, draws the curves, and says why."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

from tuneline import checkpoints
from tuneline.planning import Plan
from tuneline.steps import served_checkpoints
from tuneline.steps.artifacts import Artifact, log_metrics, write_page
from tuneline.steps.record import recorded


class Outputs(NamedTuple):
    checkpoint: str


def run(
    *,
    plan: str,
    result: str,
    metrics: Artifact,
    curves: Artifact,
    pipeline_root: str,
    pipeline_job_name: str,
    compiled_for: str,
) -> Outputs:
    """Chooses as `tuneline.checkpoints` does; the same job, and the same answers, always give the same choice.

    Raises:
        JobFailed: the job kept no checkpoint.
        UsageError: selection by evaluation was asked for, and nothing was evaluated.
        ServiceError: a checkpoint that is served does not answer.
    """
    with recorded(
        "select_checkpoint",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={},
    ) as record:
        decided = Plan.from_dict(json.loads(plan))
        waited = json.loads(result)
        if decided.managed:
            choice, more, drawn = served_checkpoints.select(decided, waited, run=pipeline_job_name)
        else:
            finished = checkpoints.read_result(waited["output_uri"])
            choice = checkpoints.choose(finished, _selection(decided))
            drawn = checkpoints.read_curves(finished.output_uri)
            more = {
                "output_uri": finished.output_uri,
                "base_predictions": finished.base_predictions,
                "base_model": dict(finished.base_model),
            }
        print(choice.reason, file=sys.stderr)
        title = f"{decided.model_display_name or waited['job']}: training"
        write_page(
            curves,
            checkpoints.render_page(drawn, title=title, chosen=choice.checkpoint.step, reason=choice.reason),
        )
        kept = choice.checkpoint.evaluation
        log_metrics(
            metrics,
            {
                "step": choice.checkpoint.step,
                "epoch": choice.checkpoint.epoch,
                "evaluation_loss": kept.loss if kept else None,
                "evaluation_token_accuracy": kept.accuracy if kept else None,
                "base_evaluation_loss": choice.base.loss if choice.base else None,
                "base_evaluation_token_accuracy": choice.base.accuracy if choice.base else None,
            },
        )
        chosen = {**choice.to_dict(), **more}
        record.result.update(checkpoint=chosen, curves=drawn.to_dict(), curves_uri=curves.uri)
        return Outputs(checkpoint=json.dumps(chosen))


def _selection(plan: Plan) -> checkpoints.Selection:
    """The plan's word, once more as the request had it: without an evaluation set nothing was switched off."""
    if plan.training.checkpoint_selection:
        return "true"
    return "false" if plan.evaluation else "default"
