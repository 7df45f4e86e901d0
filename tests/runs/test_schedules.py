"""One request becomes one schedule, whatever happens to the call: the service takes neither id nor label for it."""

import dataclasses
import threading

import pytest

from tuneline.runs import schedules
from tuneline.runs.request import RunRequest, job_id
from tuneline.testing import local_vertex, vertex_environment

__all__ = ["local_vertex", "vertex_environment"]

NEVER = "0 0 29 2 1"
"""A leap day that is a Monday: no run is started while the tests run."""


@pytest.fixture
def wanted(vertex_environment, request) -> RunRequest:
    """A run of the test's own, with another job id each time, as every command makes one."""
    return RunRequest(
        template="tune-large-model",
        project="tuneline-local",
        region="us-central1",
        pipeline_root=f"gs://tuneline-local/{request.node.name}",
        parameters={"model_display_name": "weekly"},
        job_id=job_id("tune-large-model"),
        display_name=request.node.name,
        labels={"team": "ml"},
    )


def made(wanted: RunRequest) -> list[str]:
    found = schedules.list_schedules(wanted.project, wanted.region)
    return [each["name"] for each in found if each["displayName"] == wanted.display_name]


def test_the_same_request_is_the_same_schedule(wanted):
    """Whatever job id the request came with; another cron line is another schedule."""
    first = schedules.apply(wanted, cron=NEVER)
    again = schedules.apply(dataclasses.replace(wanted, job_id=job_id("tune-large-model")), cron=NEVER)
    assert (again.name, again.adopted) == (first.name, True)
    told = schedules.get(first.name)
    assert (told["cron"], told["maxConcurrentRunCount"], told["state"]) == (NEVER, "1", "ACTIVE")
    labels = told["createPipelineJobRequest"]["pipelineJob"]["labels"]
    assert labels["team"] == "ml"
    assert labels["tuneline_fingerprint"] == first.fingerprint
    other = schedules.apply(wanted, cron="0 0 29 2 2")
    assert sorted(made(wanted)) == sorted([first.name, other.name])


def test_an_answer_lost_after_the_effect_makes_no_second_schedule(wanted, vertex_environment):
    """It is found by the labels of the job that it makes."""
    vertex_environment.fault("CreateSchedule", drop="after")
    schedules.apply(wanted, cron=NEVER)
    assert len(made(wanted)) == 1


def test_racing_requests_end_with_one_schedule(wanted, vertex_environment):
    """Six at once send one call."""
    before = len(vertex_environment.calls("CreateSchedule"))
    names: list[str] = []
    threads = [
        threading.Thread(target=lambda: names.append(schedules.apply(wanted, cron=NEVER).name)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(names), len(set(names))] == [6, 1]
    assert len(vertex_environment.calls("CreateSchedule")) - before == 1
    assert made(wanted) == names[:1]


def test_a_paused_schedule_is_adopted_and_a_deleted_one_made_again(wanted, monkeypatch):
    """A pause is somebody's decision, which the same request again does not undo."""
    monkeypatch.setenv("TUNELINE_LOOKUP_WINDOW_S", "0.5")
    first = schedules.apply(wanted, cron=NEVER)
    schedules.pause(first.name)
    assert schedules.apply(wanted, cron=NEVER).name == first.name
    assert schedules.get(first.name)["state"] == "PAUSED"
    schedules.resume(first.name)
    assert schedules.get(first.name)["state"] == "ACTIVE"
    schedules.delete(first.name)
    assert schedules.apply(wanted, cron=NEVER).name != first.name
    assert len(made(wanted)) == 1
