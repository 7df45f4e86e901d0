"""Waiting for a job: ended by its terminal state, a deadline or a stop, and by nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from tuneline import errors
from tuneline.google import settings as google_settings
from tuneline.jobs import effects, extras
from tuneline.jobs.engines import Engine, Request
from tuneline.jobs.interruption import stoppable
from tuneline.jobs.ledger import Ledger
from tuneline.jobs.model import Job, JobState
from tuneline.jobs.submission import Submission, terms_of
from tuneline.jobs.terms import Outcome, Progress, Settings

# A job that was just made may not be readable everywhere; one that is gone stays gone.
_MISSING_TIMES = 3


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often a wait looks, and what it survives; seconds."""

    first_s: float = 3.0
    longest_s: float = 60.0
    growth: float = 1.3
    """Each pause is the last one times this, until the longest; drawn from ± a quarter."""
    outage_s: float = 3600.0
    """So long may the service go without one answer before the wait gives up; the job is left running."""
    sweep_s: float = 600.0
    """So long, from the start of the wait, extra jobs of the same request are looked for."""


LOCAL_PACE = Pace(first_s=0.2, longest_s=0.5)
"""On the local service a look costs nothing."""


def wait(
    engine: Engine,
    name: str,
    *,
    deadline_s: float,
    on_poll: Callable[[Job], None] | None = None,
    submission: Submission | None = None,
    on_note: Callable[[str], None] | None = None,
    expected_s: float = 0.0,
    pace: Pace | None = None,
    clock: effects.Clock | None = None,
) -> Job:
    """The job in its terminal state, whichever that is; see `Job.raise_unless_succeeded`.

    Transient errors are survived for up to `pace.outage_s`. With a `submission`, extra jobs of the same request are
    cancelled at each look of the first ten minutes; and where this run made the job and asked for it (`on_cancel`),
    being told to stop (SIGTERM or Ctrl-C) cancels the job.

    Args:
        deadline_s: seconds to wait at most.
        on_poll: called with the job at each look.
        on_note: called with a sentence when something is survived or done that a person should know.
        expected_s: seconds that the job should run, from when it is first seen running; near that end it is looked at
            more often. 0: not known.

    Raises:
        StillRunning: the deadline passed; the job was left running.
        JobFailed: the job was deleted while it was watched.
        Unavailable: no answer for longer than an outage may last.
        NotPermitted: the job may not be read.
        Stopped: the process was told to stop.
    """
    watch = _Watch(
        engine=engine,
        name=name,
        pace=pace or (LOCAL_PACE if google_settings.is_local() else Pace()),
        clock=clock or effects.SystemClock(),
        on_poll=on_poll or (lambda job: None),
        on_note=on_note or (lambda note: None),
        expected_s=expected_s,
        random=random.Random(),
    )
    sweeper = _Sweeper(engine, submission, watch) if submission else None
    with stoppable():
        try:
            return watch.run(deadline_s, sweeper.look if sweeper else (lambda: None))
        except KeyboardInterrupt:
            if submission and submission.ours and submission.on_cancel == "cancel":
                watch.cancel()
            raise


@dataclass(kw_only=True)
class _Watch:
    engine: Engine
    name: str
    pace: Pace
    clock: effects.Clock
    on_poll: Callable[[Job], None]
    on_note: Callable[[str], None]
    expected_s: float
    random: random.Random

    def run(self, deadline_s: float, each_look: Callable[[], None]) -> Job:
        """Looks until the job has ended."""
        began = answered = self.clock.now()
        pause, missing, last, runs_since = self.pace.first_s, 0, None, None
        while True:
            try:
                job = self.engine.get(self.name)
            except errors.NotFound as error:
                answered, missing = self.clock.now(), missing + 1
                if missing >= _MISSING_TIMES:
                    state = f"; it was last seen {last.words}" if last else ""
                    raise errors.JobFailed(f"{self.name} was deleted while it was watched{state}") from error
            except (errors.NotPermitted, errors.InvalidArgument):
                raise  # will not pass by itself
            except errors.ServiceError as error:
                if self.clock.now() - answered > self.pace.outage_s:
                    silence = f"no answer about {self.name} for {self.pace.outage_s:g} s; the job may still be running"
                    raise errors.Unavailable(f"{silence}: {error}") from error
                self.on_note(f"the service does not answer, waiting on: {error}")
            else:
                answered, missing = self.clock.now(), 0
                if last is None or job.state is not last.state or job.detail != last.detail:
                    pause = self.pace.first_s  # what has just changed may change again soon
                if runs_since is None and job.state is JobState.RUNNING:
                    runs_since = self.clock.now()
                last = job
                self.on_poll(job)
                if job.state.terminal:
                    return job
                if self.clock.now() - began < self.pace.sweep_s:
                    each_look()
            left = deadline_s - (self.clock.now() - began)
            if left <= 0:
                state = last.words if last else "not seen yet"
                raise errors.StillRunning(
                    f"{self.name} is {state} after {deadline_s:g} s; it was left running → wait for it again"
                )
            near_s = self._near(runs_since)
            self.clock.sleep(min(min(pause, near_s) * self.random.uniform(0.75, 1.25), left))
            pause = min(pause * self.pace.growth, self.pace.longest_s)

    def _near(self, runs_since: float | None) -> float:
        """The longest pause so near to the expected end: a quarter of the way there, or of the way since."""
        if not self.expected_s or runs_since is None:
            return self.pace.longest_s
        return max(self.pace.first_s, abs(self.expected_s - (self.clock.now() - runs_since)) / 4)

    def cancel(self) -> None:
        """Cancels the job; says so if even that cannot be done."""
        try:
            self.engine.cancel(self.name)
            self.on_note(f"{self.name} is being cancelled, since its run was stopped")
        except errors.ServiceError as error:
            self.on_note(f"{self.name} could not be cancelled and may still be running: {error}")


class _Sweeper:
    """Cancels extra jobs of a submission at each look; a failure to look is no reason to stop waiting."""

    def __init__(self, engine: Engine, submission: Submission, watch: _Watch) -> None:
        project, location = _place(submission.name)
        staging = submission.ledger_uri.removesuffix(f"/{submission.fingerprint}").removesuffix("/tuneline/jobs")
        request = Request(project=project, location=location, display_name="", body={}, staging=staging)
        ledger = Ledger(staging, submission.fingerprint)
        self._world = effects.World(
            store=ledger,
            engine=engine,
            clock=watch.clock,
            request=request,
            fingerprint=submission.fingerprint,
            fallbacks=tuple(replace(request, location=each) for each in submission.locations if each != location),
        )
        # No patience: what cannot be looked at now is looked at with the next poll.
        impatient = Settings(deadline_s=0.0, window_s=0.0, poll_s=0.1)
        self._terms = terms_of(engine, request, ledger, submission.fingerprint, impatient)
        self._progress = Progress()
        self._outcome = Outcome(
            name=submission.name, attempt=submission.attempt, nonce=submission.nonce, adopted=True, ours=False
        )
        self._note = watch.on_note

    def look(self) -> None:
        """One list call, and a cancel for each extra."""
        before = len(self._progress.cancelled)
        try:
            effects.drive(extras.sweep(self._terms, self._progress, self._outcome), self._world.perform)
        except errors.ServiceError as error:
            self._note(f"could not look for extra jobs: {error}")
        for name in self._progress.cancelled[before:]:
            self._note(f"cancelled {name}: a second job of the same request")


def _place(name: str) -> tuple[str, str]:
    """Project and location in a resource name; '' where the API has neither (`tunedModels/…`)."""
    parts = name.split("/")
    named = dict(zip(parts[::2], parts[1::2], strict=False))
    return named.get("projects", ""), named.get("locations", "")
