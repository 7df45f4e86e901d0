"""The engine `custom_training`: our trainer in a Vertex AI CustomJob, on the slice that the plan names."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from tuneline import errors, objects
from tuneline.google import rest
from tuneline.jobs.engines import LABEL_FINGERPRINT, Claim, Request
from tuneline.jobs.model import Job, JobState, parse_time
from tuneline.jobs.training_request import request

__all__ = ["CustomTraining", "request"]

_PAGE = 100


class CustomTraining:
    """CustomJobs over REST: no SDK is imported, so that a short step starts fast."""

    name = "custom_training"

    def create(self, request: Request, claim: Claim, *, timeout_s: float) -> Job:
        """See `Engine.create`."""
        answer = rest.call(
            "POST",
            "aiplatform",
            f"{_parent(request.project, request.location)}/customJobs",
            location=request.location,
            body=stamped(request, claim),
            retry=False,
            timeout_s=timeout_s,
        )
        return job_of(answer)

    def find(self, project: str, location: str, fingerprint: str) -> list[Job]:
        """See `Engine.find`."""
        # The filter saves pages; whether a page is rightly filtered is looked at here.
        listed = self._list(project, location, {"filter": f'labels.{LABEL_FINGERPRINT}="{fingerprint}"'})
        return [job for job in listed if job.labels.get(LABEL_FINGERPRINT) == fingerprint]

    def get(self, name: str) -> Job:
        """See `Engine.get`."""
        return job_of(rest.call("GET", "aiplatform", f"/v1/{name}", timeout_s=30.0))

    def list(self, project: str, location: str) -> Iterator[Job]:
        """See `Engine.list`."""
        return self._list(project, location, {})

    def cancel(self, name: str) -> None:
        """See `Engine.cancel`."""
        try:
            rest.call("POST", "aiplatform", f"/v1/{name}:cancel", timeout_s=30.0)
        except errors.InvalidArgument:
            # Too late to cancel is refused as a failed precondition: no error, if it is that.
            if self.get(name).state.live:
                raise

    def intact(self, job: Job) -> bool:
        """See `Engine.intact`."""
        return objects.exists(_result_uri(job.output_uri))

    def result(self, name: str, *, output_uri: str = "") -> dict[str, object]:
        """See `Engine.result`; the trainer's `result.json`, which it writes last."""
        uri = _result_uri(output_uri or self.get(name).output_uri)
        try:
            return objects.read_json(uri)
        except errors.NotFound as error:
            raise errors.NotFound(
                f"{name} has left no result at {uri}: it did not run to its end, or its output was deleted", status=404
            ) from error

    def logs(self, name: str, *, output_uri: str = "") -> Iterator[str]:
        """See `Engine.logs`; the training metrics as they are written, a line each.

        What the trainer prints besides goes to Cloud Logging, whose page `Job.raw` leads to.
        """
        uri = objects.join(output_uri or self.get(name).output_uri, "metrics.jsonl")
        try:
            yield from objects.read_text(uri).splitlines()
        except errors.NotFound:
            return  # not begun to train yet

    def full_name(self, project: str, location: str, identifier: str) -> str:
        """See `Engine.full_name`."""
        if "/" in identifier:
            return identifier
        return f"projects/{project}/locations/{location}/customJobs/{identifier}"

    def _list(self, project: str, location: str, params: Mapping[str, str]) -> Iterator[Job]:
        pages = rest.paged(
            "aiplatform",
            f"{_parent(project, location)}/customJobs",
            "customJobs",
            location=location,
            params={"pageSize": str(_PAGE), **params},
        )
        return (job_of(resource) for resource in pages)


def stamped(request: Request, claim: Claim) -> dict[str, Any]:
    """The CustomJob to send: the request's body with names, labels, the claim's marks and the attempt's output folder.

    The trainer finds in its environment whose job it is (`TUNELINE_NONCE`) and where that is decided
    (`TUNELINE_CLAIM`): it trains only if it is the job named there.
    """
    body = copy.deepcopy(dict(request.body))
    body["displayName"] = request.display_name
    body["labels"] = {**request.labels, **claim.labels}
    spec = body["jobSpec"]
    spec["baseOutputDirectory"] = {"outputUriPrefix": claim.output_uri}
    for pool in spec["workerPoolSpecs"]:
        container = pool["containerSpec"]
        container["args"] = [*container["args"], "--output", claim.output_uri]
        container["env"] = [
            *container.get("env", []),
            {"name": "TUNELINE_NONCE", "value": claim.nonce},
            {"name": "TUNELINE_CLAIM", "value": claim.judge_uri},
        ]
    return body


def job_of(resource: Mapping[str, Any]) -> Job:
    """A CustomJob of the REST API in our shape."""
    error = resource.get("error") or {}
    output = (resource.get("jobSpec") or {}).get("baseOutputDirectory") or {}
    return Job(
        name=str(resource.get("name") or ""),
        state=JobState.parse(resource.get("state")),
        display_name=str(resource.get("displayName") or ""),
        labels=dict(resource.get("labels") or {}),
        error=str(error.get("message") or ""),
        error_code=int(error.get("code") or 0),
        created=parse_time(resource.get("createTime")),
        started=parse_time(resource.get("startTime")),
        ended=parse_time(resource.get("endTime")),
        output_uri=str(output.get("outputUriPrefix") or ""),
        raw=resource,
    )


def _parent(project: str, location: str) -> str:
    return f"/v1/projects/{project}/locations/{location}"


def _result_uri(output_uri: str) -> str:
    return objects.join(output_uri, "result.json")
