"""Deploys the model to an endpoint, where the plan says so."""

from __future__ import annotations

import json
import sys
from typing import Any, NamedTuple

from tuneline import registry
from tuneline.planning import Plan
from tuneline.steps.artifacts import Artifact
from tuneline.steps.record import Record, recorded


class Outputs(NamedTuple):
    endpoint_resource_name: str
    """Empty where nothing was to be deployed."""


def run(
    *,
    plan: str,
    model_resource_name: str,
    endpoint: Artifact,
    pipeline_root: str,
    pipeline_job_name: str,
    compiled_for: str,
    checkpoint: str = "",
) -> Outputs:
    """Deploys the model to an endpoint of its own, or, where the plan does not ask for it, does nothing.

    A managed tuning serves what it has tuned: the endpoint of the chosen checkpoint is taken as it is.

    Raises:
        ServiceError: the service refuses, in its own words; `QuotaExceeded` where there is no machine.
    """
    with recorded(
        "deploy_model",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={"model_resource_name": model_resource_name},
    ) as record:
        decided = Plan.from_dict(json.loads(plan))
        if decided.managed:
            return _served_already(json.loads(checkpoint), endpoint, record)
        if not decided.deploy_model:
            record.result.update(endpoint_resource_name="", note="deploy_model is false: nothing was deployed")
            print(record.result["note"], file=sys.stderr)
            return Outputs(endpoint_resource_name="")
        served = registry.deploy(
            registry.Deployment(
                model=model_resource_name,
                display_name=decided.model_display_name,
                service_account=decided.service_account,
                labels=decided.labels,
                encryption_key=decided.encryption_key,
            )
        )
        print(f"{'already served' if served.adopted else 'served'} at {served.name}", file=sys.stderr)
        endpoint.uri = served.uri
        endpoint.metadata["resourceName"] = served.name
        record.result.update(endpoint_resource_name=served.name, adopted=served.adopted)
        return Outputs(endpoint_resource_name=served.name)


def _served_already(chosen: dict[str, Any], endpoint: Artifact, record: Record) -> Outputs:
    """The endpoint that the tuning made for the chosen checkpoint; none for a tuned model of the developer API."""
    name = str(chosen["endpoint"])
    note = "the tuning itself serves the model" if name else "the tuned model answers under its own name"
    print(f"{note}: {name or chosen['model']}", file=sys.stderr)
    if name:
        endpoint.uri, endpoint.metadata["resourceName"] = registry.address(name), name
    record.result.update(endpoint_resource_name=name, note=note)
    return Outputs(endpoint_resource_name=name)
