"""Promise: a schedule makes one job for each of its times, by the service's clock, and stops as it was told."""

from __future__ import annotations

import json
import time
import urllib.error

import pytest

from tuneline.testing import LocalVertex

WHERE = "projects/proj-schedules/locations/us-central1"


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """The smallest pipeline there is, compiled."""
    import yaml
    from kfp import compiler, dsl

    @dsl.component(base_image="python:3.11", install_kfp_package=False)
    def nothing():
        pass

    @dsl.pipeline(name="nothing")
    def pipeline():
        nothing()

    path = tmp_path_factory.mktemp("spec") / "nothing.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    return yaml.safe_load(path.read_text())


def create(vertex: LocalVertex, spec: dict, **fields) -> str:
    """A schedule on the hour."""
    job = {"displayName": "j", "pipelineSpec": spec, "runtimeConfig": {"gcsOutputDirectory": "gs://tuneline-local/s"}}
    body = {
        "displayName": "s",
        "cron": "0 * * * *",
        "maxConcurrentRunCount": 50,
        "createPipelineJobRequest": {"parent": WHERE, "pipelineJob": job},
        **fields,
    }
    made = vertex.request("POST", f"/v1/{WHERE}/schedules", body)
    assert made["state"] == "ACTIVE"
    assert made["nextRunTime"] > made["createTime"]
    return made["name"]


def runs(vertex: LocalVertex, name: str) -> list[str]:
    """The jobs that a schedule has made, oldest first."""
    listed = vertex.request("GET", f"/v1/{WHERE}/pipelineJobs?orderBy=createTime").get("pipelineJobs", [])
    return [job["name"] for job in listed if job.get("scheduleName") == name]


def wait(vertex: LocalVertex, name: str, count: int) -> dict:
    """The schedule once it has started so many runs."""
    deadline = time.monotonic() + 30
    while True:
        found = vertex.request("GET", f"/v1/{name}")
        if int(found.get("startedRunCount", 0)) >= count:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_each_hour_has_one_run_until_there_were_enough(fresh_vertex, spec):
    """The clock is moved over three hours; maxRunCount completes the schedule after two."""
    name = create(fresh_vertex, spec, maxRunCount="2")
    fresh_vertex.forward(3 * 3600)
    done = wait(fresh_vertex, name, 2)
    assert done["state"] == "COMPLETED"
    assert "nextRunTime" not in done
    assert done["lastScheduledRunResponse"]["runResponse"] == "OK"
    assert len(runs(fresh_vertex, name)) == 2


def test_a_pause_makes_no_run_and_catching_up_is_asked_for(fresh_vertex, spec):
    """Without `catchUp` the pause is passed over; with it, each time is made up for."""
    name = create(fresh_vertex, spec)
    fresh_vertex.request("POST", f"/v1/{name}:pause", {})
    fresh_vertex.forward(2 * 3600)
    fresh_vertex.request("POST", f"/v1/{name}:resume", {})
    assert runs(fresh_vertex, name) == []
    fresh_vertex.request("POST", f"/v1/{name}:pause", {})
    fresh_vertex.forward(2 * 3600)
    fresh_vertex.request("POST", f"/v1/{name}:resume", {"catchUp": True})
    wait(fresh_vertex, name, 2)
    assert len(runs(fresh_vertex, name)) == 2
    with pytest.raises(urllib.error.HTTPError, match="400"):
        fresh_vertex.request("POST", f"/v1/{name}:resume", {})


def test_a_killed_service_makes_no_run_twice(fresh_vertex, spec):
    """The id of a run's job is made of its time."""
    name = create(fresh_vertex, spec)
    fresh_vertex.forward(3600)
    wait(fresh_vertex, name, 1)
    fresh_vertex.kill()
    fresh_vertex.start()
    fresh_vertex.forward(3600)
    wait(fresh_vertex, name, 2)
    assert len(set(runs(fresh_vertex, name))) == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cron": "0 25 * * *"}, "hour"),
        ({"cron": "TZ=Nowhere 0 1 * * *"}, "time zone"),
        ({"maxConcurrentRunCount": 0}, "maxConcurrentRunCount"),
    ],
)
def test_what_is_no_schedule_is_refused(local_vertex, spec, change, says):
    """By the field."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        create(local_vertex, spec, **change)
    assert says in json.loads(refused.value.read())["error"]["message"]
