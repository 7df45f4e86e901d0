"""Schedules of pipeline runs: made once, however often they are asked for; listed, paused, resumed, deleted.

A schedule takes no id and carries no labels of its own, so the marks of exactly-once (`docs/exactly-once.md`) stand in
the labels of the pipeline job that it makes again and again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tuneline import jobs
from tuneline.google import rest
from tuneline.jobs.engines import LABEL_FINGERPRINT
from tuneline.jobs.model import parse_time
from tuneline.runs import pipeline_jobs
from tuneline.runs.request import RunRequest, job_id

# google.cloud.aiplatform.v1.Schedule.State; a schedule that is paused is there, and may go on.
_STATES = {
    "ACTIVE": jobs.JobState.RUNNING,
    "PAUSED": jobs.JobState.PAUSED,
    "COMPLETED": jobs.JobState.SUCCEEDED,
}


class Schedules:
    """Schedules, as the rules of exactly-once make them."""

    name = "schedules"

    def create(self, request: jobs.Request, claim: jobs.Claim, *, timeout_s: float) -> jobs.Job:
        """See `Maker.create`."""
        body: dict[str, Any] = {**request.body, "displayName": request.display_name}
        inner = body["createPipelineJobRequest"]
        job = inner["pipelineJob"]
        labels = {**request.labels, **claim.labels}
        body["createPipelineJobRequest"] = {**inner, "pipelineJob": {**job, "labels": labels}}
        path = f"{pipeline_jobs.parent(request.project, request.location)}/schedules"
        return _job(rest.call("POST", "aiplatform", path, body=body, retry=False, timeout_s=timeout_s))

    def find(self, project: str, location: str, fingerprint: str) -> list[jobs.Job]:
        """See `Maker.find`."""
        found = (_job(each) for each in list_schedules(project, location))
        return [each for each in found if each.labels.get(LABEL_FINGERPRINT) == fingerprint]

    def get(self, name: str) -> jobs.Job:
        """See `Maker.get`."""
        return _job(get(name))

    def cancel(self, name: str) -> None:
        """Deletes a schedule that should not be; what it has started is left alone."""
        delete(name)

    def intact(self, job: jobs.Job) -> bool:
        """See `Maker.intact`: a schedule that has come to its end is not made again."""
        return True

    def full_name(self, project: str, location: str, identifier: str) -> str:
        """See `Maker.full_name`."""
        return name_of(identifier, project, location)


def apply(request: RunRequest, *, cron: str, staging: str = "", most_at_once: int = 1) -> jobs.Submission:
    """Makes the schedule that starts this run at the times of `cron`, or adopts the one that was made of it before.

    Another cron line, template, image or parameter is another schedule; the older one is left as it is.

    Args:
        request: the run; its job id plays no part, since each run gets one of its own.
        cron: five fields, with `TZ=Europe/Berlin ` before them where another time zone than UTC is meant.
        staging: bucket or folder of the ledger; `''`: the bucket of the pipeline root.
        most_at_once: runs that may go on at the same time.

    Raises:
        ServiceError: the service's refusal, in its own words.
    """
    parent = pipeline_jobs.parent(request.project, request.region).removeprefix("/v1/")
    job = pipeline_jobs.resource_of(request)
    labels = job.pop("labels")
    assert isinstance(labels, Mapping)  # `resource_of` made it
    name = request.display_name or request.template
    wanted = jobs.Request(
        project=request.project,
        location=request.region,
        display_name=name,
        body={
            "cron": cron,
            "maxConcurrentRunCount": str(most_at_once),
            "createPipelineJobRequest": {"parent": parent, "pipelineJob": {**job, "displayName": name}},
        },
        staging=staging or "gs://" + request.pipeline_root.removeprefix("gs://").partition("/")[0],
        labels=labels,
        on_cancel="leave",
    )
    return jobs.submit(Schedules(), wanted)


def get(name: str) -> dict[str, Any]:
    """The schedule as the service tells it now."""
    return rest.call("GET", "aiplatform", f"/v1/{name}")


def list_schedules(project: str, region: str) -> Iterator[dict[str, Any]]:
    """All schedules of a project in a region."""
    path = f"{pipeline_jobs.parent(project, region)}/schedules"
    return rest.paged("aiplatform", path, "schedules", params={"pageSize": "100"})


def pause(name: str) -> None:
    """Starts no further run until it is resumed."""
    rest.call("POST", "aiplatform", f"/v1/{name}:pause", body={})


def resume(name: str) -> None:
    """Starts runs again, from the next time on."""
    rest.call("POST", "aiplatform", f"/v1/{name}:resume", body={})


def run_now(name: str) -> dict[str, Any]:
    """Starts one run as the schedule would, under an id of its own, and returns the pipeline job."""
    inner = get(name)["createPipelineJobRequest"]
    job = inner["pipelineJob"]
    template = str((job.get("labels") or {}).get("tuneline-template") or "scheduled")
    # The marks of the schedule are not the run's: they would make it look like one of the schedule's own.
    labels = {key: value for key, value in (job.get("labels") or {}).items() if not key.startswith("tuneline_")}
    return rest.call(
        "POST",
        "aiplatform",
        f"/v1/{inner['parent']}/pipelineJobs",
        body={**job, "labels": labels},
        params={"pipelineJobId": job_id(template)},
    )


def delete(name: str) -> None:
    """Removes the schedule; what it has started is left alone."""
    rest.call("DELETE", "aiplatform", f"/v1/{name}")


def name_of(schedule: str, project: str, region: str) -> str:
    """The resource name of a bare id; a full name is returned as it is."""
    return schedule if "/" in schedule else f"projects/{project}/locations/{region}/schedules/{schedule}"


def _job(resource: Mapping[str, Any]) -> jobs.Job:
    inner = (resource.get("createPipelineJobRequest") or {}).get("pipelineJob") or {}
    return jobs.Job(
        name=str(resource.get("name") or ""),
        state=_STATES.get(str(resource.get("state") or ""), jobs.JobState.UNSPECIFIED),
        display_name=str(resource.get("displayName") or ""),
        labels=dict(inner.get("labels") or {}),
        created=parse_time(resource.get("createTime")),
        raw=resource,
    )
