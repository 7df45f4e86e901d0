"""Makes the tuning job of the request, or adopts the one it already has."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import NamedTuple

from tuneline import jobs
from tuneline.planning import Plan
from tuneline.steps.job_engines import engine_of
from tuneline.steps.job_requests import requests
from tuneline.steps.record import recorded


class Outputs(NamedTuple):
    job: str
    gcp_resources: str
    submission: str


def run(*, plan: str, staged: str, pipeline_root: str, pipeline_job_name: str, compiled_for: str) -> Outputs:
    """Submits exactly one job for the request (`docs/exactly-once.md`), on the first choice that has capacity.

    Raises:
        UsageError: a value that the engine's API cannot take.
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
        engine = engine_of(decided)
        wanted, *fallbacks = requests(decided, json.loads(staged), run=pipeline_job_name)
        submission = jobs.submit(engine, wanted, fallbacks=fallbacks)
        for line in told(decided, submission):
            print(line, file=sys.stderr)
        record.result.update(job=submission.name, submission=submission.to_dict())
        return Outputs(
            job=submission.name,
            gcp_resources=jobs.gcp_resources(submission.name),
            submission=json.dumps(submission.to_dict()),
        )


def told(plan: Plan, submission: jobs.Submission) -> Iterator[str]:
    """What became of the request, a line each: the choices that were refused, then the job."""
    places = [plan.slice.name if plan.slice else plan.regions.tuning, *(each.name for each in plan.alternatives)]
    for place, reason in zip(places, submission.refused, strict=False):
        yield f"{place} was given up: {reason}"
    where = f" on {places[submission.choice]}" if plan.alternatives else ""
    how = "adopted" if submission.adopted else "made"
    # A managed job keeps what it makes in the registry.
    output = "" if plan.managed else f"; it writes to {submission.output_uri}"
    yield f"{how} {submission.name}{where}{output}"
