"""Pipeline jobs over REST: made, read, listed and cancelled, on Vertex AI or on the local one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tuneline import planning
from tuneline.errors import AlreadyExists, Problem, UsageError
from tuneline.google import rest
from tuneline.runs import templates
from tuneline.runs.request import RunRequest

ENDED = {"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"}


def parent(project: str, region: str) -> str:
    return f"/v1/projects/{project}/locations/{region}"


def create(request: RunRequest) -> dict[str, object]:
    """Make the pipeline job of `request`, once: its id is the lock, so a job of that id and request is this very job.

    Raises `UsageError` where the id is another request's, and any `ServiceError` with the service's own words.
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
        found = get(f"{path.removeprefix('/v1/')}/{request.job_id}")
    if not _same(request, found):
        what = f"{request.job_id} is the job of another request"
        raise UsageError([Problem(where="pipelineJobId", what=what, fix="take another id, or leave it out")])
    return found


def stood_in(job: Mapping[str, object]) -> str:
    """The template of ours that was run in place of a hosted one, as the local service does; `''` elsewhere."""
    labels = job.get("labels")
    return str(labels.get("tuneline-served-template") or "") if isinstance(labels, Mapping) else ""


def _same(request: RunRequest, job: Mapping[str, object]) -> bool:
    """Whether a job is of this template and parameters; the service may have typed them, and filled in defaults."""
    labels, runtime = job.get("labels"), job.get("runtimeConfig")
    if not isinstance(labels, Mapping) or labels.get("tuneline-template") != request.template:
        return False
    given = runtime.get("parameterValues") if isinstance(runtime, Mapping) else None
    return isinstance(given, Mapping) and planning.same_values(request.template, request.parameters, given)


def resource_of(request: RunRequest) -> dict[str, object]:
    """The request as `google.cloud.aiplatform.v1.PipelineJob` has it."""
    if request.template_uri:
        pipeline: dict[str, object] = {"templateUri": request.template_uri}
    else:
        pipeline = {"pipelineSpec": templates.spec(request.template, image=request.image or None)}
    body: dict[str, object] = {
        "displayName": request.display_name or request.job_id,
        **pipeline,
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
