"""Resources whose work is a process of the trainer: from accepted to ended, whatever dies in between.

One process at a time in a job's folder. A process dies with the service and is started again by the next one; the
trainer then resumes from its last checkpoint. What differs between kinds (the command, the states, the result) is in
the behaviours that derive from `TrainingJobs`.
"""

from __future__ import annotations

import asyncio
import logging
import select
import shutil
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from tuneline.local.children import ended
from tuneline.local.processes import Exit, Supervised, exit_of, log_tail, spawn
from tuneline.local.resources.behaviour import ApiError, PassiveBehaviour
from tuneline.local.resources.errors import CODES
from tuneline.local.resources.names import id_of

RESUME = 75
"""The trainer's exit code for "start me again": docs/trainer.md."""
MOST_RESUMES = 20
"""A process that only ever asks to be started again is broken."""
GRACE_S = 10.0
ASK_AGAIN_S = 0.5
STOP_GRACE_S = 5.0
"""What a job gets to write a checkpoint when the service itself ends."""
LONGEST_S = 7 * 24 * 3600.0
"""The service's default `scheduling.timeout`."""

LIVE = frozenset({"JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_CANCELLING"})
_SIGNS = {2: "INVALID_ARGUMENT", 3: "INVALID_ARGUMENT"}

log = logging.getLogger("tuneline.local")


class TrainingJobs(PassiveBehaviour):
    """The life of a job with a process; the states are those of `JobState`."""

    folder = "jobs"
    """Where in the data folder the jobs' own folders are."""
    what = "training job"

    def __init__(self) -> None:
        self._running: dict[str, Supervised] = {}

    # What a kind says of itself

    def command(self, service: Any, job: Any) -> list[str]:
        """The process to run; raises ApiError where the job cannot be run here."""
        raise NotImplementedError

    def environment(self, service: Any, job: Any) -> dict[str, str]:
        """The process's whole environment."""
        return dict(service.environment("trainer", name=job.name))

    def stand_in(self, job: Any) -> str:
        """What stands in for what, in words."""
        raise NotImplementedError

    def timeout_s(self, job: Any) -> float:
        """How long the job may run."""
        return LONGEST_S

    def resumes(self, job: Any) -> bool:
        """Whether the process is the trainer, whose exit codes ask to be started again or tell what was wrong."""
        return True

    def succeeded(self, service: Any, job: Any, folder: Path) -> None:
        """Fill in what the job has made; raise ApiError where that shows a failure."""

    def room(self, service: Any, name: str) -> AbstractAsyncContextManager[None]:
        """What a job waits for, and holds while it runs, besides one of the machine's own slots."""
        return nullcontext()

    def failure(self, outcome: Exit, tail: str) -> str:
        """What a failed job's error says, from how its process ended and the end of its log."""
        last = tail.rstrip().rpartition("\n")[2] or "It wrote no log."
        return f"{last}\nThe replica workerpool0-0 ended with {outcome}. The end of its log:\n{tail}"

    # How a kind says its states; here those of JobState

    def is_live(self, job: Any) -> bool:
        """Whether the job has not ended."""
        return state_of(job) in LIVE

    def is_cancelling(self, job: Any) -> bool:
        """Whether it was asked to stop."""
        return state_of(job) == "JOB_STATE_CANCELLING"

    def mark_cancelling(self, service: Any, job: Any) -> None:
        """Write down that it was asked to stop."""
        job.state = "JOB_STATE_CANCELLING"
        service.store.put(job)

    def mark_running(self, service: Any, job: Any) -> datetime:
        """Write down that it runs; answers since when."""
        job.state = "JOB_STATE_RUNNING"
        if not job.HasField("start_time"):
            job.start_time.FromDatetime(service.now())
        service.store.put(job)
        return cast(datetime, job.start_time.ToDatetime(tzinfo=UTC))

    def mark_ended(self, service: Any, job: Any, how: str, code: str = "", message: str = "") -> None:
        """Write down that it `SUCCEEDED`, `FAILED` or was `CANCELLED`, with a canonical code and a message."""
        job.state = f"JOB_STATE_{how}"
        job.end_time.FromDatetime(service.now())
        if code:
            job.error.code = CODES[code][0]
            job.error.message = message
        service.store.put(job)

    # What the engine calls

    def created(self, service: Any, resource: Any) -> None:
        self._start(service, resource.name)

    def cancel(self, service: Any, resource: Any) -> None:
        """Stop the process, politely first; a job that has ended refuses."""
        if not self.is_live(resource):
            raise ApiError(
                "FAILED_PRECONDITION",
                f"The job '{resource.name}' has ended ({state_of(resource)}) and cannot be cancelled.",
            )
        if self.is_cancelling(resource):
            return
        process = self._running.get(resource.name)
        if process is None:
            self.mark_ended(service, resource, "CANCELLED", "CANCELLED", "The job was cancelled before it ran.")
            return
        self.mark_cancelling(service, resource)
        service.background(_stop(process), name=f"cancel {resource.name}")

    def deleting(self, service: Any, resource: Any) -> None:
        """Only what has ended goes, and its folder with it."""
        if self.is_live(resource):
            raise ApiError("FAILED_PRECONDITION", f"The job '{resource.name}' still runs: cancel it first.")
        shutil.rmtree(self.folder_of(service, resource.name), ignore_errors=True)

    def recover(self, service: Any) -> None:
        """Take up every job that had not ended when the last service did."""
        self._running.clear()
        service.at_stop(self._stop_all)
        for job in service.store.list(self.kind):
            if self.is_live(job):
                self._start(service, job.name)

    def folder_of(self, service: Any, name: str) -> Path:
        """Where the job's process has its log, its lock and its exit record."""
        return Path(service.data) / self.folder / id_of(name)

    # The process

    def _start(self, service: Any, name: str) -> None:
        service.hold(name, self.what)
        service.background(self._supervise(service, name), name=name)

    async def _supervise(self, service: Any, name: str) -> None:
        """Run the job's process until the job has ended, however often the process wants to be started again."""
        try:
            async with self.room(service, name), service.slots:
                await self._run(service, name)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # A job must never be left RUNNING by a mistake of the service's own.
            log.exception("%s failed", name)
            job = service.store.find(name)
            if job is not None and self.is_live(job):
                code = error.code if isinstance(error, ApiError) else "INTERNAL"
                self.mark_ended(service, job, "FAILED", code, str(error))
        finally:
            self._running.pop(name, None)
            service.release(name)

    async def _run(self, service: Any, name: str) -> None:
        folder = self.folder_of(service, name)
        outcome = self._left_behind(folder)
        for _ in range(MOST_RESUMES):
            job = service.store.find(name)
            if job is None or not self.is_live(job):
                return
            if self.is_cancelling(job):
                self.mark_ended(service, job, "CANCELLED", "CANCELLED", "The job was cancelled.")
                return
            try:
                await service.faults.before(f"Run{self.kind}")  # the machines may be refused to a job that was made
            except ApiError as refusal:
                self.mark_ended(service, job, "FAILED", refusal.code, refusal.message)
                return
            outcome = outcome or await self._once(service, job, folder)
            job = service.store.find(name)
            if job is None or not self.is_live(job) or outcome is None:
                return
            if outcome.code != RESUME or not self.resumes(job) or self.is_cancelling(job):
                self._conclude(service, job, outcome, folder)
                return
            outcome = None
        job = service.store.get(name)
        self.mark_ended(service, job, "FAILED", "INTERNAL", "The trainer asked to be resumed again and again.")

    async def _once(self, service: Any, job: Any, folder: Path) -> Exit | None:
        """One process from start to end; None if the job had no time left and was ended here."""
        process = spawn(folder, self.command(service, job), self.environment(service, job), grace_s=GRACE_S)
        self._running[job.name] = process
        since = self.mark_running(service, job)
        service.stand_ins[job.name] = self.stand_in(job)
        limit = self.timeout_s(job)
        spent = (service.now() - since).total_seconds()
        try:
            return await asyncio.wait_for(ended(process), max(0.0, limit - spent))
        except TimeoutError:
            await asyncio.gather(_stop(process), ended(process))
            late = service.store.get(job.name)
            message = f"The job ran for {limit:g} s, which is its scheduling.timeout."
            self.mark_ended(service, late, "FAILED", "DEADLINE_EXCEEDED", message)
            return None
        finally:
            self._running.pop(job.name, None)
            process.close()

    def _left_behind(self, folder: Path) -> Exit | None:
        """How a process ended well that nobody was there to hear of; None if it must run again: what failed then may
        have failed because the service was going."""
        found = exit_of(folder)
        return found if found is not None and found.ok else None

    def _conclude(self, service: Any, job: Any, outcome: Exit, folder: Path) -> None:
        """Write down the job's end from its process's."""
        if self.is_cancelling(job):
            self.mark_ended(service, job, "CANCELLED", "CANCELLED", "The job was cancelled.")
        elif outcome.ok:
            with service.store.transaction():
                self.succeeded(service, job, folder)
                self.mark_ended(service, job, "SUCCEEDED")
        else:
            message = self.failure(outcome, log_tail(folder))
            sign = _SIGNS.get(outcome.code or -1, "INTERNAL") if self.resumes(job) else "INTERNAL"
            self.mark_ended(service, job, "FAILED", sign, message)

    def _stop_all(self) -> None:
        """The service ends: ask every trainer for a checkpoint. Its end is not the job's."""
        deadline = time.monotonic() + STOP_GRACE_S
        waiting = list(self._running.values())
        while waiting and time.monotonic() < deadline:
            for process in waiting:
                process.stop(grace_s=STOP_GRACE_S)
            select.select(waiting, [], [], ASK_AGAIN_S)
            waiting = [process for process in waiting if process.poll() is None]


async def _stop(process: Supervised) -> None:
    """Ask the process to end until it has; an order that meets its supervisor still starting can be overlooked."""
    while process.fileno() >= 0:
        process.stop(grace_s=GRACE_S)
        await asyncio.sleep(ASK_AGAIN_S)


def state_of(job: Any) -> str:
    """The job's state by name."""
    return str(job.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[job.state].name)
