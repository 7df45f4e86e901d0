"""Scores the tuned model beside its untuned base, on predictions of both over rows that neither was trained on."""

from __future__ import annotations

import json
import sys
from typing import Any, NamedTuple

from tuneline import evaluation
from tuneline.planning import Plan
from tuneline.steps.artifacts import Artifact, log_metrics
from tuneline.steps.job_engines import base_target, predict
from tuneline.steps.record import recorded

SAMPLES = 12
"""Rows that the report shows side by side."""

SEEN = (
    "These rows are the evaluation set, by which the checkpoint was chosen: the tuned model's scores are flattered by "
    "that. Give test_data_uri for scores on rows that nothing was chosen by."
)
NO_DATA = "There is neither a test set nor an evaluation set: nothing could be scored. Give test_data_uri."


class Outputs(NamedTuple):
    evaluation: str


def run(
    *,
    plan: str,
    result: str,
    checkpoint: str,
    model_resource_name: str,
    metrics: Artifact,
    pipeline_root: str,
    pipeline_job_name: str,
    compiled_for: str,
) -> Outputs:
    """Scores on the test set where there is one, else on the evaluation set, which it says; else on nothing.

    The trainer has predicted at the end of its job; a managed model and its base are asked here.

    Raises:
        ServiceError: a managed model does not answer.
        NotFound: predictions that the job has named are gone.
        TunelineError: the predictions of base and tuned model are not of the same examples.
    """
    with recorded(
        "evaluate_model",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={"model_resource_name": model_resource_name},
    ) as record:
        decided = Plan.from_dict(json.loads(plan))
        chosen = json.loads(checkpoint)
        scored, samples = _evaluate(decided, chosen, run=pipeline_job_name)
        for note in [scored.get("verdict"), *scored["notes"]]:
            if note:
                print(note, file=sys.stderr)
        log_metrics(metrics, _flat(scored))
        record.result.update(evaluation=scored, samples=samples)
        return Outputs(evaluation=json.dumps(scored))


def _evaluate(plan: Plan, chosen: dict[str, Any], *, run: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The scores, with notes on how far they can be trusted, and the samples for the report."""
    data = "test" if plan.test else "evaluation" if plan.evaluation else ""
    notes = [SEEN] if data == "evaluation" and chosen["selection"] == "evaluation" else []
    empty: dict[str, Any] = {"data": data, "n": 0, "scores": []}
    if not data:
        return {**empty, "notes": [NO_DATA]}, []
    sources = _predictions(plan, chosen, run=run)
    missing = [whose for whose, uri in sources.items() if not uri]
    if missing:
        # A job for them would cost what no plan has told.
        note = f"The tuning job made no predictions of {' nor of '.join(missing)}: nothing could be scored."
        return {**empty, "notes": [note]}, []
    base, tuned = (evaluation.read_predictions(uri) for uri in sources.values())
    base, tuned, unanswered = _answered(base, tuned)
    if unanswered:
        notes.append(f"{unanswered} examples were not answered by both models, and are not scored.")
    if not tuned:
        return {**empty, "notes": [*notes, "The predictions are empty: nothing could be scored."]}, []
    scores = evaluation.compare_models(base, tuned)
    cut = sum(row.finish == "length" for row in tuned)
    if cut:
        notes.append(f"{cut} of {len(tuned)} answers of the tuned model were cut off at the longest length allowed.")
    return {"data": data, **scores.to_dict(), "notes": notes}, evaluation.samples(base, tuned, count=SAMPLES)


def _predictions(plan: Plan, chosen: dict[str, Any], *, run: str) -> dict[str, str]:
    """Whose → the URI of its predictions: those of the training's end, or of a managed model those made now."""
    if plan.managed is None:
        return {"the untuned base": chosen["base_predictions"], "this checkpoint": chosen["predictions"]}
    data = plan.test or plan.evaluation
    assert data is not None  # the caller's
    base = base_target(plan, chosen["uri"])
    return {whose: predict(plan, model, data, run=run) for whose, model in (("base", base), ("tuned", chosen["uri"]))}


def _answered(
    base: list[evaluation.Prediction], tuned: list[evaluation.Prediction]
) -> tuple[list[evaluation.Prediction], list[evaluation.Prediction], int]:
    """The rows that both have answered, and how many others there are."""
    failed = {row.index for row in (*base, *tuned) if row.error}
    kept = [[row for row in rows if row.index not in failed] for rows in (base, tuned)]
    return kept[0], kept[1], len(failed)


def _flat(scored: dict[str, Any]) -> dict[str, float | int | str | None]:
    """The scores as the pipeline's page shows metrics: name and number."""
    flat: dict[str, float | int | str | None] = {"n": scored["n"]} if scored["n"] else {}
    for score in scored["scores"]:
        flat[score["metric"]] = score["tuned"]
        flat[f"base_{score['metric']}"] = score["base"]
        flat[f"{score['metric']}_difference_low"] = score["low"]
        flat[f"{score['metric']}_difference_high"] = score["high"]
    return flat
