"""The engine `vertex_tuning`: a Gemini or open model tuned by Vertex AI itself, in a TuningJob."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from tuneline import errors
from tuneline.errors import Problem, UsageError
from tuneline.google import rest
from tuneline.jobs import predictions, tuning_curves
from tuneline.jobs.engines import Claim, Request
from tuneline.jobs.model import Job
from tuneline.jobs.vertex_jobs import VertexJobs

# google.cloud.aiplatform.v1.SupervisedHyperParameters.AdapterSize.
_ADAPTER_SIZES = {
    1: "ADAPTER_SIZE_ONE",
    2: "ADAPTER_SIZE_TWO",
    4: "ADAPTER_SIZE_FOUR",
    8: "ADAPTER_SIZE_EIGHT",
    16: "ADAPTER_SIZE_SIXTEEN",
    32: "ADAPTER_SIZE_THIRTY_TWO",
}


class VertexTuning(VertexJobs):
    """TuningJobs."""

    name = "vertex_tuning"
    collection = "tuningJobs"
    # No page says what ListTuningJobsRequest.filter understands, so the pages are filtered here.
    filters_labels = False

    def stamped(self, request: Request, claim: Claim) -> dict[str, Any]:
        """The TuningJob to send; the service copies its labels to the tuned model and its endpoint."""
        body = copy.deepcopy(dict(request.body))
        if request.display_name:
            body["tunedModelDisplayName"] = request.display_name
        body["labels"] = {**request.labels, **claim.labels}
        return body

    def intact(self, job: Job) -> bool:
        """Whether the tuned model is still there."""
        model = _tuned(job.raw).get("model")
        if not model:
            return False
        try:
            rest.call("GET", "aiplatform", f"/v1/{model}", timeout_s=30.0)
        except errors.NotFound:
            return False
        return True

    def result(self, name: str, *, output_uri: str = "") -> dict[str, object]:
        """What the job made: model, endpoint, experiment, checkpoints (oldest first), and what became of the data.

        Raises:
            NotFound: the job has made no model.
        """
        job = self.get(name)
        tuned = _tuned(job.raw)
        if not tuned.get("model"):
            raise errors.NotFound(f"{name} {job.words} and has no tuned model", status=404)
        return {
            "state": job.state.name.lower(),
            "model": tuned["model"],
            "endpoint": tuned.get("endpoint", ""),
            "experiment": job.raw.get("experiment", ""),
            "checkpoints": [
                {
                    "id": str(each.get("checkpointId", "")),
                    # int64 travels as text.
                    "step": int(each.get("step") or 0),
                    "epoch": int(each.get("epoch") or 0),
                    "endpoint": each.get("endpoint", ""),
                }
                for each in tuned.get("checkpoints") or []
            ],
            "dataset": data_losses(job),
        }

    def predict(self, wanted: predictions.Prediction) -> str:
        """See `Engine.predict`; asks the endpoint where it is served, in a region or in `us` or `eu`."""
        return predictions.predict(self.name, wanted, predictions.asking("aiplatform", f"/v1/{wanted.model}"))

    def base_target(self, base_model: str, endpoint: str, *, checkpoint_id: str = "") -> str:
        """What answers as the untuned base beside a tuned model's endpoint: the publisher's model in the same place.

        The base of what was tuned further is the tuned model that it went on from, on the endpoint of its checkpoint.

        Raises:
            NotFound: no tuning job of its region has made that model.
        """
        if not is_tuned_model(base_model):
            place = endpoint.partition("/endpoints/")[0]
            return f"{place}/publishers/google/models/{base_model.rsplit('/', 1)[-1]}"
        _, project, _, location = base_model.split("/")[:4]
        for job in self.list(project, location):
            made = _tuned(job.raw)
            if not _is_version(str(made.get("model") or ""), base_model):
                continue
            kept = {str(each.get("checkpointId")): each.get("endpoint") for each in made.get("checkpoints") or []}
            return str(kept.get(checkpoint_id) or made.get("endpoint"))
        what = f"no tuning job in {location} has made {base_model}: there is no base to compare with"
        raise errors.NotFound(what, status=404)

    def choose_checkpoint(self, model: str, checkpoint_id: str) -> None:
        """Makes a checkpoint the default of a tuned model's version: what is tuned further where none is named.

        The SDK does the same with `models.update(config={"default_checkpoint_id": …})`.
        """
        rest.call(
            "PATCH",
            "aiplatform",
            f"/v1beta1/{model}",
            params={"updateMask": "defaultCheckpointId"},
            body={"name": model, "defaultCheckpointId": checkpoint_id},
        )

    def logs(self, name: str, *, output_uri: str = "") -> Iterator[str]:
        """See `Engine.logs`; the curves so far, a JSON object a step. The service keeps no other log."""
        return (json.dumps(row) for row in tuning_curves.rows(self.get(name)))


def request(
    *,
    project: str,
    location: str,
    display_name: str,
    base_model: str,
    training_data_uri: str,
    staging: str,
    digests: Mapping[str, str],
    validation_data_uri: str = "",
    epoch_count: int = 0,
    adapter_size: int = 0,
    learning_rate_multiplier: float = 0.0,
    export_last_checkpoint_only: bool = False,
    preference: bool = False,
    beta: float = 0.0,
    checkpoint_id: str = "",
    encryption_key: str = "",
    service_account: str = "",
    labels: Mapping[str, str] | None = None,
    force: bool = False,
    run: str = "",
    on_cancel: Literal["cancel", "leave"] = "cancel",
) -> Request:
    """The request for one TuningJob; 0 and '' leave a value to the service, which is how first jobs are best sent.

    Args:
        base_model: a publisher's model (`gemini-2.5-flash`), or a tuned model (`projects/…/models/…`) to tune further.
        digests: of the data, by split: other data at the same URI is another job.
        preference: preference tuning in place of supervised; `beta` is its own hyperparameter.
        checkpoint_id: of a tuned base model, instead of its default checkpoint.

    Raises:
        UsageError: every value that the API cannot take, at once.
    """
    problems = []
    if adapter_size and adapter_size not in _ADAPTER_SIZES:
        sizes = ", ".join(map(str, _ADAPTER_SIZES))
        problems.append(Problem(where="adapter_size", what=f"{adapter_size} is none", fix=f"one of {sizes}"))
    if beta and not preference:
        problems.append(Problem(where="beta", what="belongs to preference tuning alone", fix="leave it out"))
    further = is_tuned_model(base_model)
    if checkpoint_id and not further:
        problems.append(
            Problem(
                where="checkpoint_id",
                what=f"`{base_model}` is no tuned model",
                fix="name a tuned model, or leave it out",
            )
        )
    if problems:
        raise UsageError(problems)
    hyperparameters = {
        "epochCount": str(epoch_count) if epoch_count else None,
        "adapterSize": _ADAPTER_SIZES.get(adapter_size),
        "learningRateMultiplier": learning_rate_multiplier or None,
        "beta": beta or None,
    }
    spec = {
        "trainingDatasetUri": training_data_uri,
        "validationDatasetUri": validation_data_uri or None,
        "hyperParameters": _given(hyperparameters) or None,
        "exportLastCheckpointOnly": export_last_checkpoint_only or None,
    }
    tuned = _given({"tunedModelName": base_model, "checkpointId": checkpoint_id or None})
    body = {
        "baseModel": None if further else base_model,
        "preTunedModel": tuned if further else None,
        "preferenceOptimizationSpec" if preference else "supervisedTuningSpec": _given(spec),
        "encryptionSpec": {"kmsKeyName": encryption_key} if encryption_key else None,
        "serviceAccount": service_account or None,
    }
    return Request(
        project=project,
        location=location,
        display_name=display_name,
        body=_given(body),
        staging=staging.rstrip("/"),
        identity={"data": dict(digests)},
        labels=dict(labels or {}),
        force=force,
        run=run,
        on_cancel=on_cancel,
    )


def is_tuned_model(base_model: str) -> bool:
    """Whether a base model is a tuned one of the registry, and not a publisher's."""
    return "/models/" in base_model and "publishers/" not in base_model


def _is_version(version: str, model: str) -> bool:
    """Whether a model version (`…/models/M@2`) is what is named, by its model alone or with a version."""
    return version == model if "@" in model else version.partition("@")[0] == model


def data_losses(job: Job) -> dict[str, object]:
    """What the service did not learn from, since it drops bad examples instead of failing.

    `examples` of the set, `dropped` of them, `lines` (1-based) of a sample of those with the `reasons` in the same
    order, `billable_tokens` and `steps`; 0 and empty where the job says nothing. The API calls dropped examples
    truncated: google.cloud.aiplatform.v1.SupervisedTuningDataStats.
    """
    whole = job.raw.get("tuningDataStats")
    stats = whole if isinstance(whole, Mapping) else {}
    given = stats.get("supervisedTuningDataStats") or stats.get("preferenceOptimizationDataStats") or {}
    # Preference tuning has no count: it lists every example that it dropped.
    lines = given.get("truncatedExampleIndices") or given.get("droppedExampleIndices") or []
    return {
        "examples": int(given.get("tuningDatasetExampleCount") or 0),
        "dropped": int(given.get("totalTruncatedExampleCount") or len(lines)),
        "lines": [int(line) for line in lines],
        "reasons": [str(reason) for reason in given.get("droppedExampleReasons") or []],
        "billable_tokens": int(given.get("totalBillableTokenCount") or 0),
        "steps": int(given.get("tuningStepCount") or 0),
    }


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _tuned(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    tuned = resource.get("tunedModel")
    return tuned if isinstance(tuned, Mapping) else {}
