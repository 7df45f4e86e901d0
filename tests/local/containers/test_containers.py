"""Promise: another's image runs in a container that ends with its job, however the job or the service ends."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.local.containers.conftest import left
from tuneline.local import containers
from tuneline.local.pipelines import python_tasks
from tuneline.local.resources.errors import ApiError
from tuneline.testing import LocalVertex

WHERE = "projects/proj-containers/locations/us-central1"
ROOT = "gs://tuneline-local/containers"


def until(true: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (value := true()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
    return value


def spec(*executors: dict, outputs: dict | None = None) -> dict:
    """Container components one after the other, each with the artifact of the one before as its input `before`."""
    components: dict[str, Any] = {}
    tasks: dict[str, Any] = {}
    for number, _ in enumerate(executors):
        key = f"step-{number}"
        blob = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
        components[f"comp-{key}"] = {
            "executorLabel": f"exec-{key}",
            "outputDefinitions": {"artifacts": {"blob": blob}, "parameters": outputs or {}},
        }
        tasks[key] = {"componentRef": {"name": f"comp-{key}"}, "taskInfo": {"name": key}}
        if number:
            source = {"producerTask": f"step-{number - 1}", "outputArtifactKey": "blob"}
            components[f"comp-{key}"]["inputDefinitions"] = {"artifacts": {"before": blob}}
            tasks[key]["inputs"] = {"artifacts": {"before": {"taskOutputArtifact": source}}}
            tasks[key]["dependentTasks"] = [f"step-{number - 1}"]
    return {
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "pipelineInfo": {"name": "containers"},
        "root": {"dag": {"tasks": tasks}},
        "components": components,
        "deploymentSpec": {"executors": {f"exec-step-{n}": {"container": each} for n, each in enumerate(executors)}},
    }


def shell(image: str, script: str, *words: str, **more: Any) -> dict:
    return {"image": image, "command": ["sh", "-ec", script, "sh"], "args": list(words), **more}


def submit(vertex: LocalVertex, pipeline: dict) -> str:
    body = {"displayName": "c", "pipelineSpec": pipeline, "runtimeConfig": {"gcsOutputDirectory": ROOT}}
    return str(vertex.request("POST", f"/v1/{WHERE}/pipelineJobs", body)["name"])


def custom(vertex: LocalVertex, container: dict) -> str:
    body = {"displayName": "c", "jobSpec": {"workerPoolSpecs": [{"containerSpec": container, "replicaCount": "1"}]}}
    return str(vertex.request("POST", f"/v1/{WHERE}/customJobs", body)["name"])


def ended(vertex: LocalVertex, name: str) -> dict:
    """The job once it has ended."""

    def look() -> dict | None:
        job = vertex.request("GET", f"/v1/{name}")
        return job if job["state"].rpartition("_")[2] in ("SUCCEEDED", "FAILED", "CANCELLED") else None

    return dict(until(look, 90))


def read(vertex: LocalVertex, name: str) -> str:
    import urllib.parse
    import urllib.request

    place = f"{vertex.url}/storage/v1/b/tuneline-local/o/{urllib.parse.quote(name, safe='')}?alt=media"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(place) as answer:
        return str(answer.read().decode())


@pytest.mark.slow
def test_artifacts_parameters_and_placeholders_pass_through_containers(fresh_vertex, image, engine):
    """Inputs and outputs lie below /gcs/ as on Vertex AI; the log, and nothing of this machine's environment."""
    blob = "{{$.outputs.artifacts['blob'].path}}"
    first = shell(image, 'echo made > "$1"; echo 41 > "$2"; env', blob, "{{$.outputs.parameters['count'].output_file}}")
    first["env"] = [{"name": "WORD", "value": "héllo"}, {"name": "HOME", "value": "/own"}]
    second = shell(
        image,
        'cat "$1" > "$2"; echo more >> "$2"; echo 42 > "$3"; case $1 in /gcs/tuneline-local/*) ;; *) exit 9;; esac',
        "{{$.inputs.artifacts['before'].path}}",
        blob,
        "{{$.outputs.parameters['count'].output_file}}",
    )
    counted = {"count": {"parameterType": "NUMBER_INTEGER"}}
    name = submit(fresh_vertex, spec(first, second, outputs=counted))
    job = ended(fresh_vertex, name)
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED", job
    tasks = {task["taskName"]: task for task in job["jobDetail"]["taskDetails"]}
    assert tasks["step-1"]["execution"]["metadata"]["output:count"] == 42
    uri = tasks["step-1"]["outputs"]["blob"]["artifacts"][0]["uri"]
    assert read(fresh_vertex, uri.removeprefix("gs://tuneline-local/")) == "made\nmore\n"
    log = next((fresh_vertex.data / "pipelines").rglob("step-0_*/*/log.txt")).read_text()
    seen = dict(line.split("=", 1) for line in log.splitlines() if "=" in line)
    assert seen["WORD"] == "héllo"
    assert seen["PATH"] == "/bin"
    assert seen["STORAGE_EMULATOR_HOST"] == seen["https_proxy"] == fresh_vertex.url
    assert seen["SSL_CERT_FILE"] == "/tuneline/ca.pem"
    assert seen["HOME"] == "/own"
    assert not {"USER", "LOGNAME", "TUNELINE_DATA", "TUNELINE_PROCESS", "DOCKER_HOST"} & seen.keys()
    assert left(engine, fresh_vertex.data) == []


@pytest.mark.slow
def test_the_exit_code_and_the_log_tell_why_it_failed(fresh_vertex, image, engine):
    """Of a pipeline's task and of a custom job; a custom job's exit code 75 is no wish to be started again."""
    failing = {"imageUri": image, "command": ["sh", "-c", "echo no data >&2; exit 75"]}
    pipeline, job = submit(fresh_vertex, spec(shell(image, "echo bad input; exit 3"))), custom(fresh_vertex, failing)
    error = ended(fresh_vertex, pipeline)["error"]["message"]
    assert "bad input" in error
    assert "exit code 3" in error
    found = ended(fresh_vertex, job)
    assert found["state"] == "JOB_STATE_FAILED"
    assert found["error"]["message"].startswith("no data\nThe replica workerpool0-0 ended with exit code 75")
    absent = ended(fresh_vertex, custom(fresh_vertex, {"imageUri": "localhost/tuneline-test-none:1"}))
    assert "tuneline-test-none" in absent["error"]["message"]
    assert left(engine, fresh_vertex.data) == []


@pytest.mark.slow
def test_a_custom_job_reads_and_writes_the_mount(fresh_vertex, image):
    """The objects that its command line names are there, what it writes is stored, what it only read is not."""
    fresh_vertex.request("POST", "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=in/one.txt", b"one\n")
    script = "cat /gcs/tuneline-local/in/one.txt > /gcs/tuneline-local/out.txt; echo $CLOUD_ML_PROJECT_ID; ls /gcs"
    name = custom(fresh_vertex, {"imageUri": image, "command": ["sh", "-ec"], "args": [script]})
    assert ended(fresh_vertex, name)["state"] == "JOB_STATE_SUCCEEDED"
    assert read(fresh_vertex, "out.txt") == "one\n"
    assert [call["resource"] for call in fresh_vertex.calls("storage.objects.insert")] == [
        "gs://tuneline-local/in/one.txt",
        "gs://tuneline-local/out.txt",
    ]
    log = (fresh_vertex.data / "jobs" / name.rpartition("/")[2] / "log.txt").read_text()
    assert log.split() == ["proj-containers", "tuneline-local"]
    says = [each["says"] for each in fresh_vertex.request("GET", "/_tuneline/status")["stand_ins"]]
    assert any("a container on this machine" in text for text in says)


@pytest.mark.slow
def test_a_cancel_ends_the_container(fresh_vertex, image, engine):
    """With SIGTERM first, so that it may clean up."""
    script = "trap 'echo cleaned up; exit 0' TERM; echo begun; sleep 300 & wait"
    name = custom(fresh_vertex, {"imageUri": image, "command": ["sh", "-c", script]})
    log = fresh_vertex.data / "jobs" / name.rpartition("/")[2] / "log.txt"
    until(lambda: log.exists() and "begun" in log.read_text())
    assert len(left(engine, fresh_vertex.data)) == 1
    fresh_vertex.request("POST", f"/v1/{name}:cancel", {})
    assert ended(fresh_vertex, name)["state"] == "JOB_STATE_CANCELLED"
    until(lambda: not left(engine, fresh_vertex.data))
    assert "cleaned up" in log.read_text()


@pytest.mark.slow
def test_no_container_outlives_a_killed_service_and_its_task_is_run_again(fresh_vertex, image, engine):
    """kill -9: the container is gone without a restart; what no process was left to remove, the restart sweeps."""
    ready = "/gcs/tuneline-local/ready"
    blob = "{{$.outputs.artifacts['blob'].path}}"
    script = f'echo begun; if ls {ready}; then echo again > "$1"; else sleep 300; fi'
    name = submit(fresh_vertex, spec(shell(image, script, blob)))
    until(lambda: any("begun" in each.read_text() for each in (fresh_vertex.data / "pipelines").rglob("log.txt")))
    assert len(left(engine, fresh_vertex.data)) == 1
    fresh_vertex.kill()
    until(lambda: not left(engine, fresh_vertex.data), 20)
    label = containers.engine.label_of(fresh_vertex.data)
    assert engine.call("create", "--label", label, image, "sleep", "300").returncode == 0
    fresh_vertex.start()
    fresh_vertex.request("POST", "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=ready", b"")
    # The task that the restart began anew may have looked too early: then it sleeps, and is killed with the service.
    fresh_vertex.kill()
    fresh_vertex.start()
    job = ended(fresh_vertex, name)
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED", job["error"]
    assert left(engine, fresh_vertex.data) == []


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalVertex:
    """A service on whose PATH there is no engine."""
    monkeypatch.setenv("PATH", str(tmp_path))
    service = LocalVertex(tmp_path / "data").start()
    yield service
    service.stop()


def test_without_an_engine_it_is_refused_by_name_saying_what_is_missing(no_engine):
    """A container component, a Python component on an image of its own, and a custom job: before they exist."""
    component = shell("r/own:1", "true")
    missing = "there is no container engine on this machine: install one of docker, podman"
    for call, named in (
        (lambda: submit(no_engine, spec(component)), "comp-step-0: a container component (r/own:1)"),
        (lambda: custom(no_engine, {"imageUri": "r/own:1"}), "The image 'r/own:1' needs a container engine"),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            call()
        message = json.loads(refused.value.read())["error"]["message"]
        assert named in message
        assert missing in message
    assert no_engine.request("GET", f"/v1/{WHERE}/pipelineJobs") == {}
    assert no_engine.request("GET", f"/v1/{WHERE}/customJobs") == {}


def test_an_engine_of_another_machine_is_refused(tmp_path, monkeypatch):
    """Its containers would not find the service on their loopback."""
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(containers.engine, "_known", None)
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    with pytest.raises(ApiError, match="is another machine"):
        containers.find()
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    assert containers.find().program == str(program)


def test_several_machines_are_refused(local_vertex):
    """One machine is all there is, engine or not."""
    pool = {"containerSpec": {"imageUri": "r/own:1"}, "replicaCount": "2"}
    body = {"displayName": "c", "jobSpec": {"workerPoolSpecs": [pool]}}
    with pytest.raises(urllib.error.HTTPError) as refused:
        local_vertex.request("POST", f"/v1/{WHERE}/customJobs", body)
    error = json.loads(refused.value.read())["error"]
    assert (error["status"], "several machines" in error["message"]) == ("UNIMPLEMENTED", True)


def test_pip_alone_has_the_users_settings():
    """The prologue of a component sees the container's environment, the component itself what leads to the service."""
    prologue = 'echo "-m pip install: $WHO"; "$0" "$@"'
    command = ["sh", "-c", prologue, "sh", "-ec", 'echo "component: $WHO $1"', "sh"]
    line = python_tasks.installing_apart(command, {"WHO": "service"})
    said = subprocess.run([*line, "word"], env={"WHO": "user", "PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert said.stdout.splitlines() == ["-m pip install: user", "component: service word"]


def test_what_a_command_line_names_in_the_mount_is_found():
    """Within words and scripts; what only looks like it is not."""
    from tuneline.local.containers.task import named

    words = ["--data=/gcs/bucket/a/b.txt", "cat '/gcs/b-2/x'; ls /gcs/b3/", "/mnt/gcs/no/x", "/gcs/"]
    assert named(words) == ["gs://bucket/a/b.txt", "gs://b-2/x", "gs://b3/"]
