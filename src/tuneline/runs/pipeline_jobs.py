"""Pipeline jobs over REST: made, read, listed and cancelled, on Vertex AI or on the local one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tuneline.errors import AlreadyExists
from tuneline.google import rest
from tuneline.runs import templates
from tuneline.runs.request import RunRequest

ENDED = {"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"}


def parent(project: str, region: str) -> str:
    return f"/v1/projects/{project}/locations/{region}"


def create(request: RunRequest) -> dict[str, object]:
    """Make the pipeline job of `request`, once: its id is the lock, so an id that is taken is this very job.

    Raises `UsageError` where the service refuses parameters, and any other `ServiceError` with its own words.
    """
    path = f"{parent(request.project, request.region)}/pipelineJobs"
    try:
        return rest.call(
            "POST",
            "aiplatform",
            path,
            location=request.region,
            body=resource_of(request),
            params={"pipelineJobId": request.job_id},
        )
    except AlreadyExists:
        return get(f"{path.removeprefix('/v1/')}/{request.job_id}")


def resource_of(request: RunRequest) -> dict[str, object]:
    """The request as `google.cloud.aiplatform.v1.PipelineJob` has it."""
    spec = templates.spec(request.template, image=request.image or None)
    body: dict[str, object] = {
        "displayName": request.display_name or request.job_id,
        "pipelineSpec": spec,
        "runtimeConfig": {"gcsOutputDirectory": request.pipeline_root, "parameterValues": dict(request.parameters)},
        "labels": {"tuneline-template": request.template, **request.labels},
    }
    if request.service_account:
        body["serviceAccount"] = request.service_account
    if request.network:
        body["network"] = request.network
    key = request.parameters.get("encryption_spec_key_name")
    if key:
        body["encryptionSpec"] = {"kmsKeyName": key}
    return body


def get(name: str) -> dict[str, object]:
    """The job as the service tells it now; `name` is the full resource name."""
    return rest.call("GET", "aiplatform", f"/v1/{name}", location=_location(name))


def list_jobs(project: str, region: str) -> Iterator[dict[str, object]]:
    """All pipeline jobs of a project in a region, newest first."""
    return rest.paged("aiplatform", f"{parent(project, region)}/pipelineJobs", "pipelineJobs", location=region)


def cancel(name: str) -> None:
    """Ask for the job to be cancelled; it ends as CANCELLED when its steps have stopped."""
    rest.call("POST", "aiplatform", f"/v1/{name}:cancel", location=_location(name), body={})


def ended(job: Mapping[str, object]) -> bool:
    return job.get("state") in ENDED


def _location(name: str) -> str:
    return name.split("/")[3]
