"""CustomJob: a real process of the trainer on this machine, in place of the machines that the job asks for.

States go PENDING → RUNNING → SUCCEEDED, FAILED or CANCELLED. A process dies with the service and is started again by
the next one; the trainer then resumes from its last checkpoint. Only our trainer's image is run: the program in any
other image is not on this machine, so such a job is refused.
"""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from tuneline.local.children import ended
from tuneline.local.processes import Exit, Supervised, exit_of, log_tail, spawn
from tuneline.local.resources.behaviour import ApiError, PassiveBehaviour, behaviour, invalid
from tuneline.local.resources.names import id_of, part

TRAINER_IMAGE = "tuneline-trainer"
MODULE = ["-m", "tuneline.trainer"]
RESUME = 75
"""The trainer's exit code for "start me again": docs/trainer.md."""
MOST_RESUMES_IN_A_ROW = 20
"""A process that only ever asks to be started again is broken."""
SLOTS = max(2, os.cpu_count() or 1)
"""Jobs that run at a time; others stay PENDING."""
GRACE_S = 10.0
ASK_AGAIN_S = 0.5
STOP_GRACE_S = 5.0
"""What a job gets to write a checkpoint when the service itself ends."""
LONGEST_S = 7 * 24 * 3600.0
"""The service's default `scheduling.timeout`."""

LIVE = frozenset({"JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_CANCELLING"})
_SIGNS = {2: "INVALID_ARGUMENT", 3: "INVALID_ARGUMENT"}
_CODES = {"CANCELLED": 1, "INVALID_ARGUMENT": 3, "DEADLINE_EXCEEDED": 4, "INTERNAL": 13}


@behaviour
class CustomJobs(PassiveBehaviour):
    """Runs custom jobs of the trainer."""

    kind = "CustomJob"

    def __init__(self) -> None:
        self._running: dict[str, Supervised] = {}
        self._slots = asyncio.Semaphore(SLOTS)

    def creating(self, service: Any, resource: Any, request: Any) -> None:
        """Refuse what cannot be run here, before anything is stored."""
        pools = resource.job_spec.worker_pool_specs
        if not pools:
            raise invalid("customJob.jobSpec.workerPoolSpecs", "At least one worker pool is needed.")
        command(resource)
        resource.state = "JOB_STATE_PENDING"

    def created(self, service: Any, resource: Any) -> None:
        self._start(service, resource.name)

    def cancel(self, service: Any, resource: Any) -> None:
        """Stop the process, politely first; a job that has ended refuses."""
        state = state_of(resource)
        if state not in LIVE:
            raise ApiError(
                "FAILED_PRECONDITION", f"The job '{resource.name}' has ended ({state}) and cannot be cancelled."
            )
        if state == "JOB_STATE_CANCELLING":
            return
        process = self._running.get(resource.name)
        if process is None:
            _end(service, resource, "JOB_STATE_CANCELLED", "CANCELLED", "The job was cancelled before it ran.")
            return
        resource.state = "JOB_STATE_CANCELLING"
        service.store.put(resource)
        service.background(_stop(process), name=f"cancel {resource.name}")

    def deleting(self, service: Any, resource: Any) -> None:
        """Only what has ended goes, and its folder with it."""
        if state_of(resource) in LIVE:
            raise ApiError("FAILED_PRECONDITION", f"The job '{resource.name}' still runs: cancel it first.")
        shutil.rmtree(folder_of(service, resource.name), ignore_errors=True)

    def recover(self, service: Any) -> None:
        """Take up every job that had not ended when the last service did."""
        self._running.clear()
        self._slots = asyncio.Semaphore(SLOTS)
        service.at_stop(lambda: self._stop_all(service))
        for job in service.store.list(self.kind):
            if state_of(job) in LIVE:
                self._start(service, job.name)

    def _start(self, service: Any, name: str) -> None:
        service.hold(name, "custom job")
        service.background(self._supervise(service, name), name=name)

    async def _supervise(self, service: Any, name: str) -> None:
        """Run the job's process until the job has ended, however often the process wants to be started again."""
        try:
            async with self._slots:
                await self._run(service, name)
        except ApiError as error:
            job = service.store.find(name)
            if job is not None:
                _end(service, job, "JOB_STATE_FAILED", error.code, error.message)
        finally:
            self._running.pop(name, None)
            service.release(name)

    async def _run(self, service: Any, name: str) -> None:
        folder = folder_of(service, name)
        outcome = _left_behind(service, folder, name)
        resumes = 0
        while True:
            job = service.store.find(name)
            if job is None or state_of(job) not in LIVE:
                return
            if state_of(job) == "JOB_STATE_CANCELLING":
                _end(service, job, "JOB_STATE_CANCELLED", "CANCELLED", "The job was cancelled.")
                return
            if outcome is None:
                outcome = await self._once(service, job, folder)
                job = service.store.find(name)
                if job is None:
                    return
            cancelled = state_of(job) == "JOB_STATE_CANCELLING"
            if outcome is not None and (outcome.code != RESUME or cancelled):
                _conclude(service, job, outcome, folder)
                return
            resumes += 1
            if resumes > MOST_RESUMES_IN_A_ROW:
                _end(service, job, "JOB_STATE_FAILED", "INTERNAL", "The trainer asked to be resumed again and again.")
                return
            outcome = None

    async def _once(self, service: Any, job: Any, folder: Path) -> Exit | None:
        """One process from start to end; None if the job had no time left and was ended here."""
        process = spawn(folder, command(job), environment(service, job), grace_s=GRACE_S)
        self._running[job.name] = process
        job.state = "JOB_STATE_RUNNING"
        if not job.HasField("start_time"):
            job.start_time.FromDatetime(service.now())
        service.store.put(job, private={})
        service.stand_ins[job.name] = stand_in(job)
        asked = job.job_spec.scheduling.timeout.ToTimedelta().total_seconds() or LONGEST_S
        spent = (service.now() - job.start_time.ToDatetime(tzinfo=service.now().tzinfo)).total_seconds()
        try:
            return await asyncio.wait_for(ended(process), max(0.0, asked - spent))
        except TimeoutError:
            await asyncio.gather(_stop(process), ended(process))
            late = service.store.get(job.name)
            message = f"The job ran for {asked:g} s, which is its scheduling.timeout."
            _end(service, late, "JOB_STATE_FAILED", "DEADLINE_EXCEEDED", message)
            return None
        finally:
            self._running.pop(job.name, None)
            process.close()

    def _stop_all(self, service: Any) -> None:
        """The service ends: ask every trainer for a checkpoint, and remember that its end is not the job's."""
        for name in self._running:
            service.store.remember(name, {"interrupted": True})
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


def _left_behind(service: Any, folder: Path, name: str) -> Exit | None:
    """How a process ended that nobody was there to hear of; None if it was cut short and must run again."""
    found = exit_of(folder)
    if found is None or found.code == RESUME:
        return None
    cut_short = found.orphaned or service.store.private(name).get("interrupted", False)
    return None if cut_short and not found.ok else found


def _conclude(service: Any, job: Any, outcome: Exit, folder: Path) -> None:
    """Write down the job's end from its process's."""
    if state_of(job) == "JOB_STATE_CANCELLING":
        _end(service, job, "JOB_STATE_CANCELLED", "CANCELLED", "The job was cancelled.")
    elif outcome.ok:
        _end(service, job, "JOB_STATE_SUCCEEDED", "", "")
    else:
        tail = log_tail(folder)
        last = tail.rstrip().rpartition("\n")[2] or "It wrote no log."
        message = f"{last}\nThe replica workerpool0-0 ended with {outcome}. The end of its log:\n{tail}"
        _end(service, job, "JOB_STATE_FAILED", _SIGNS.get(outcome.code or -1, "INTERNAL"), message)


def _end(service: Any, job: Any, state: str, code: str, message: str) -> None:
    job.state = state
    job.end_time.FromDatetime(service.now())
    if code:
        job.error.code = _CODES.get(code, 13)
        job.error.message = message
    service.store.put(job, private={})


def state_of(job: Any) -> str:
    """The job's state by name."""
    return str(job.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[job.state].name)


def folder_of(service: Any, name: str) -> Path:
    """Where the job's process has its log, its lock and its exit record."""
    return Path(service.data) / "jobs" / id_of(name)


def command(job: Any) -> list[str]:
    """The process that stands in for the job's container; raises ApiError where the container is not our trainer's."""
    pool = job.job_spec.worker_pool_specs[0]
    if pool.WhichOneof("task") != "container_spec":
        raise ApiError(
            "UNIMPLEMENTED", "The local Vertex AI runs custom jobs with a containerSpec of tuneline's trainer only."
        )
    image = pool.container_spec.image_uri
    basename = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    line = [*pool.container_spec.command, *pool.container_spec.args]
    if not basename.startswith(TRAINER_IMAGE):
        raise ApiError(
            "UNIMPLEMENTED",
            f"The local Vertex AI does not run the image '{image}': its program is not on this machine, and no other "
            f"is run in its place. What it runs is the trainer, in an image named {TRAINER_IMAGE}….",
            reason="IMAGE_NOT_RUN_LOCALLY",
            metadata={"image": image},
        )
    if line[1:3] != MODULE or not Path(line[0]).name.startswith("python"):
        raise invalid(
            "customJob.jobSpec.workerPoolSpecs[0].containerSpec.command",
            f"'{' '.join(line[:3])}' is not how the trainer starts: python -m tuneline.trainer --config … --output …",
        )
    return [sys.executable, *line[1:]]


def environment(service: Any, job: Any) -> dict[str, str]:
    """What the job's process sees: the container's own variables over ours, and who it is."""
    spec = job.job_spec
    own = {each.name: each.value for each in spec.worker_pool_specs[0].container_spec.env}
    found = {**service.environment("trainer", name=job.name), **own}
    found["TUNELINE_LOCAL_URL"] = found["STORAGE_EMULATOR_HOST"] = service.url
    found["CLOUD_ML_JOB_ID"] = id_of(job.name)
    found["CLOUD_ML_PROJECT_ID"] = part(job.name, "projects")
    found["TUNELINE_JOB_NAME"] = job.name
    output = spec.base_output_directory.output_uri_prefix.rstrip("/")
    if output:
        # What Vertex AI sets beside baseOutputDirectory: cloud.google.com/vertex-ai/docs/training/code-requirements.
        found["AIP_MODEL_DIR"] = f"{output}/model/"
        found["AIP_CHECKPOINT_DIR"] = f"{output}/checkpoints/"
        found["AIP_TENSORBOARD_LOG_DIR"] = f"{output}/logs/"
    return found


def stand_in(job: Any) -> str:
    """Which machines the job asked for and what it runs on, in words."""
    machine = job.job_spec.worker_pool_specs[0].machine_spec.machine_type or "the machine asked for"
    return (
        f"a process on this machine stands in for {machine}; builtin:tiny stands in for a base model that the local "
        "object store does not hold (the job's result.json names it)"
    )
