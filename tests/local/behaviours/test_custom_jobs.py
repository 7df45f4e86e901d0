"""Promise: a custom job is a real process of the trainer, one at a time in its folder, that survives the service."""

from __future__ import annotations

import json
import time
import urllib.error
from itertools import pairwise

import pytest

from tuneline.local.processes import is_running
from tuneline.testing import LocalVertex

WHERE = "projects/proj-jobs/locations/us-central1"
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
ENDED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")


def put(vertex: LocalVertex, name: str, data: bytes) -> str:
    """An object of the local store, by its address."""
    vertex.request("POST", f"/upload/storage/v1/b/tuneline-local/o?uploadType=media&name={name}", data)
    return f"gs://tuneline-local/{name}"


def job(vertex: LocalVertex, steps: int, *, output: str = "out", **spec) -> dict:
    """A custom job that trains the built-in base for some steps."""
    rows = [{"input_text": f"after {a}", "output_text": b} for a, b in pairwise(WORDS)] * 2
    data = put(vertex, "train.jsonl", "\n".join(json.dumps(row) for row in rows).encode())
    config = {
        "version": 1,
        "base_model": "builtin:tiny",
        "train_data": data,
        "evaluation_data": "",
        "prediction_data": "",
        "format": "palm-text",
        "train_steps": steps,
        "batch_size": 2,
        "evaluation_interval": 5,
    }
    uri = put(vertex, f"{output}.json", json.dumps(config).encode())
    container = {
        "imageUri": "europe-docker.pkg.dev/p/r/tuneline-trainer-gpu:0.1",
        "command": ["python", "-m", "tuneline.trainer"],
        "args": ["--config", uri, "--output", f"gs://tuneline-local/{output}"],
    }
    pool = {"machineSpec": {"machineType": "a2-ultragpu-8g"}, "replicaCount": "1", "containerSpec": container}
    return {"displayName": output, "jobSpec": {"workerPoolSpecs": [pool], **spec}}


def create(vertex: LocalVertex, body: dict) -> str:
    """The new job's name; it has not begun."""
    made = vertex.request("POST", f"/v1/{WHERE}/customJobs", body)
    assert made["state"] == "JOB_STATE_PENDING"
    return made["name"]


def wait(vertex: LocalVertex, name: str, states=ENDED, timeout_s: float = 90) -> dict:
    """The job once it is in one of these states."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = vertex.request("GET", f"/v1/{name}")
        if found["state"] in states:
            return found
        assert found["state"] not in ENDED, found
        time.sleep(0.1)  # the service has no event to wait for, as the real one has none
    raise AssertionError(f"{name} is still {found['state']}")


def exists(vertex: LocalVertex, name: str) -> bool:
    """Whether the store holds an object."""
    listed = vertex.request("GET", f"/storage/v1/b/tuneline-local/o?prefix={name}")
    return any(item["name"] == name for item in listed.get("items", ()))


def test_it_trains_really(fresh_vertex):
    """From PENDING to SUCCEEDED, with times, and with the trainer's result in the object store."""
    name = create(fresh_vertex, job(fresh_vertex, 5))
    done = wait(fresh_vertex, name)
    assert done["state"] == "JOB_STATE_SUCCEEDED", done
    assert done["createTime"] <= done["startTime"] < done["endTime"]
    assert exists(fresh_vertex, "out/result.json")
    says = [each["says"] for each in fresh_vertex.request("GET", "/_tuneline/status")["stand_ins"]]
    assert any("stands in for a2-ultragpu-8g" in text for text in says)


def test_what_the_trainer_says_last_is_the_error(fresh_vertex):
    """FAILED with its sentence first, and the end of the log after it."""
    body = job(fresh_vertex, 5)
    args = body["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"]
    args[1] = "gs://tuneline-local/missing.json"
    done = wait(fresh_vertex, create(fresh_vertex, body))
    assert done["state"] == "JOB_STATE_FAILED"
    assert "missing.json" in done["error"]["message"].splitlines()[0]


def test_killed_with_the_service_it_goes_on_from_its_checkpoint(fresh_vertex):
    """kill -9 in mid-training: nothing trains beside the successor, which does not begin anew."""
    name = create(fresh_vertex, job(fresh_vertex, 120))
    wait(fresh_vertex, name, ("JOB_STATE_RUNNING",))
    deadline = time.monotonic() + 60
    while not exists(fresh_vertex, "out/checkpoints/step-000010/checkpoint.json"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    folder = fresh_vertex.data / "jobs" / name.rpartition("/")[2]
    fresh_vertex.kill()
    deadline = time.monotonic() + 10
    while is_running(folder):
        assert time.monotonic() < deadline, "the trainer outlived its service"
        time.sleep(0.02)
    before = len((folder / "log.txt").read_text().splitlines())
    fresh_vertex.start()
    done = wait(fresh_vertex, name)
    assert done["state"] == "JOB_STATE_SUCCEEDED", done
    steps = [line for line in (folder / "log.txt").read_text().splitlines()[before:] if line.startswith("step ")]
    assert int(steps[0].split()[1].split("/")[0]) > 5


def test_a_cancelled_job_ends_and_its_process_with_it(fresh_vertex):
    """Running or not yet; a job that has ended refuses."""
    name = create(fresh_vertex, job(fresh_vertex, 5000))
    wait(fresh_vertex, name, ("JOB_STATE_RUNNING",))
    fresh_vertex.request("POST", f"/v1/{name}:cancel", {})
    done = wait(fresh_vertex, name)
    assert done["state"] == "JOB_STATE_CANCELLED"
    assert not is_running(fresh_vertex.data / "jobs" / name.rpartition("/")[2])
    with pytest.raises(urllib.error.HTTPError) as refused:
        fresh_vertex.request("POST", f"/v1/{name}:cancel", {})
    assert json.loads(refused.value.read())["error"]["status"] == "FAILED_PRECONDITION"
    fresh_vertex.request("DELETE", f"/v1/{name}")
    with pytest.raises(urllib.error.HTTPError):
        fresh_vertex.request("GET", f"/v1/{name}")


def test_a_job_has_the_time_it_was_given(fresh_vertex):
    """scheduling.timeout ends it."""
    name = create(fresh_vertex, job(fresh_vertex, 5000, scheduling={"timeout": "1s"}))
    done = wait(fresh_vertex, name)
    assert done["state"] == "JOB_STATE_FAILED"
    assert "scheduling.timeout" in done["error"]["message"]


@pytest.mark.parametrize(
    ("container", "status", "says"),
    [
        ({"command": ["python"]}, "INVALID_ARGUMENT", "imageUri"),
        ({"imageUri": "r/tuneline-trainer", "command": ["sh", "-c", "x"]}, "INVALID_ARGUMENT", "tuneline.trainer"),
        ({"imageUri": "r/tuneline-trainer", "command": ["python", "-m", "http.server"]}, "INVALID_ARGUMENT", "trainer"),
    ],
)
def test_no_other_program_is_run(local_vertex, container, status, says):
    """In our image the trainer alone; in which image another one is to run must be said."""
    body = {"displayName": "x", "jobSpec": {"workerPoolSpecs": [{"containerSpec": container}]}}
    before = local_vertex.request("GET", f"/v1/{WHERE}/customJobs")
    with pytest.raises(urllib.error.HTTPError) as refused:
        local_vertex.request("POST", f"/v1/{WHERE}/customJobs", body)
    error = json.loads(refused.value.read())["error"]
    assert error["status"] == status
    assert says in error["message"]
    assert local_vertex.request("GET", f"/v1/{WHERE}/customJobs") == before
