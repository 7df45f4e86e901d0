"""Steps as their components call them: artifacts by URI, a run's folder on disk, a plan that planning has made."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tuneline import planning
from tuneline._version import __version__
from tuneline.planning import Plan
from tuneline.steps import validate_dataset

MINOR = ".".join(__version__.split(".")[:2])


@dataclass
class Artifact:
    """As kfp hands it to a step, and nothing more than a step may use."""

    uri: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Run:
    """One run's place, and what its steps have left there."""

    root: Path

    @property
    def common(self) -> dict[str, str]:
        """What every step takes."""
        return {"pipeline_root": str(self.root), "pipeline_job_name": "job-1", "compiled_for": MINOR}

    def artifact(self, name: str) -> Artifact:
        return Artifact(uri=str(self.root / "artifacts" / name))

    def record(self, step: str) -> dict[str, Any]:
        return json.loads((self.root / "job-1" / "run" / f"{step}.json").read_text())


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(root=tmp_path / "root")


@pytest.fixture
def local(monkeypatch):
    """The settings of a step on the local service; none is running, and none is needed."""
    monkeypatch.setenv("TUNELINE_LOCAL_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TUNELINE_REGION", "us-central1")


def write_dataset(path: Path, count: int, *, start: int = 0) -> str:
    """A generation set of numbers and their successors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ({"input_text": f"after {i}", "output_text": str(i + 1)} for i in range(start, start + count))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def make_plan(folder: Path, *, evaluation: int = 12, test: int = 0, **changes: Any) -> Plan:
    """A plan over fresh datasets in `folder`, staged beside them."""
    parameters: dict[str, Any] = {
        "project": "tuneline-local",
        "model_display_name": "numbers",
        "large_model_reference": "gemma-3-1b-it",
        "dataset_uri": write_dataset(folder / "train.jsonl", 40),
    }
    if evaluation:
        parameters["evaluation_data_uri"] = write_dataset(folder / "evaluation.jsonl", evaluation, start=100)
    if test:
        parameters["test_data_uri"] = write_dataset(folder / "test.jsonl", test, start=200)
    made = planning.plan(parameters | changes, validate_dataset.facts(parameters | changes), region="us-central1")
    return dataclasses.replace(made, staging_uri=str(folder / "staging"))
