"""Deploys the model to an endpoint, where the plan says so."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

from tuneline import registry
from tuneline.planning import Plan
from tuneline.steps.artifacts import Artifact
from tuneline.steps.record import recorded


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
) -> Outputs:
    """Deploys the model to an endpoint of its own, or, where the plan does not ask for it, does nothing.

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
