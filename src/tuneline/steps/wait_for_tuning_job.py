"""Waits for the end of the tuning job, and says where its result is."""

from __future__ import annotations

import json
import sys
from typing import Any, NamedTuple

from tuneline import jobs, objects
from tuneline.checkpoints import read_result
from tuneline.planning import Plan
from tuneline.steps.record import recorded

DEADLINE_S = 14 * 24 * 3600.0
"""A week is Vertex AI's default limit of a training job, and a queue for its machines may come before that."""


class Outputs(NamedTuple):
    result: str
    gcp_resources: str


def run(
    *, plan: str, job: str, submission: str, pipeline_root: str, pipeline_job_name: str, compiled_for: str
) -> Outputs:
    """Waits until the job has ended; told to stop, cancels the job where this run made it and the plan says so.

    The output holds URIs and figures, never curves: it stays below 8 KB for any length of training.

    Raises:
        JobFailed: it ended badly; the message is the job's own.
        QuotaExceeded: quota or capacity was refused to it.
        StillRunning: it goes on after `DEADLINE_S`.
        NotFound: it succeeded, but its result is gone.
    """
    with recorded(
        "wait_for_tuning_job",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={"job": job},
    ) as record:
        decided = Plan.from_dict(json.loads(plan))
        submitted = jobs.Submission.from_dict(json.loads(submission))
        engine = jobs.engine(decided.engine)
        said = _Said()
        ended = jobs.wait(
            engine, job, deadline_s=DEADLINE_S, submission=submitted, on_poll=said.poll, on_note=said.note
        )
        record.result.update(job=job, state=ended.state.name.lower())
        if said.notes:
            record.result["notes"] = said.notes
        ended.raise_unless_succeeded()
        result = _summary(job, submitted.output_uri)
        record.result["result"] = result
        return Outputs(
            result=json.dumps(result),
            gcp_resources=jobs.gcp_resources(job, decided.regions.tuning),
        )


def _summary(job: str, output_uri: str) -> dict[str, Any]:
    """What later steps need to know of a job that succeeded; the rest is in its `result.json`."""
    found = read_result(output_uri)
    return {
        "state": "succeeded",
        "job": job,
        "output_uri": output_uri,
        "result_uri": objects.join(output_uri, "result.json"),
        "metrics_uri": objects.join(output_uri, "metrics.jsonl"),
        "steps": found.steps,
        "stop_reason": found.stop_reason,
        "checkpoints": len(found.checkpoints),
        "base_model": dict(found.base_model),
        "dataset": dict(found.dataset),
        **{key: found.raw[key] for key in ("tokens_per_second", "seconds", "seed") if key in found.raw},
    }


class _Said:
    """Tells each change of state once, however often the job is looked at."""

    def __init__(self) -> None:
        self.last = ""
        self.notes: list[str] = []

    def poll(self, job: jobs.Job) -> None:
        if job.words != self.last:
            self.last = job.words
            print(f"{job.name} is {job.words}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
        if text not in self.notes:
            self.notes.append(text)
