"""Many jobs are watched by one listing an interval, in little memory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.jobs.submitter import request
from tests.jobs.test_waiting import MovedClock
from tuneline import errors, jobs
from tuneline.jobs import Job, JobState, Pace
from tuneline.jobs.engines import Claim
from tuneline.testing import LocalVertex

ROOT = Path(__file__).parents[2]

WATCH = """
import pathlib, resource, sys
from tuneline import errors, jobs
states = []
try:
    jobs.watch(jobs.engine("custom_training"), "tuneline-local", "us-central1", deadline_s=float(sys.argv[1]),
               on_change=lambda job: states.append(job.state), pace=jobs.Pace(first_s=1.0, longest_s=1.0))
except errors.StillRunning as running:
    print(running)
status = pathlib.Path("/proc/self/status")  # where there is one: ru_maxrss counts the parent's memory before exec too
peak = status.read_text().split("VmHWM:")[1].split()[0] if status.exists() else \\
    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(states), int(peak) // 1024)
"""


class Listed:
    """An engine whose listing at each moment is a script's."""

    name = "listed"

    def __init__(self, clock: MovedClock, *states: dict[str, JobState] | Exception) -> None:
        self.states, self.clock, self.lists = list(states), clock, 0

    def list(self, project: str, location: str) -> list[Job]:
        self.lists += 1
        now = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(now, Exception):
            raise now
        return [Job(name=name, state=state, raw={"big": "x"}) for name, state in now.items()]

    def get(self, name: str) -> Job:
        raise errors.NotFound(name, status=404)


def watch(*states: dict[str, JobState] | Exception, **options: object) -> tuple[dict[str, Job], list[Job], Listed]:
    clock, changes = MovedClock(), []
    engine = Listed(clock, *states)
    given = {"deadline_s": 86400.0, "pace": Pace(), "clock": clock, **options}
    return jobs.watch(engine, "p", "r", on_change=changes.append, **given), changes, engine


def test_each_change_is_told_once_and_all_ends_end_it() -> None:
    """A hundred looks at a job that does not change are one word."""
    run, end = JobState.RUNNING, JobState.SUCCEEDED
    seen, changes, engine = watch(
        {"a": run, "b": run, "old": end}, {"a": run, "b": JobState.FAILED}, {"a": run}, {"a": end, "b": JobState.FAILED}
    )
    assert [(job.name, job.state.name) for job in changes] == [
        ("a", "RUNNING"),
        ("b", "RUNNING"),
        ("b", "FAILED"),
        ("a", "SUCCEEDED"),
    ]
    assert set(seen) == {"a", "b"}
    assert engine.lists == 4
    assert all(job.raw == {} for job in seen.values())


def test_an_outage_does_not_end_it() -> None:
    """As for a single wait."""
    away = errors.Unavailable("try later", status=503)
    seen, _, _ = watch({"a": JobState.RUNNING}, away, away, {"a": JobState.CANCELLED})
    assert seen["a"].state is JobState.CANCELLED


def test_a_deleted_job_is_told_when_the_others_have_ended() -> None:
    """One that is gone does not hide how the rest went."""
    with pytest.raises(errors.JobFailed, match="1 jobs were deleted while they were watched: b"):
        watch({"a": JobState.RUNNING, "b": JobState.RUNNING}, {"a": JobState.RUNNING}, {"a": JobState.SUCCEEDED})


def test_nothing_to_watch_ends_at_once() -> None:
    """Where no job is alive there is nothing to wait for."""
    assert watch({"old": JobState.SUCCEEDED})[0] == {}


def test_the_deadline_says_how_many_run_on() -> None:
    """The jobs are left as they are."""
    with pytest.raises(errors.StillRunning, match="2 of 2 jobs run on after 60 s"):
        watch({"a": JobState.RUNNING, "b": JobState.PENDING}, deadline_s=60.0)


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_one_process_watches_them_all_by_one_list_call_an_interval(fresh: LocalVertex, pipe: Path, count: int) -> None:
    """On the local service: calls counted there, memory by the watching process itself (150 MB at most)."""
    engine = jobs.engine("custom_training")
    wanted = request(str(pipe))
    for number in range(count):
        folder = f"gs://tuneline-local/watched/{number}/"
        judge = f"{folder}1.job"
        claim = Claim(fingerprint="f", attempt=1, nonce=str(number), judge_uri=judge, output_uri=folder)
        engine.create(replace(wanted, labels={"number": str(number)}), claim, timeout_s=30)
    seconds = 4.0
    said = subprocess.run(
        [sys.executable, "-c", WATCH, str(seconds)],
        cwd=ROOT,
        env=fresh.environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said[0] == f"{count} of {count} jobs run on after 4 s"
    changes, megabytes = map(int, said[1].split())
    assert changes >= count
    assert megabytes < 150
    # At most one each interval of at least three quarters of a second, and the first.
    assert len(fresh.calls("ListCustomJobs")) <= 1 + seconds / 0.75
    assert fresh.calls("GetCustomJob") == []
