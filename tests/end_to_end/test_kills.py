"""A saboteur who kills any process of a run, at any moment, loses nothing and pays for nothing twice."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import (
    COMPILED,
    Datasets,
    assignments,
    custom_jobs,
    pipeline_jobs,
    start,
    tuneline,
    wait_until,
)
from tests.end_to_end.test_three_ways import KFP_SCRIPT
from tuneline.testing import LocalVertex

LONG = {"train_steps": 120, "evaluation_interval": 10, "enable_early_stopping": False}
"""Long enough to be killed in the middle, with a checkpoint every few seconds."""


def processes(word: str) -> dict[int, str]:
    """Living processes (zombies apart) whose command line holds the word."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if word in command and state != "Z":
            found[int(entry.name)] = command
    return found


def trainers(service: LocalVertex) -> set[int]:
    """The trainers of this service alone: other tests may have theirs at the same time."""
    ours = f"TUNELINE_LOCAL_URL={service.url}"
    return {pid for pid in processes("-m tuneline.trainer --config") if ours in environment(pid)}


def environment(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "environ").read_bytes().replace(b"\0", b"\n").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def checkpoints(service: LocalVertex) -> list[str]:
    """The complete checkpoints that the service's object store holds."""
    path = "/storage/v1/b/tuneline-local/o?prefix=tuneline/outputs/"
    items = service.request("GET", path).get("items", [])
    return sorted(item["name"] for item in items if item["name"].endswith("/checkpoint.json"))


def task_is_running(service: LocalVertex, task: str) -> bool:
    jobs = pipeline_jobs(service)
    details = jobs[0].get("jobDetail", {}).get("taskDetails", []) if jobs else []
    return any(detail["taskName"] == task and detail.get("state") == "RUNNING" for detail in details)


def test_a_killed_pipeline_driver_is_taken_up_again_with_the_same_job(
    fresh_vertex: LocalVertex, datasets: Datasets, tmp_path: Path
):
    run = start(fresh_vertex, "run", "tune-large-model", "--local", *assignments(datasets.parameters()), cwd=tmp_path)
    wait_until(lambda: task_is_running(fresh_vertex, "wait-for-tuning-job"), what="waiting")
    folder = next((fresh_vertex.data / "pipelines").iterdir())
    for pid in processes(f"tuneline.local.pipelines.driver {folder}"):
        os.kill(pid, signal.SIGKILL)
    _, talk = run.communicate(timeout=240)
    assert run.returncode == 0, talk
    assert len(custom_jobs(fresh_vertex)) == 1


def test_a_killed_local_pipeline_run_again_adopts_the_job(
    fresh_vertex: LocalVertex, datasets: Datasets, tmp_path: Path
):
    """The pipeline's own process, under kfp.local, is killed while it waits; the same run again uses the same job."""
    script = tmp_path / "local.py"
    script.write_text(textwrap.dedent(KFP_SCRIPT))
    parameters = json.dumps(datasets.parameters(project="tuneline-local"))
    command = ("local", "run", "--", sys.executable, str(script), str(COMPILED), parameters, str(tmp_path / "root"))
    first = start(fresh_vertex, *command, cwd=tmp_path)
    waiting = wait_until(lambda: list(tmp_path.glob("root/*/run/wait_for_tuning_job.json")), what="waiting")
    for pid in processes(str(script)):
        os.kill(pid, signal.SIGKILL)
    first.communicate(timeout=60)
    again = tuneline(fresh_vertex, *command, cwd=tmp_path)
    assert again.returncode == 0, again.stdout[-4000:]
    reports = list(tmp_path.glob("root/*/run/report.json"))
    assert len(reports) == 1
    assert reports[0].parent != waiting[0].parent
    assert json.loads(reports[0].read_text())["submission"]["adopted"] is True
    assert len(custom_jobs(fresh_vertex)) == 1
    assert len(fresh_vertex.calls("CreateCustomJob")) == 1


def test_a_killed_service_loses_nothing_and_leaves_no_orphan(
    fresh_vertex: LocalVertex, datasets: Datasets, tmp_path: Path
):
    words = assignments(datasets.parameters(**LONG))
    run = start(fresh_vertex, "run", "tune-large-model", "--local", *words, cwd=tmp_path)
    wait_until(lambda: len(checkpoints(fresh_vertex)) >= 2, what="a second checkpoint")
    training = wait_until(lambda: trainers(fresh_vertex), what="training")
    made = checkpoints(fresh_vertex)
    fresh_vertex.kill()
    wait_until(lambda: not training & set(processes("tuneline.trainer")), timeout_s=20, what="the trainer's end")
    # The command that watches brings the service back by itself; nobody else does here.
    _, talk = run.communicate(timeout=240)
    assert run.returncode == 0, talk
    assert "started again" in talk
    record = json.loads((fresh_vertex.data / "service.json").read_text())
    fresh_vertex.port = record["port"]
    try:
        assert len(custom_jobs(fresh_vertex)) == 1
        assert set(made) <= set(checkpoints(fresh_vertex))
        log = next((fresh_vertex.data / "jobs").iterdir()) / "log.txt"
        assert "resum" in log.read_text().lower()
    finally:
        os.kill(record["pid"], signal.SIGTERM)


@pytest.mark.slow
def test_never_do_two_trainers_write_one_output(fresh_vertex: LocalVertex, datasets: Datasets, tmp_path: Path):
    """Killed and started over and over while it trains, the service has at most one trainer, and ends the job."""
    words = assignments(datasets.parameters(**LONG, seed=5))
    submitted = tuneline(fresh_vertex, "submit", "tune-large-model", "--local", *words, cwd=tmp_path)
    assert submitted.returncode == 0, submitted.stderr
    for _ in range(3):
        before = len(checkpoints(fresh_vertex))
        wait_until(lambda before=before: len(checkpoints(fresh_vertex)) > before, what="one more checkpoint")
        fresh_vertex.kill()
        fresh_vertex.start()
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert len(trainers(fresh_vertex)) <= 1
    done = wait_until(
        lambda: pipeline_jobs(fresh_vertex)[0]["state"] not in ("PIPELINE_STATE_PENDING", "PIPELINE_STATE_RUNNING"),
        timeout_s=200,
    )
    assert done
    assert pipeline_jobs(fresh_vertex)[0]["state"] == "PIPELINE_STATE_SUCCEEDED"
    assert len(custom_jobs(fresh_vertex)) == 1


pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")
