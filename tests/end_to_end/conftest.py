"""Small runs of the whole pipeline: real data, real training, a few steps."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tuneline.testing import LocalVertex, fresh_vertex, local_vertex

__all__ = ["fresh_vertex", "local_vertex"]

COMPILED = Path("compiled/pipelines/tune_large_model.yaml").resolve()
NUMBERS = Path("examples/data/numbers").resolve()


@dataclass(frozen=True)
class Datasets:
    """Three small files of the next-number task."""

    train: Path
    evaluation: Path
    test: Path

    def parameters(self, **more: Any) -> dict[str, Any]:
        """A request for twenty steps on them."""
        return {
            "model_display_name": "small",
            "large_model_reference": "llama-3.2-1b-instruct",
            "dataset_uri": str(self.train),
            "evaluation_data_uri": str(self.evaluation),
            "test_data_uri": str(self.test),
            "train_steps": 20,
            "evaluation_interval": 10,
            **more,
        }


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Datasets:
    folder = tmp_path_factory.mktemp("data")
    for name, count in (("train", 60), ("evaluation", 12), ("test", 12)):
        lines = (NUMBERS / f"{name}.jsonl").read_text().splitlines(keepends=True)
        (folder / f"{name}.jsonl").write_text("".join(lines[:count]))
    return Datasets(folder / "train.jsonl", folder / "evaluation.jsonl", folder / "test.jsonl")


def tuneline(
    service: LocalVertex, *arguments: str, cwd: Path, timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, against the service of the test."""
    environment = service.environment() | {"TUNELINE_DATA": str(service.data)}
    command = [sys.executable, "-m", "tuneline", *arguments]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=timeout)


def assignments(parameters: dict[str, Any]) -> list[str]:
    """Parameters as `--set` words."""
    return [
        word
        for name, value in parameters.items()
        for word in ("--set", f"{name}={json.dumps(value) if isinstance(value, bool) else value}")
    ]


def start(service: LocalVertex, *arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """The same, in the background."""
    environment = service.environment() | {"TUNELINE_DATA": str(service.data)}
    command = [sys.executable, "-m", "tuneline", *arguments]
    return subprocess.Popen(
        command, env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_until(true: Callable[[], Any], *, timeout_s: float = 120.0, what: str = "it") -> Any:
    """The first true answer of a condition that another process brings about."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        answer = true()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {timeout_s:.0f} s")


def custom_jobs(service: LocalVertex, region: str = "us-central1") -> list[dict[str, Any]]:
    """Every custom job of the test's project."""
    path = f"/v1/projects/tuneline-local/locations/{region}/customJobs"
    return service.request("GET", path).get("customJobs", [])


def pipeline_jobs(service: LocalVertex) -> list[dict[str, Any]]:
    return service.request("GET", "/v1/projects/tuneline-local/locations/us-central1/pipelineJobs").get(
        "pipelineJobs", []
    )
