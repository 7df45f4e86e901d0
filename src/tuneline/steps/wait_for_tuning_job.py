"""Waits for the end of the tuning job, and says where its result is."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from tuneline import jobs, objects
from tuneline.checkpoints import read_result
from tuneline.errors import DatasetError, Problem
from tuneline.planning import Plan
from tuneline.steps.job_engines import engine_of
from tuneline.steps.job_requests import requests
from tuneline.steps.record import recorded
from tuneline.steps.submit_tuning_job import told

DEADLINE_S = 14 * 24 * 3600.0
"""A week is Vertex AI's default limit of a training job, and a queue for its machines may come before that."""


SHOWN = 20
"""Lines that were dropped, at most, in the output; the job's own resource has what the service keeps."""


class Outputs(NamedTuple):
    result: str
    gcp_resources: str


def run(
    *,
    plan: str,
    job: str,
    submission: str,
    pipeline_root: str,
    pipeline_job_name: str,
    compiled_for: str,
    staged: str = "",
) -> Outputs:
    """Waits until the job has ended; told to stop, cancels the job where this run made it and the plan says so.

    Where it ended for lack of quota or machines and the plan has a further choice, that is submitted and waited for.
    The output holds URIs and figures, never curves: it stays below 8 KB for any length of training.

    Raises:
        JobFailed: it ended badly; the message is the job's own.
        QuotaExceeded: quota or capacity was refused to it.
        StillRunning: it goes on after `DEADLINE_S`.
        NotFound: it succeeded, but its result is gone.
        DatasetError: it succeeded, and left out or cut off more of the training set than the plan allows.
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
        engine = engine_of(decided)
        said = _Said()
        while True:
            ended = jobs.wait(
                engine,
                submitted.name,
                deadline_s=DEADLINE_S,
                submission=submitted,
                on_poll=said.poll,
                on_note=said.note,
                expected_s=_expected_s(decided, submitted),
            )
            if not (ended.capacity_refused and submitted.choice < len(decided.alternatives)):
                break
            said.note(f"{ended.name} {ended.words}; the next choice of the request is tried")
            wanted, *fallbacks = requests(decided, json.loads(staged), run=pipeline_job_name)
            submitted = jobs.submit(engine, wanted, fallbacks=fallbacks)
            for line in told(decided, submitted):
                said.note(line)
            record.result["submission"] = submitted.to_dict()
            record.write("running")
        job = submitted.name
        record.result.update(job=job, state=ended.state.name.lower())
        if said.notes:
            record.result["notes"] = said.notes
        ended.raise_unless_succeeded()
        result = _of_trainer(job, submitted.output_uri) if decided.managed is None else _of_service(engine, job)
        record.result["result"] = result
        lost = _lost(result["dataset"], decided)
        if lost:
            said.note(lost)
            record.result["notes"] = said.notes
        _refuse(result, decided)
        return Outputs(
            result=json.dumps(result),
            gcp_resources=jobs.gcp_resources(job),
        )


def _expected_s(plan: Plan, submission: jobs.Submission) -> float:
    """Seconds that the job should run, as the plan has them; 0: not known."""
    return plan.choices()[submission.choice].duration_s.low or 0.0


def _of_service(engine: jobs.Engine, job: str) -> dict[str, Any]:
    """What later steps need to know of a managed job: its model, its checkpoints, what became of the data."""
    made = engine.result(job)
    told = made.get("dataset")
    dataset = dict(told) if isinstance(told, Mapping) else {}
    for key in ("lines", "reasons"):
        dataset[key] = list(dataset.get(key) or [])[:SHOWN]
    return {
        "state": "succeeded",
        "job": job,
        **{key: made[key] for key in ("model", "endpoint", "experiment", "checkpoints") if key in made},
        "dataset": dataset,
    }


def _lost(dataset: Mapping[str, Any], plan: Plan) -> str:
    """One sentence on the examples that were not learned from whole; '' where all were."""
    lost, given = _counts(dataset)
    if not lost:
        return ""
    reasons = ", ".join(dict.fromkeys(str(reason) for reason in dataset.get("reasons") or []))
    lines = ", ".join(str(line) for line in dataset.get("lines") or [])
    return (
        f"{lost} of {given} training examples were dropped or cut off by the tuning"
        + (f": {reasons}" if reasons else "")
        + (f" (lines {lines} of {plan.train.uri})" if lines else "")
    )


def _refuse(result: Mapping[str, Any], plan: Plan) -> None:
    """Raises where more was lost than the plan allows; the job and its model stay, and a next run adopts them."""
    lost, given = _counts(result["dataset"])
    if not given or lost <= plan.max_dropped_share * given:
        return
    what = f"{_lost(result['dataset'], plan)}; max_dropped_share is {plan.max_dropped_share:g}"
    fix = f"correct them; or raise max_dropped_share, and the same run goes on with {result['job']} at no cost"
    raise DatasetError([Problem(where=plan.train.uri, what=what, fix=fix)], title="the tuning left out too much")


def _counts(dataset: Mapping[str, Any]) -> tuple[int, int]:
    """Examples that were not learned from whole, and all that were given."""
    dropped, truncated, skipped = (int(dataset.get(key) or 0) for key in ("dropped", "truncated", "skipped"))
    return dropped + truncated + skipped, int(dataset.get("examples") or 0) + skipped


def _of_trainer(job: str, output_uri: str) -> dict[str, Any]:
    """What later steps need to know of a job of the trainer; the rest is in its `result.json`."""
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
