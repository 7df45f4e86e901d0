"""Schedule: pipeline jobs made by cron, by the service's clock, each once.

The id of a run's job is made of the schedule's and the run's time, so that a crash between making the job and writing
it down makes no second one.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from tuneline.local import cron
from tuneline.local.resources.behaviour import ApiError, Call, PassiveBehaviour, behaviour, invalid, method
from tuneline.local.resources.names import check_location, id_of

SERVICE = "google.cloud.aiplatform.{v}.ScheduleService."
CREATE = "google.cloud.aiplatform.v1beta1.PipelineService.CreatePipelineJob"
LOOK_EVERY_S = 0.5
ACTIVE, PAUSED, COMPLETED = 1, 2, 3
_LIVE = frozenset(
    {"PIPELINE_STATE_QUEUED", "PIPELINE_STATE_PENDING", "PIPELINE_STATE_RUNNING", "PIPELINE_STATE_CANCELLING"}
)

log = logging.getLogger("tuneline.local")


@behaviour
class Schedules(PassiveBehaviour):
    """Schedules of pipeline jobs."""

    kind = "Schedule"

    def creating(self, service: Any, resource: Any, request: Any) -> None:
        """Check it whole; its first run is the first time after now and after its start."""
        if not resource.HasField("create_pipeline_job_request"):
            raise ApiError(
                "UNIMPLEMENTED", "The local Vertex AI schedules pipeline jobs: send schedule.createPipelineJobRequest."
            )
        if resource.max_concurrent_run_count < 1:
            raise invalid("schedule.maxConcurrentRunCount", "must be at least 1.")
        inner = resource.create_pipeline_job_request
        inner.parent = service.projects.by_id(inner.parent)
        check_location(inner.parent, "schedule.createPipelineJobRequest.parent")
        if not resource.HasField("start_time"):
            resource.start_time.FromDatetime(service.now())
        resource.state = ACTIVE
        _plan(service, resource)

    def created(self, service: Any, resource: Any) -> None:
        service.hold(resource.name, "schedule")

    def updating(self, service: Any, resource: Any, before: Any) -> None:
        """A new time is planned anew; what is running goes on."""
        if resource.state == ACTIVE:
            _plan(service, resource)

    def deleting(self, service: Any, resource: Any) -> None:
        service.release(resource.name)

    def recover(self, service: Any) -> None:
        """Runs missed while no service ran are made up for only where the schedule says `catchUp`."""
        for schedule in service.store.list(self.kind):
            if schedule.state != ACTIVE:
                continue
            service.hold(schedule.name, "schedule")
            if _time(schedule.next_run_time) < service.now() and not schedule.catch_up:
                _plan(service, schedule)
                service.store.put(schedule)
        service.background(self._watch(service), name="schedules")

    async def _watch(self, service: Any) -> None:
        while True:
            for schedule in list(service.store.list(self.kind)):
                while await self._due(service, schedule.name):
                    await asyncio.sleep(0)  # a clock moved far forward makes many runs; others have their turn
            await asyncio.sleep(LOOK_EVERY_S)

    async def _due(self, service: Any, name: str) -> bool:
        """Make the job of one due time, or pass over it, and plan the next; False if nothing was due."""
        schedule = service.store.find(name)
        if schedule is None or schedule.state != ACTIVE or _time(schedule.next_run_time) > service.now():
            return False
        due = _time(schedule.next_run_time)
        if _active(service, name) >= schedule.max_concurrent_run_count:
            if schedule.allow_queueing:
                return False  # it is looked at again
            said = "The run was skipped: maxConcurrentRunCount runs were active."
        else:
            said = await self._run(service, schedule, due)
        schedule = service.store.find(name)
        if schedule is None:
            return False
        schedule.last_scheduled_run_response.scheduled_run_time.FromDatetime(due)
        schedule.last_scheduled_run_response.run_response = said
        if said == "OK":
            schedule.started_run_count += 1
        _plan(service, schedule, after=due)
        if schedule.state == COMPLETED:
            service.release(name)
        service.store.put(schedule)
        return True

    async def _run(self, service: Any, schedule: Any, due: datetime) -> str:
        request = type(schedule.create_pipeline_job_request).FromString(
            schedule.create_pipeline_job_request.SerializeToString()
        )
        request.pipeline_job_id = f"schedule-{id_of(schedule.name)}-{due:%Y%m%d%H%M%S}"
        rpc = service.api.methods[CREATE]
        call = Call(method=rpc.full_name, transport="schedule", version=rpc.version)
        try:
            job = await service.engine.call(rpc, request, call)
        except ApiError as error:
            if error.code != "ALREADY_EXISTS":
                log.warning("%s: the run of %s was refused: %s", schedule.name, due.isoformat(), error.message)
                return error.message
            job = None
        if job is not None:
            stored = service.store.get(job.name)
            stored.schedule_name = schedule.name
            service.store.put(stored)
        return "OK"


def _plan(service: Any, schedule: Any, *, after: datetime | None = None) -> None:
    """Set the next run after a time (now), or complete the schedule. Raises ApiError for a cron that is none."""
    try:
        times = cron.parse(schedule.cron)
    except ValueError as error:
        raise invalid("schedule.cron", f"'{schedule.cron}' is no cron expression: {error}.") from None
    start = _time(schedule.start_time)
    following = times.after(max(after or service.now(), start)) if start <= service.now() else times.after(start)
    over = schedule.HasField("end_time") and following > _time(schedule.end_time)
    if over or (schedule.max_run_count and schedule.started_run_count >= schedule.max_run_count):
        schedule.state = COMPLETED
        schedule.ClearField("next_run_time")
        return
    schedule.next_run_time.FromDatetime(following)


def _time(stamp: Any) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)


def _active(service: Any, name: str) -> int:
    """How many jobs of the schedule have not ended."""
    from tuneline.local.resources.standard import behaviour_of

    count = 0
    parent = name.rpartition("/schedules/")[0]
    for job in service.store.list("PipelineJob", parent):
        if job.schedule_name != name:
            continue
        behaviour_of("PipelineJob").reading(service, job)
        state = job.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[job.state].name
        count += state in _LIVE
    return count


@method(SERVICE + "PauseSchedule")
def pause_schedule(service: Any, request: Any, call: Call) -> Any:
    """No run begins until it is resumed; those that run go on."""
    schedule = service.store.get(request.name)
    if schedule.state != ACTIVE:
        raise ApiError("FAILED_PRECONDITION", f"'{request.name}' is not active and cannot be paused.")
    schedule.state = PAUSED
    schedule.last_pause_time.FromDatetime(service.now())
    service.store.put(schedule)
    service.release(schedule.name)
    return service.api.new("google.protobuf.Empty")


@method(SERVICE + "ResumeSchedule")
def resume_schedule(service: Any, request: Any, call: Call) -> Any:
    """Go on; with `catchUp`, what fell into the pause is made up for, in order."""
    schedule = service.store.get(request.name)
    if schedule.state != PAUSED:
        raise ApiError("FAILED_PRECONDITION", f"'{request.name}' is not paused and cannot be resumed.")
    schedule.state = ACTIVE
    schedule.last_resume_time.FromDatetime(service.now())
    schedule.catch_up = request.catch_up
    if not request.catch_up:
        _plan(service, schedule)
    service.store.put(schedule)
    service.hold(schedule.name, "schedule")
    return service.api.new("google.protobuf.Empty")
