"""A wait ends by the job's end, a deadline or a stop; by nothing else, however long the service is away."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tuneline import errors, jobs
from tuneline.jobs import Job, JobState, Pace

NAME = "projects/p/locations/us-central1/customJobs/1"
ENDS = [state for state in JobState if state.terminal]
UNAVAILABLE = errors.Unavailable("try later", status=503)

Answer = JobState | Exception


class MovedClock:
    """Time that passes when somebody sleeps, and for nobody else."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.sleeps: list[float] = []

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now_s += seconds


class Scripted:
    """An engine whose job does what a script says: states and errors that no service gives on demand."""

    name = "scripted"

    def __init__(self, answer: Callable[[float], Answer] | Iterator[Answer], clock: MovedClock) -> None:
        self.answer = answer if callable(answer) else lambda now_s: next(answer)
        self.clock = clock
        self.cancelled: list[str] = []

    def get(self, name: str) -> Job:
        answer = self.answer(self.clock.now_s)
        if isinstance(answer, Exception):
            raise answer
        return Job(name=name, state=answer, error="the job's own words" if answer is JobState.FAILED else "")

    def cancel(self, name: str) -> None:
        self.cancelled.append(name)


def waited(answer: Callable[[float], Answer] | list[Answer], clock: MovedClock | None = None, **options: object) -> Job:
    clock = clock or MovedClock()
    engine = Scripted(iter(answer) if isinstance(answer, list) else answer, clock)
    return jobs.wait(engine, NAME, clock=clock, **{"deadline_s": 7 * 86400.0, "pace": Pace(), **options})


@pytest.mark.parametrize("state", ENDS, ids=lambda state: state.name)
def test_every_terminal_state_ends_the_wait(state: JobState) -> None:
    """Expired and partially succeeded are ends as well."""
    assert waited([JobState.QUEUED, JobState.RUNNING, state]).state is state


@pytest.mark.parametrize("state", [state for state in JobState if not state.terminal], ids=lambda state: state.name)
def test_no_other_state_ends_it(state: JobState) -> None:
    """Paused, updating, being cancelled or unheard of: the job goes on, and so does the wait."""
    assert waited([state] * 50 + [JobState.SUCCEEDED]).state is JobState.SUCCEEDED


def test_a_twenty_minute_outage_does_not_end_it() -> None:
    """The service is away for twenty minutes, the job is not."""
    clock, notes = MovedClock(), []

    def answer(now_s: float) -> Answer:
        if 1100 < now_s < 1100 + 20 * 60:
            return UNAVAILABLE
        return JobState.RUNNING if now_s < 4000 else JobState.SUCCEEDED

    assert waited(answer, clock, on_note=notes.append).state is JobState.SUCCEEDED
    assert notes
    assert "try later" in notes[0]


def test_a_rate_limit_does_not_end_it() -> None:
    """429 on a look is the service's trouble, not the job's."""
    assert waited([errors.QuotaExceeded("slow down", status=429), JobState.SUCCEEDED]).state is JobState.SUCCEEDED


def test_an_answer_that_is_none_does_not_end_it() -> None:
    """A proxy's page in place of the service's JSON is no word about the job."""
    assert waited([errors.ServiceError("expected a JSON object", status=200), JobState.SUCCEEDED]).state.terminal


def test_an_outage_longer_than_stated_ends_it_and_says_that_the_job_may_run() -> None:
    """After `outage_s` without one answer the wait gives up, naming the job."""
    clock = MovedClock()
    with pytest.raises(errors.Unavailable, match=rf"{NAME}.*may still be running.*try later"):
        waited(lambda now_s: UNAVAILABLE, clock, pace=Pace(outage_s=1800))
    assert 1800 < clock.now_s - 1000 < 1800 + 120


def test_the_deadline_leaves_the_job_running() -> None:
    """At the deadline, not later: what is raised says how the job stands."""
    clock = MovedClock()
    with pytest.raises(errors.StillRunning, match="running after 300 s; it was left running"):
        waited(lambda now_s: JobState.RUNNING, clock, deadline_s=300.0)
    assert clock.now_s - 1000 == pytest.approx(300)


def test_a_job_deleted_underneath_ends_it() -> None:
    """A job that is gone for good is a failure that says so; one that is not there for a moment is not."""
    gone = errors.NotFound("no such job", status=404)
    assert waited([gone, gone, JobState.RUNNING, gone, JobState.SUCCEEDED]).state is JobState.SUCCEEDED
    with pytest.raises(errors.JobFailed, match="was deleted while it was watched; it was last seen running"):
        waited([JobState.RUNNING, gone, gone, gone])


def test_what_must_not_be_survived_is_raised() -> None:
    """A revoked permission is told at once."""
    with pytest.raises(errors.NotPermitted):
        waited([errors.NotPermitted("no", status=403)])


def test_the_pace_begins_in_seconds_and_ends_at_a_minute() -> None:
    """Quick at first and after each change, a minute later on, jittered throughout."""
    clock = MovedClock()
    waited(lambda now_s: JobState.RUNNING if now_s < 4600 else JobState.SUCCEEDED, clock)
    assert clock.sleeps[0] <= 4
    assert 40 <= max(clock.sleeps) <= 75
    assert len(set(clock.sleeps)) > 10
    assert len(clock.sleeps) < 90


def test_a_change_of_state_is_followed_by_a_closer_look() -> None:
    """A job that has just begun to run may fail in its first seconds."""
    clock = MovedClock()
    waited(
        lambda now_s: JobState.PENDING if now_s < 3000 else JobState.RUNNING if now_s < 3200 else JobState.SUCCEEDED,
        clock,
    )
    moments = [1000 + sum(clock.sleeps[:count]) for count in range(len(clock.sleeps) + 1)]
    after = next(index for index, moment in enumerate(moments) if moment >= 3000)
    assert clock.sleeps[after] <= 4


def test_near_the_expected_end_it_is_looked_at_more_often() -> None:
    """An hour's job that ends when it should is seen to within seconds, and one that is late is not asked for ever."""

    def seen_after(ends_s: float, expected_s: float) -> tuple[float, int]:
        clock = MovedClock()
        waited(lambda now_s: JobState.RUNNING if now_s < ends_s else JobState.SUCCEEDED, clock, expected_s=expected_s)
        return clock.now_s - ends_s, len(clock.sleeps)

    late_s, looks = seen_after(4600.0, 3600.0)
    assert late_s <= 4
    assert looks < 130
    # Twice as long as expected: back at a minute.
    assert seen_after(8200.0, 3600.0)[1] < 220


def test_each_look_is_told() -> None:
    """Whoever watches sees every state, the last one too."""
    seen: list[Job] = []
    waited([JobState.PENDING, JobState.RUNNING, JobState.SUCCEEDED], on_poll=seen.append)
    assert [job.state.name for job in seen] == ["PENDING", "RUNNING", "SUCCEEDED"]


@pytest.mark.parametrize(
    ("ours", "on_cancel", "cancels"), [(True, "cancel", True), (True, "leave", False), (False, "cancel", False)]
)
def test_sigterm_cancels_what_this_run_made(tmp_path: object, ours: bool, on_cancel: str, cancels: bool) -> None:
    """Told to stop, a run cancels its own job if it is asked to, and never somebody else's."""
    clock = MovedClock()

    def answer(now_s: float) -> Answer:
        if now_s > 1100:
            os.kill(os.getpid(), signal.SIGTERM)
        return JobState.RUNNING

    engine = Scripted(answer, clock)
    engine.find = lambda project, location, fingerprint: []
    submission = jobs.Submission(
        name=NAME,
        fingerprint="f",
        attempt=1,
        nonce="n",
        adopted=not ours,
        ours=ours,
        output_uri=f"{tmp_path}/out/",
        ledger_uri=f"{tmp_path}/tuneline/jobs/f",
        on_cancel=on_cancel,
    )
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(jobs.Stopped):
        jobs.wait(engine, NAME, deadline_s=86400.0, clock=clock, submission=submission, pace=Pace())
    assert engine.cancelled == ([NAME] if cancels else [])
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_submission_survives_its_way_through_json() -> None:
    """A later version may know more of it."""
    submission = jobs.Submission(
        name=NAME,
        fingerprint="f",
        attempt=2,
        nonce="n",
        adopted=True,
        ours=False,
        output_uri="o",
        ledger_uri="l",
        cancelled=("x",),
    )
    assert jobs.Submission.from_dict({**submission.to_dict(), "cancelled": ["x"], "of_next_year": 1}) == submission
