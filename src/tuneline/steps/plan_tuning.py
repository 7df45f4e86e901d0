"""Turns the request and the facts of its data into a plan: the one gate before anything is spent."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from tuneline import objects, planning
from tuneline.errors import Problem, UsageError
from tuneline.google import runtime, settings
from tuneline.planning import Plan
from tuneline.steps.record import recorded

TEMPLATE = "tune-large-model"


class Outputs(NamedTuple):
    plan: str


def run(
    *,
    facts: str,
    pipeline_root: str,
    pipeline_job_name: str,
    compiled_for: str,
    template: str = TEMPLATE,
    **parameters: Any,
) -> Outputs:
    """Plans the request by the rules of `template`; `parameters` are the pipeline's own, unset ones as '' or 0.

    Raises:
        UsageError: every reason why the request cannot be carried out, of parameters and data together.
        DatasetError: every reason, where the data alone is at fault.
        OverCostLimit: it costs more than `max_cost_usd`, or nobody can say what it costs.
    """
    with recorded(
        "plan_tuning",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={**_shown(parameters), "template": template},
    ) as record:
        plan = planning.plan(parameters, json.loads(facts), region=runtime.region(), template=template)
        plan = dataclasses.replace(plan, staging_uri=staging(plan, pipeline_root))
        for line in (*plan.warnings, *plan.notes):
            print(line, file=sys.stderr)
        record.result["plan"] = plan.to_dict()
        return Outputs(plan=json.dumps(plan.to_dict()))


def _shown(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as they may be written down: what stands where a secret is named may be the secret itself."""
    named = str(parameters.get("api_key_secret") or "")
    hidden = {"api_key_secret": "(not shown)"} if named and not named.startswith("projects/") else {}
    return {**parameters, **hidden}


def staging(plan: Plan, pipeline_root: str) -> str:
    """Where staged data and the job ledger live: fixed by project and region, never the run's own folder.

    The request's `staging_uri`; else the bucket of the pipeline root; else, where the root is no object store's, what
    the environment names.

    Raises:
        UsageError: none of them is there.
    """
    if plan.staging_uri:
        return plan.staging_uri.rstrip("/")
    if objects.is_cloud(pipeline_root):
        return "gs://" + pipeline_root.removeprefix("gs://").split("/", 1)[0]
    if named := settings.staging():
        return named.rstrip("/")
    raise UsageError(
        [
            Problem(
                where="staging_uri",
                what=f"the pipeline root {pipeline_root} is in no bucket, so there is no place for staged data",
                fix="give staging_uri, e.g. gs://my-bucket, or run with a gs:// pipeline root",
            )
        ]
    )
