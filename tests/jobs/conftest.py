"""A local Vertex AI of this room's own, and processes that submit to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tuneline.local import redirect
from tuneline.testing import LocalVertex

ROOT = Path(__file__).parents[2]


class Submitters:
    """Starts processes that submit, and reads what they say."""

    def __init__(self, vertex: LocalVertex, config: Path) -> None:
        self.vertex, self.config = vertex, config
        self.started: list[subprocess.Popen[str]] = []

    def start(
        self, seed: int, *, deadline_s: float = 2.0, window_s: float = 1.0, **options: Any
    ) -> subprocess.Popen[str]:
        """A new process; see `tests.jobs.submitter` for the options."""
        whole = {"config": str(self.config), "seed": seed, "deadline_s": deadline_s, "window_s": window_s, **options}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.jobs.submitter", json.dumps(whole)],
            cwd=ROOT,
            env=self.vertex.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """What a process says at its end; fails with its error where it ended badly."""
        said, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        return json.loads(said)


@pytest.fixture(scope="session")
def pipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration that never comes: the job that reads it runs until it is cancelled, and costs no work."""
    path = tmp_path_factory.mktemp("config") / "pipe"
    os.mkfifo(path)
    return path


@pytest.fixture(scope="module")
def vertex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalVertex]:
    """One service for the tests of a module."""
    service = LocalVertex(tmp_path_factory.mktemp("vertex") / "data").start()
    yield service
    service.stop()


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalVertex]:
    """A service for one test alone, and this process's own calls go there."""
    service = LocalVertex(tmp_path / "data").start()
    for name, value in redirect.environment(service.url, service.data).items():
        monkeypatch.setenv(name, value)
    yield service
    service.stop()


@pytest.fixture
def here(vertex: LocalVertex, monkeypatch: pytest.MonkeyPatch) -> LocalVertex:
    """This process's own calls go to that service."""
    for name in redirect.UNSET:
        monkeypatch.delenv(name, raising=False)
    for name, value in redirect.environment(vertex.url, vertex.data).items():
        monkeypatch.setenv(name, value)
    return vertex


@pytest.fixture
def submitters(here: LocalVertex, pipe: Path) -> Iterator[Submitters]:
    """Processes that submit; none outlives the test."""
    made = Submitters(here, pipe)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def live(here: LocalVertex) -> Callable[[str], list[str]]:
    """The names of a fingerprint's live jobs."""
    from tuneline import jobs

    def names(fingerprint: str) -> list[str]:
        found = jobs.engine("custom_training").find("tuneline-local", "us-central1", fingerprint)
        return [job.name for job in found if job.state.live]

    return names
