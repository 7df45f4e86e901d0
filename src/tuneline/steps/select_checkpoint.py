"""Chooses the checkpoint to keep, draws the curves, and says why."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

from tuneline import checkpoints
from tuneline.planning import Plan
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
    """Chooses as `tuneline.checkpoints.choose` does; the same job always gives the same choice.

    Raises:
        JobFailed: the job kept no checkpoint.
        UsageError: selection by evaluation was asked for, and nothing was evaluated.
    """
    with recorded(
        "select_checkpoint",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={},
    ) as record:
        decided = Plan.from_dict(json.loads(plan))
        finished = checkpoints.read_result(json.loads(result)["output_uri"])
        choice = checkpoints.choose(finished, _selection(decided))
        print(choice.reason, file=sys.stderr)

        drawn = checkpoints.read_curves(finished.output_uri)
        title = f"{decided.model_display_name}: training"
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
        chosen = {
            **choice.to_dict(),
            "output_uri": finished.output_uri,
            "base_predictions": finished.base_predictions,
            "base_model": dict(finished.base_model),
        }
        record.result.update(checkpoint=chosen, curves=drawn.to_dict(), curves_uri=curves.uri)
        return Outputs(checkpoint=json.dumps(chosen))


def _selection(plan: Plan) -> checkpoints.Selection:
    """The plan's word, once more as the request had it: without an evaluation set nothing was switched off."""
    if plan.training.checkpoint_selection:
        return "true"
    return "false" if plan.evaluation else "default"
