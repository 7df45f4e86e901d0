"""What a pipeline job does from its creation to its end, through the real service, storage and processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.local.pipelines import corpus
from tests.local.pipelines.conftest import ROOT, Service, until

Compile = Callable[[Any], dict[str, Any]]


def told(run: Any) -> dict[str, Any]:
    """What the exit task was told."""
    return json.loads(run.output("tell")["told"])


def test_values_flow_and_are_shown_while_and_after_it_runs(shared: Service, compile_pipeline: Compile) -> None:
    """Outputs reach the tasks after them, and the job's detail shows every input and output."""
    run = shared.run(compile_pipeline(corpus.linear), {"word": "x", "number": 4})
    assert run.state == "SUCCEEDED"
    assert run.outputs == {"text": "x<x>x", "sum": 5}
    metadata = run.tasks["join-2"]["execution"]["metadata"]
    assert (metadata["input:left"], metadata["input:right"], metadata["output:Output"]) == ("x<x>", "x", "x<x>x")
    root = run.tasks["linear"]
    assert run.tasks["join"]["parentTaskId"] == root["taskId"]
    assert root["startTime"] <= run.tasks["join"]["startTime"] <= run.tasks["join"]["endTime"] <= root["endTime"]
    assert Path(metadata["tuneline:log"]).is_file()
    assert run.job["startTime"] <= run.job["endTime"]


def test_a_whole_number_in_a_text_stays_whole(shared: Service, compile_pipeline: Compile) -> None:
    """kfp.local prints 3.0 there, since JSON has one kind of number."""
    assert shared.run(compile_pipeline(corpus.number_in_text)).outputs == {"Output": "<3>4"}


def test_artifacts_lie_in_cloud_storage_with_type_and_metadata(shared: Service, compile_pipeline: Compile) -> None:
    """What a component writes to `artifact.path` is an object under the pipeline root, and its reader finds it."""
    run = shared.run(compile_pipeline(corpus.artifacts), {"text": "grüße"})
    assert run.outputs == {"text": "grüße 5", "path": "grüße"}
    (data,) = run.tasks["write"]["outputs"]["data"]["artifacts"]
    job_id = run.job["name"].rpartition("/")[2]
    assert data["uri"] == f"{ROOT}/tuneline-local/{job_id}/write_{run.tasks['write']['taskId']}/data"
    assert (data["schemaTitle"], data["metadata"]) == ("system.Dataset", {"length": 5})
    assert run.tasks["write"]["outputs"]["scores"]["artifacts"][0]["metadata"] == {"length": 5}
    assert run.tasks["read"]["inputs"]["data"]["artifacts"][0]["uri"] == data["uri"]


def test_large_texts_and_odd_numbers_pass(shared: Service, compile_pipeline: Compile) -> None:
    """A parameter longer than a command line may be, NaN and infinity arrive, and the job can still be read."""
    run = shared.run(compile_pipeline(corpus.odd_values))
    assert run.outputs == {"Output": "inf"}
    assert run.tasks["not-a-number"]["outputs"]["scores"]["artifacts"][0]["metadata"] == {
        "loss": "nan",
        "length": 300000,
    }


def test_a_failure_tells_the_real_error_everywhere(shared: Service, compile_pipeline: Compile) -> None:
    """The component's own words, all lines of them, are in the task, in the job and in the exit task's status."""
    run = shared.run(compile_pipeline(corpus.handled), {"word": "this"})
    words = "ValueError: no good: this\n  - first reason\n  - second reason"
    assert run.state == "FAILED"
    assert run.tasks["fail"]["error"]["message"].startswith(words)
    assert "exit code 1; log: " in run.tasks["fail"]["error"]["message"]
    assert f"The failed tasks are: [fail].\nfail: {words}" in run.job["error"]["message"]
    status = told(run)
    assert (status["state"], status["pipeline_task_name"], status["word"]) == ("FAILED", "exit-handler-1", "this")
    assert status["pipeline_job_resource_name"] == run.job["name"]
    assert words in status["error_message"]
    assert run.tasks["join"]["state"] == "SUCCEEDED", "what does not depend on a failure still runs"


def test_an_exit_code_is_told(shared: Service, compile_pipeline: Compile) -> None:
    run = shared.run(compile_pipeline(corpus.handled), {"code": 3})
    assert "exit code 3" in run.tasks["fail"]["error"]["message"]


def test_the_exit_task_of_a_good_run_hears_so(shared: Service, compile_pipeline: Compile) -> None:
    run = shared.run(compile_pipeline(corpus.handled_well))
    assert run.state == "SUCCEEDED"
    assert told(run)["state"] == "SUCCEEDED"
    assert told(run)["error_message"] is None


def test_a_retry_policy_tries_again(shared: Service, compile_pipeline: Compile, tmp_path: Path) -> None:
    """Two failures are forgiven with two retries; each try is in the task's history."""
    run = shared.run(compile_pipeline(corpus.retried), {"folder": str(tmp_path), "times": 2})
    assert run.outputs == {"Output": 3}
    states = [entry["state"] for entry in run.tasks["fail-until"]["pipelineTaskStatus"]]
    assert states == ["PENDING", "RUNNING", "PENDING", "RUNNING", "PENDING", "RUNNING", "SUCCEEDED"]
    assert "RuntimeError: try 1" in run.tasks["fail-until"]["pipelineTaskStatus"][2]["error"]["message"]


def test_a_retry_policy_ends(shared: Service, compile_pipeline: Compile, tmp_path: Path) -> None:
    run = shared.run(compile_pipeline(corpus.retried), {"folder": str(tmp_path), "times": 3})
    assert run.state == "FAILED"
    assert "RuntimeError: try 3" in run.job["error"]["message"]


def test_a_failure_can_be_ignored_by_the_next_task(shared: Service, compile_pipeline: Compile) -> None:
    """`.ignore_upstream_failure()` runs the task; the job has failed all the same."""
    run = shared.run(compile_pipeline(corpus.ignores))
    assert run.state == "FAILED"
    assert run.output("join") == {"Output": "after-"}


def test_placeholders_are_real(shared: Service, compile_pipeline: Compile) -> None:
    """Names, ids, times and the root are those of the job, also in a default that the caller leaves out."""
    run = shared.run(compile_pipeline(corpus.placeholders), job_id="named-job")
    name, resource, uuid, task, task_id, root, created, scheduled, place, default = run.outputs["Output"]
    assert (name, resource, default) == ("named-job", run.job["name"], "named-job")
    assert (task, task_id) == ("says", run.tasks["says"]["taskId"])
    assert uuid.isdigit()
    assert root == ROOT
    assert created == scheduled == run.job["createTime"]
    assert place == "tuneline-local/us-central1"


def test_independent_tasks_run_at_once(shared: Service, compile_pipeline: Compile, tmp_path: Path) -> None:
    """Three tasks that wait for the same sign have all begun before it is given."""
    name = shared.submit(compile_pipeline(corpus.together), {"folder": str(tmp_path)})
    until(lambda: len(list(tmp_path.glob("*.began"))) == 3)
    assert shared.get(name).states()["linger"] == "RUNNING"
    for word in ("one", "two", "three"):
        (tmp_path / f"{word}.go").touch()
    assert shared.ended(name).state == "SUCCEEDED"


def test_cancel_stops_the_running_task_and_runs_the_exit_task(
    shared: Service, compile_pipeline: Compile, tmp_path: Path
) -> None:
    """The task is asked to end and cleans up, what has not begun never does, the exit task hears CANCELLED."""
    name = shared.submit(compile_pipeline(corpus.waits), {"folder": str(tmp_path)})
    until(lambda: (tmp_path / "second.began").exists())
    assert shared.cancel(name).status_code == 200
    run = shared.ended(name)
    assert run.state == "CANCELLED"
    assert (tmp_path / "second.stopped").exists()
    states = run.states()
    assert (states["join"], states["linger"], states["join-2"]) == ("SUCCEEDED", "CANCELLED", "CANCELLED")
    assert told(run)["state"] == "CANCELLED"
    answer = shared.cancel(name)
    assert answer.status_code == 400
    assert "has ended" in answer.text


def test_a_container_of_our_image_is_run_as_a_command(shared: Service, compile_pipeline: Compile) -> None:
    """A container component on this project's image runs as a process; its output file and artifact arrive."""
    spec = compile_pipeline(corpus.our_container)
    for executor in spec["deploymentSpec"]["executors"].values():
        if "alpine" in executor["container"]["image"]:
            executor["container"]["image"] = "europe-docker.pkg.dev/p/r/tuneline-python:1.0"
    run = shared.run(spec, {"text": "hello"})
    assert run.outputs == {"Output": "hello"}
    assert run.output("shell") == {"count": 5}


@pytest.mark.slow
def test_another_authors_requirements_get_an_environment_of_their_own(
    shared: Service, compile_pipeline: Compile
) -> None:
    """Packages that are not here are installed beside us, once; the second run finds them."""
    spec = compile_pipeline(corpus.foreigners)
    for _ in range(2):
        assert shared.run(spec).outputs == {"Output": "1.16.0"}
    assert len(list((shared.data / "environments").iterdir())) == 1
