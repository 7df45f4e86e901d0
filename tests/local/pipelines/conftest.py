"""A real local service in a process of its own, and pipelines sent to it over REST."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from kfp import compiler
from kfp.dsl import base_component

PARENT = "projects/tuneline-local/locations/us-central1"
ROOT = "gs://tuneline-local/root"
ENDED = ("PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED")


def until(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """The condition's value once it is true; what is watched here has no event of its own."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)
    return value


def compiled(pipeline: base_component.BaseComponent, folder: Path, *, caching: bool = False) -> dict[str, Any]:
    """The pipeline as the compiler writes it; without caching, since tests share a service and run the same things."""
    path = folder / f"{uuid.uuid4().hex}.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    for component in [loaded["root"], *loaded["components"].values()]:
        for task in component.get("dag", {}).get("tasks", {}).values():
            if not caching:
                task["cachingOptions"] = {}
    return loaded


@dataclass
class Run:
    """A pipeline job as the service shows it at the end."""

    job: dict[str, Any]
    tasks: dict[str, dict[str, Any]] = field(init=False)
    """By name; the last one of a name."""

    def __post_init__(self) -> None:
        self.tasks = {task["taskName"]: task for task in self.job.get("jobDetail", {}).get("taskDetails", ())}

    @property
    def state(self) -> str:
        return self.job["state"].removeprefix("PIPELINE_STATE_")

    @property
    def outputs(self) -> dict[str, Any]:
        """The pipeline's own outputs."""
        return self.output(self.job["pipelineSpec"]["pipelineInfo"]["name"])

    def output(self, task: str) -> dict[str, Any]:
        metadata = self.tasks[task]["execution"]["metadata"]
        return {key[7:]: value for key, value in metadata.items() if key.startswith("output:")}

    def states(self) -> dict[str, str]:
        return {name: task["state"] for name, task in self.tasks.items()}


class Service:
    """The local service over one folder; it can be killed and started again."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.data.parent / f"{self.data.name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tuneline.local", "--data", str(self.data), "--port", "0"], stderr=log
        )
        log.close()

        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, (self.data.parent / f"{self.data.name}.log").read_text()
            try:
                record = json.loads((self.data / "service.json").read_text())
            except FileNotFoundError:
                return False
            self.url = record["url"]
            return record["pid"] == self.process.pid

        until(ready)

    def kill(self, number: int = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait()

    def create(
        self,
        spec: dict[str, Any] | None,
        parameters: dict[str, Any] | None = None,
        *,
        job_id: str = "",
        **rest: Any,
    ) -> requests.Response:
        runtime = {"gcsOutputDirectory": ROOT, "parameterValues": parameters or {}, **rest.pop("runtime", {})}
        body = {"displayName": "test", "runtimeConfig": runtime, **rest}
        if spec is not None:
            body["pipelineSpec"] = spec
        job_id = job_id or f"job-{uuid.uuid4().hex[:8]}"
        return requests.post(f"{self.url}/v1/{PARENT}/pipelineJobs?pipelineJobId={job_id}", json=body, timeout=60)

    def submit(self, spec: dict[str, Any], parameters: dict[str, Any] | None = None, **rest: Any) -> str:
        """The name of a new job."""
        answer = self.create(spec, parameters, **rest)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["name"])

    def get(self, name: str) -> Run:
        answer = requests.get(f"{self.url}/v1/{name}", timeout=60)
        assert answer.status_code == 200, answer.text
        return Run(answer.json())

    def cancel(self, name: str) -> requests.Response:
        return requests.post(f"{self.url}/v1/{name}:cancel", json={}, timeout=60)

    def ended(self, name: str) -> Run:
        def look() -> Run | None:
            run = self.get(name)
            return run if run.job["state"] in ENDED else None

        found: Run = until(look, timeout_s=120)
        return found

    def run(self, spec: dict[str, Any], parameters: dict[str, Any] | None = None, **rest: Any) -> Run:
        """A job from its creation to its end."""
        return self.ended(self.submit(spec, parameters, **rest))

    def folder(self, name: str) -> Path:
        return self.data / "pipelines" / "tuneline-local" / "us-central1" / name.rpartition("/")[2]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that all tests of this process share."""
    made = Service(tmp_path_factory.mktemp("service") / "data")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own, which may kill it."""
    made = Service(tmp_path / "data")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def compile_pipeline(tmp_path: Path) -> Callable[[base_component.BaseComponent], dict[str, Any]]:
    return lambda pipeline: compiled(pipeline, tmp_path)
