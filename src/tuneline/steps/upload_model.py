"""Uploads the chosen checkpoint to the Model Registry, once."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

from tuneline import registry
from tuneline.planning import Plan
from tuneline.steps.artifacts import Artifact
from tuneline.steps.job_engines import engine_of
from tuneline.steps.record import recorded


class Outputs(NamedTuple):
    model_resource_name: str


def run(
    *, plan: str, checkpoint: str, model: Artifact, pipeline_root: str, pipeline_job_name: str, compiled_for: str
) -> Outputs:
    """Uploads to the upload region of the plan; the same checkpoint under the same name is the same model.

    A managed tuning has made its model already, which is taken as it is.

    Raises:
        NotFound: that model is gone.
        ServiceError: the service refuses the model, in its own words.
    """
    with recorded(
        "upload_model",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={},
    ) as record:
        decided = Plan.from_dict(json.loads(plan))
        chosen = json.loads(checkpoint)
        if decided.managed:
            name, uri = _managed(decided, str(chosen["model"]))
            print(f"{name} was put there by the tuning itself", file=sys.stderr)
            model.uri, model.metadata["resourceName"] = uri, name
            record.result.update(model_resource_name=name, adopted=True, display_name=decided.model_display_name)
            return Outputs(model_resource_name=name)
        uploaded = registry.upload(
            registry.Upload(
                project=decided.project,
                location=decided.regions.upload,
                display_name=decided.model_display_name,
                artifact_uri=chosen["uri"],
                serving_image=decided.serving_image,
                base_model=str(chosen["base_model"].get("used") or decided.base_model.uri),
                base_label=decided.base_model.label,
                description=chosen["reason"],
                labels=decided.labels,
                encryption_key=decided.encryption_key,
            )
        )
        print(f"{'adopted' if uploaded.adopted else 'uploaded'} {uploaded.name}", file=sys.stderr)
        model.uri = uploaded.uri
        model.metadata["resourceName"] = uploaded.name
        record.result.update(
            model_resource_name=uploaded.name,
            adopted=uploaded.adopted,
            display_name=uploaded.display_name,
            version=uploaded.version,
            artifact_uri=uploaded.artifact_uri,
        )
        return Outputs(model_resource_name=uploaded.name)


def _managed(plan: Plan, name: str) -> tuple[str, str]:
    """Name and address of the model that a managed tuning made: of the registry, or of the developer API."""
    if plan.engine == "gemini_api":
        engine_of(plan).get(name)
        return name, f"https://generativelanguage.googleapis.com/v1beta/{name}"
    found = registry.get(name)
    # What was tuned further may be a later version of the model that it went on from, whose default is another one.
    full = found.name if found.version == "1" else f"{found.name}@{found.version}"
    return full, registry.address(full)
