"""Real processes on the local Vertex AI: raced, killed, stopped and cut off, they end with one job."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.jobs.conftest import Submitters
from tests.jobs.submitter import request
from tuneline import errors, jobs
from tuneline.jobs import Settings
from tuneline.testing import LocalVertex

SETTINGS = Settings(deadline_s=1.0, window_s=1.0, poll_s=0.1)
Live = Callable[[str], list[str]]


def submit(pipe: Path, seed: int, settings: Settings = SETTINGS, **changes: object) -> jobs.Submission:
    return jobs.submit(jobs.engine("custom_training"), request(str(pipe), seed=seed, **changes), settings=settings)


def test_sixteen_racing_processes_make_one_job(submitters: Submitters, live: Live) -> None:
    """Started at once, they send one create call and adopt one job."""
    before = len(submitters.vertex.calls("CreateCustomJob"))
    racing = [submitters.start(1, deadline_s=60, window_s=120) for _ in range(16)]
    said = [submitters.end(process) for process in racing]
    (name,) = {each["name"] for each in said}
    assert sum(not each["adopted"] for each in said) == 1
    assert live(said[0]["fingerprint"]) == [name]
    assert len(submitters.vertex.calls("CreateCustomJob")) == before + 1
    jobs.engine("custom_training").cancel(name)


def test_killed_at_any_point_the_next_try_ends_with_one_job(submitters: Submitters, live: Live) -> None:
    """kill -9 before and after every effect of a submission; the same step tried again finds or makes the one job."""
    whole = submitters.end(submitters.start(100))["effects"]
    points = [*itertools.product(["before", "after"], range(1, whole + 1))]
    for number, (when, count) in enumerate(points):
        victim = submitters.start(101 + number, run=f"run-{number}", signal="KILL", **{when: count})
        assert victim.wait(60) == -signal.SIGKILL, f"{when} effect {count}"
    began = time.monotonic()
    again = [submitters.start(101 + number, run=f"run-{number}") for number in range(len(points))]
    said = [submitters.end(process) for process in again]
    assert time.monotonic() - began < 60
    for each, point in zip(said, points, strict=True):
        assert live(each["fingerprint"]) == [each["name"]], point
        assert each["ours"], point
    for each in said:
        jobs.engine("custom_training").cancel(each["name"])


def test_an_answer_lost_after_the_effect_is_found_by_its_label(here: LocalVertex, pipe: Path, live: Live) -> None:
    """The connection is cut once the job exists: it is found, not made again."""
    before = len(here.calls("CreateCustomJob"))
    here.fault("CreateCustomJob", drop="after")
    submission = submit(pipe, 2)
    assert len(here.calls("CreateCustomJob")) == before + 1
    assert not submission.adopted
    assert live(submission.fingerprint) == [submission.name]
    jobs.engine("custom_training").cancel(submission.name)


def test_a_list_that_lags_delays_the_finding_and_no_more(here: LocalVertex, pipe: Path) -> None:
    """The answer is lost, the effect lands a moment later, and no list shows it before most of W has passed."""
    settings = Settings(deadline_s=3.0, window_s=4.0, poll_s=0.1)
    here.fault("CreateCustomJob", late=0.5)
    here.fault("ListCustomJobs", lag=3.0, times=1000)
    began = time.monotonic()
    submission = submit(pipe, 12, settings)
    took = time.monotonic() - began
    here.request("DELETE", "/_tuneline/faults")
    assert 3.0 < took < settings.patience_s
    assert not submission.adopted
    found = jobs.engine("custom_training").find("tuneline-local", "us-central1", submission.fingerprint)
    assert [job.name for job in found] == [submission.name], "a second create call was sent"
    jobs.engine("custom_training").cancel(submission.name)


@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": "before"}], ids=["503", "cut before the effect"])
def test_a_call_without_effect_is_taken_over_after_its_patience(
    here: LocalVertex, pipe: Path, live: Live, fault: dict[str, object]
) -> None:
    """No clear answer and no job: after 2T + W, and not before, another create call is sent."""
    here.fault("CreateCustomJob", **fault)
    began = time.monotonic()
    submission = submit(pipe, 3 if "status" in fault else 4)
    took = time.monotonic() - began
    # The storage's Date has whole seconds, so an age may read a second short.
    assert SETTINGS.patience_s - 0.5 < took < SETTINGS.patience_s + 10
    assert live(submission.fingerprint) == [submission.name]
    jobs.engine("custom_training").cancel(submission.name)


def test_a_definite_refusal_is_told_at_once(here: LocalVertex, pipe: Path) -> None:
    """400 is the user's to read, in the service's words, and blocks nobody."""
    here.fault("CreateCustomJob", status=400, message="machine type e2-standard-4 is sold out")
    began = time.monotonic()
    with pytest.raises(errors.InvalidArgument, match="sold out"):
        submit(pipe, 5)
    submission = submit(pipe, 5)
    assert submission.attempt == 2
    assert time.monotonic() - began < SETTINGS.patience_s
    jobs.engine("custom_training").cancel(submission.name)


def test_a_rate_limit_is_tried_again(here: LocalVertex, pipe: Path) -> None:
    """429 twice, then a job."""
    here.fault("CreateCustomJob", status=429, times=2)
    submission = submit(pipe, 6)
    assert submission.attempt == 3
    jobs.engine("custom_training").cancel(submission.name)


def test_an_effect_that_lands_late_leaves_one_job(here: LocalVertex, pipe: Path, live: Live) -> None:
    """The first call lands after the second was sent: the extra job is cancelled while the other is waited for."""
    late_s = SETTINGS.patience_s + 4
    here.fault("CreateCustomJob", delay=late_s)
    began = time.monotonic()
    submission = submit(pipe, 7)
    notes: list[str] = []
    with pytest.raises(errors.StillRunning):
        jobs.wait(
            jobs.engine("custom_training"),
            submission.name,
            deadline_s=late_s - (time.monotonic() - began) + 3,
            submission=submission,
            on_note=notes.append,
        )
    found = jobs.engine("custom_training").find("tuneline-local", "us-central1", submission.fingerprint)
    assert len(found) == 2
    assert live(submission.fingerprint) == [submission.name]
    # Our trainer, seeing itself unnamed, may have left before it could be cancelled.
    extra = next(job for job in found if job.name != submission.name)
    assert extra.state.name in ("SUCCEEDED", "CANCELLING", "CANCELLED")
    assert any(extra.name in note for note in notes) or extra.state.name == "SUCCEEDED"
    jobs.engine("custom_training").cancel(submission.name)


def test_a_process_stopped_for_longer_than_patience_adopts(submitters: Submitters, live: Live) -> None:
    """SIGSTOP just before the create call, for longer than 2T + W: when it goes on, one job is left, named by both."""
    first = submitters.start(8, signal="STOP", before="Send", deadline_s=3.0)
    until = time.monotonic() + 30
    while not _is_stopped(first.pid):
        assert time.monotonic() < until
        time.sleep(0.02)  # a stopped child is told by waitpid alone, which subprocess has taken
    second = submitters.end(submitters.start(8, deadline_s=3.0))
    os.kill(first.pid, signal.SIGCONT)
    said = submitters.end(first)
    assert said["name"] == second["name"]
    assert said["adopted"]
    assert live(said["fingerprint"]) == [said["name"]]
    jobs.engine("custom_training").cancel(said["name"])


def test_sigterm_while_the_call_hangs_leaves_no_job(submitters: Submitters, live: Live) -> None:
    """Told to stop in the middle of a create call, a process waits for its answer, cancels, and ends."""
    submitters.vertex.fault("CreateCustomJob", delay=2)
    process = submitters.start(9, deadline_s=60, window_s=120, signal="TERM", after="none")
    before = len(submitters.vertex.calls("CreateCustomJob"))
    _until_ledger_has_intent(submitters, process)
    process.terminate()
    _, error = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Stopped" in error
    assert len(submitters.vertex.calls("CreateCustomJob")) == before + 1
    name = jobs.fingerprint("custom_training", request(str(submitters.config), seed=9))
    assert live(name) == []
    began = time.monotonic()
    successor = submit(submitters.config, 9, Settings())
    assert time.monotonic() - began < 5
    jobs.engine("custom_training").cancel(successor.name)


def test_sigterm_while_waiting_cancels_the_job(here: LocalVertex, pipe: Path, live: Live) -> None:
    """Told to stop while it waits, a run cancels the job that it made."""
    submission = submit(pipe, 10)
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    with pytest.raises(jobs.Stopped):
        jobs.wait(jobs.engine("custom_training"), submission.name, deadline_s=60, submission=submission)
    timer.join()
    assert live(submission.fingerprint) == []


def test_a_wait_survives_a_restart_of_the_service(pipe: Path, here: LocalVertex) -> None:
    """The service is killed and started again: the wait goes on, and hears of the job's end."""
    submission = submit(pipe, 11)
    seen: list[str] = []
    restarted = threading.Event()

    def restart() -> None:
        here.start()
        restarted.set()

    def poll(job: jobs.Job) -> None:
        seen.append(job.state.name)
        if len(seen) == 2:
            here.kill()
            threading.Timer(1.0, restart).start()
        elif len(seen) == 4:
            assert restarted.wait(30)
            jobs.engine("custom_training").cancel(submission.name)

    job = jobs.wait(jobs.engine("custom_training"), submission.name, deadline_s=120, on_poll=poll)
    assert job.state is jobs.JobState.CANCELLED
    assert len(seen) >= 4
    assert len(here.calls("CreateCustomJob")) == 0, "the restarted service was asked for another job"


def _is_stopped(process_id: int) -> bool:
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _until_ledger_has_intent(submitters: Submitters, process: subprocess.Popen[str]) -> None:
    """Returns when the process has made its claim, a moment before it sends its call."""
    from tuneline.jobs.ledger import Ledger

    ledger = Ledger("gs://tuneline-local", jobs.fingerprint("custom_training", request(str(submitters.config), seed=9)))
    deadline = time.monotonic() + 30
    while "1.intent" not in ledger.scan().created:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)  # objects have no event to wait for
    time.sleep(0.3)
