"""Submitting and waiting: one job for one request, its own words where it fails, its end where the run is stopped."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.steps.conftest import MINOR, make_plan
from tuneline import objects, planning
from tuneline.errors import JobFailed, QuotaExceeded
from tuneline.planning import Plan
from tuneline.steps import report_run, submit_tuning_job, upload_dataset, validate_dataset, wait_for_tuning_job
from tuneline.testing import LocalVertex, fresh_vertex, local_vertex, vertex_environment

__all__ = ["fresh_vertex", "local_vertex", "vertex_environment"]


@pytest.fixture
def vertex(fresh_vertex, monkeypatch) -> LocalVertex:
    """A service of this test's own, which this process talks to."""
    for name, value in fresh_vertex.environment().items():
        monkeypatch.setenv(name, value)
    return fresh_vertex


def staged_plan(run, tmp_path, **changes: Any) -> tuple[Plan, str]:
    """A plan whose data is staged in the service, and what staging said."""
    plan = dataclasses.replace(make_plan(tmp_path / "data", **changes), staging_uri="gs://tuneline-local")
    outputs = upload_dataset.run(plan=json.dumps(plan.to_dict()), dataset=run.artifact("dataset"), **run.common)
    return plan, outputs.staged


def submit(run, plan, staged) -> submit_tuning_job.Outputs:
    return submit_tuning_job.run(plan=json.dumps(plan.to_dict()), staged=staged, **run.common)


def wait(run, plan, submitted, staged="") -> dict[str, Any]:
    outputs = wait_for_tuning_job.run(
        plan=json.dumps(plan.to_dict()),
        job=submitted.job,
        submission=submitted.submission,
        staged=staged,
        **run.common,
    )
    result = json.loads(outputs.result)
    assert json.loads(outputs.gcp_resources)["resources"][0]["resourceUri"].endswith(result["job"])
    return result


def test_a_job_is_made_waited_for_and_summed_up_in_less_than_eight_kilobytes(run, tmp_path, vertex):
    plan, staged = staged_plan(run, tmp_path, train_steps=4, evaluation_interval=2)
    submitted = submit(run, plan, staged)
    again = submit(run, plan, staged)
    assert again.job == submitted.job
    result = wait(run, plan, submitted)
    assert len(vertex.calls("CreateCustomJob")) == 1
    assert result["steps"] == 4
    assert result["checkpoints"] == 2
    assert len(json.dumps(result)) < 8_000
    assert objects.exists(result["result_uri"])
    assert run.record("wait_for_tuning_job")["result"]["result"] == result
    submission = run.record("submit_tuning_job")["result"]["submission"]
    assert submission["output_uri"] == result["output_uri"]


def test_a_job_that_fails_is_told_in_its_own_words(run, tmp_path, vertex):
    plan, staged = staged_plan(run, tmp_path, train_steps=4)
    submitted = submit(run, plan, staged.replace("tuneline/data/", "tuneline/nowhere/"))
    with pytest.raises(JobFailed, match="nowhere"):
        wait(run, plan, submitted)
    error = run.record("wait_for_tuning_job")["error"]
    assert "nowhere" in error["message"]
    assert submitted.job in error["message"]


FALLBACKS = {"train_steps": 4, "evaluation_interval": 2, "fallback_slices": "tpu-v6e-4,gpu-8xh100-80gb"}
NO_MACHINES = {"status": "RESOURCE_EXHAUSTED", "message": "no machines of that kind are free"}


def places(vertex: LocalVertex) -> list[str]:
    """Where the create calls of custom jobs went, in their order."""
    return [call["resource"].split("/")[3] for call in vertex.calls("CreateCustomJob")]


def test_where_capacity_is_refused_the_fallback_is_made_and_told(run, tmp_path, vertex, capsys, monkeypatch):
    """Three refusals in us-central1, then one job in europe-west4; the step tried again adopts that one."""
    monkeypatch.setenv("TUNELINE_SUBMIT_DEADLINE_S", "2")
    plan, staged = staged_plan(run, tmp_path, **FALLBACKS)
    vertex.fault("CreateCustomJob", times=3, **NO_MACHINES)
    submitted = submit(run, plan, staged)
    assert "/locations/europe-west4/" in submitted.job
    assert submit(run, plan, staged).job == submitted.job
    assert places(vertex) == ["us-central1"] * 3 + ["europe-west4"]
    said = capsys.readouterr().err
    assert "gpu-8xa100-80gb was given up: refused: " in said
    assert "no machines of that kind are free" in said
    assert "on tpu-v6e-4" in said
    wait(run, plan, submitted, staged)
    objects.write_json(str(run.root / "job-1" / "run" / "plan_tuning.json"), {"result": {"plan": plan.to_dict()}})
    report_run.run(status={"state": "SUCCEEDED"}, model_display_name="m", report=run.artifact("report"), **run.common)
    page = (run.root / "job-1" / "run" / "report.html").read_text()
    assert "gpu-8xa100-80gb given up" in page
    assert "no machines of that kind are free" in page


def test_a_job_that_ends_without_machines_is_followed_by_the_next_choice(run, tmp_path, vertex):
    """It was made, and its machines never came: the wait goes on with the fallback's job, and takes its result."""
    plan, staged = staged_plan(run, tmp_path, **FALLBACKS)
    vertex.fault("RunCustomJob", times=2, **NO_MACHINES)
    submitted = submit(run, plan, staged)
    result = wait(run, plan, submitted, staged)
    assert result["job"] != submitted.job
    assert result["steps"] == 4
    assert places(vertex) == ["us-central1", "europe-west4", "us-central1"]
    record = run.record("wait_for_tuning_job")["result"]
    assert record["submission"]["choice"] == 2
    assert ["no machines of that kind are free" in reason for reason in record["submission"]["refused"]] == [True] * 2
    # Tried again, the wait finds its way to the same job.
    assert wait(run, plan, submitted, staged) == result
    assert len(places(vertex)) == 3


def test_a_run_that_was_cancelled_while_nobody_held_it_takes_the_fallbacks_job_with_it(run, tmp_path, vertex):
    """The wait had gone on with another job when it was killed."""
    plan, staged = staged_plan(run, tmp_path, **{**FALLBACKS, "train_steps": 100_000})
    objects.write_json(str(run.root / "job-1" / "run" / "plan_tuning.json"), {"result": {"plan": plan.to_dict()}})
    vertex.fault("RunCustomJob", **NO_MACHINES)
    first = submit(run, plan, staged)
    until(lambda: job_state(vertex, first.job) == "JOB_STATE_FAILED")
    second = json.loads(submit(run, plan, staged).submission)
    killed = {"state": "running", "result": {"submission": second}}
    objects.write_json(str(run.root / "job-1" / "run" / "wait_for_tuning_job.json"), killed)
    objects.write_json(
        str(run.root / "job-1" / "run" / "submit_tuning_job.json"),
        {"result": {"submission": json.loads(first.submission)}},
    )
    report_run.run(status={"state": "CANCELLED"}, model_display_name="m", report=run.artifact("report"), **run.common)
    until(lambda: job_state(vertex, second["name"]) == "JOB_STATE_CANCELLED")


@pytest.mark.parametrize("method", [pytest.param("CreateTuningJob", marks=pytest.mark.slow), "RunTuningJob"])
def test_a_managed_job_goes_to_the_next_region_where_capacity_is_refused(run, tmp_path, vertex, method, monkeypatch):
    """At its creation or after it: one TuningJob in the fallback's region, whose model is there too."""
    monkeypatch.setenv("TUNELINE_SUBMIT_DEADLINE_S", "2")
    turns = (
        {"contents": [{"role": role, "parts": [{"text": text}]} for role, text in (("user", str(n)), ("model", "a"))]}
        for n in range(20)
    )
    data = tmp_path / "turns.jsonl"
    data.write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    parameters = {
        "project": "tuneline-local",
        "base_model": "gemini-2.5-flash",
        "training_dataset_uri": str(data),
        "location": "us-central1",
        "fallback_locations": "europe-west4",
        "epoch_count": 1,
    }
    facts = validate_dataset.facts(parameters, template="tune-gemini")
    plan = planning.plan(parameters, facts, region="us-central1", template="tune-gemini")
    plan = dataclasses.replace(plan, staging_uri="gs://tuneline-local")
    staged = upload_dataset.run(plan=json.dumps(plan.to_dict()), dataset=run.artifact("d"), **run.common).staged
    vertex.fault(method, times=3 if method.startswith("Create") else 1, **NO_MACHINES)
    submitted = submit(run, plan, staged)
    result = wait(run, plan, submitted, staged)
    assert "/locations/europe-west4/" in result["job"]
    assert "/locations/europe-west4/models/" in result["model"]
    made = [call["resource"].split("/")[3] for call in vertex.calls("CreateTuningJob")]
    assert made == ["us-central1"] * (3 if method.startswith("Create") else 1) + ["europe-west4"]


def test_without_a_further_choice_a_lack_of_machines_is_told_with_its_own_exit_code(run, tmp_path, vertex):
    """Exit code 5: quota or capacity."""
    plan, staged = staged_plan(run, tmp_path, train_steps=4)
    vertex.fault("RunCustomJob", **NO_MACHINES)
    with pytest.raises(QuotaExceeded, match="no machines of that kind are free"):
        wait(run, plan, submit(run, plan, staged), staged)
    assert run.record("wait_for_tuning_job")["error"]["exit_code"] == 5


WAIT = """
import json, sys
from tuneline.steps import wait_for_tuning_job
wait_for_tuning_job.run(**json.loads(sys.stdin.read()))
"""


@pytest.mark.parametrize(("on_cancel", "state"), [("cancel", "JOB_STATE_CANCELLED"), ("leave", "JOB_STATE_RUNNING")])
def test_a_run_that_is_stopped_takes_its_job_with_it_unless_told_otherwise(run, tmp_path, vertex, on_cancel, state):
    plan, staged = staged_plan(run, tmp_path, train_steps=100_000, on_cancel=on_cancel)
    submitted = submit(run, plan, staged)
    arguments = {
        "plan": json.dumps(plan.to_dict()),
        "job": submitted.job,
        "submission": submitted.submission,
        "pipeline_root": str(run.root),
        "pipeline_job_name": "job-1",
        "compiled_for": MINOR,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", WAIT], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    with process:
        process.stdin.write(json.dumps(arguments))
        process.stdin.close()
        said = next(line for line in process.stderr if "is running" in line)
        assert submitted.job in said
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) != 0
    until(lambda: job_state(vertex, submitted.job) == state)
    assert run.record("wait_for_tuning_job")["error"]["exit_code"] == 130


@pytest.mark.parametrize(("on_cancel", "state"), [("cancel", "JOB_STATE_CANCELLED"), ("leave", "JOB_STATE_RUNNING")])
def test_a_run_cancelled_between_two_steps_takes_its_job_with_it(run, tmp_path, vertex, on_cancel, state):
    plan, staged = staged_plan(run, tmp_path, train_steps=100_000, on_cancel=on_cancel)
    planned = {"result": {"plan": plan.to_dict()}}
    objects.write_json(str(run.root / "job-1" / "run" / "plan_tuning.json"), planned)
    submitted = submit(run, plan, staged)
    until(lambda: job_state(vertex, submitted.job) == "JOB_STATE_RUNNING")
    report_run.run(status={"state": "CANCELLED"}, model_display_name="m", report=run.artifact("report"), **run.common)
    until(lambda: job_state(vertex, submitted.job) == state)
    assert run.record("report_run")["result"]["cancelled_job"] == (submitted.job if on_cancel == "cancel" else "")


def job_state(vertex: LocalVertex, name: str) -> str:
    return vertex.request("GET", f"/v1/{name}")["state"]


def until(condition, seconds: float = 60.0) -> None:
    """Waits for a condition that only looking can tell."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it never came true"
        time.sleep(0.05)
