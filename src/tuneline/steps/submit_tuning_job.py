"""Makes the tuning job of the request, or adopts the one it already has."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

from tuneline import jobs
from tuneline.errors import Problem, UsageError
from tuneline.planning import Plan
from tuneline.steps.record import recorded


class Outputs(NamedTuple):
    job: str
    gcp_resources: str
    submission: str


def run(*, plan: str, staged: str, pipeline_root: str, pipeline_job_name: str, compiled_for: str) -> Outputs:
    """Submits exactly one job for the request (`docs/exactly-once.md`).

    Raises:
        UsageError: the plan's engine cannot be used by this version.
        ServiceError: the service refuses the job, in its own words.
    """
    with recorded(
        "submit_tuning_job",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={},
    ) as record:
        decided = Plan.from_dict(json.loads(plan))
        engine = jobs.engine(decided.engine)
        submission = jobs.submit(engine, _request(decided, json.loads(staged), run=pipeline_job_name))
        how = "adopted" if submission.adopted else "made"
        print(f"{how} {submission.name}; it writes to {submission.output_uri}", file=sys.stderr)
        record.result.update(job=submission.name, submission=submission.to_dict())
        return Outputs(
            job=submission.name,
            gcp_resources=jobs.gcp_resources(submission.name, decided.regions.tuning),
            submission=json.dumps(submission.to_dict()),
        )


def _request(plan: Plan, staged: dict, *, run: str) -> jobs.Request:
    if plan.engine != "custom_training":
        raise UsageError(
            [
                Problem(
                    where="engine",
                    what=f"this version cannot make jobs of `{plan.engine}`",
                    fix="name an open base model in base_model_uri, which `custom_training` tunes",
                )
            ]
        )
    return jobs.custom_training.request(plan.to_dict(), staged, run=run)
