"""What CustomJobs and TuningJobs have in common: the REST calls of one collection of jobs in a project and region."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from tuneline import errors
from tuneline.google import rest
from tuneline.jobs.engines import LABEL_FINGERPRINT, Claim, Request
from tuneline.jobs.model import Job, JobState, parse_time

# More is coerced down to what the service allows: google.aip.dev/158.
_PAGE = "1000"
_LOOK_S = 30.0


class VertexJobs(ABC):
    """Jobs over REST: no SDK is imported, so that a short step starts fast."""

    collection = ""
    """`customJobs` or `tuningJobs`."""
    filters_labels = False
    """Whether the collection's list is documented to filter by label."""

    @abstractmethod
    def stamped(self, request: Request, claim: Claim) -> dict[str, Any]:
        """The resource to send: the request's body with its names and the claim's marks."""

    def create(self, request: Request, claim: Claim, *, timeout_s: float) -> Job:
        """See `Engine.create`."""
        answer = rest.call(
            "POST",
            "aiplatform",
            self._path(request.project, request.location),
            body=self.stamped(request, claim),
            retry=False,
            timeout_s=timeout_s,
        )
        return job_of(answer)

    def find(self, project: str, location: str, fingerprint: str) -> list[Job]:
        """See `Engine.find`."""
        # The filter only saves pages; what carries the label is decided here.
        params = {"filter": f'labels.{LABEL_FINGERPRINT}="{fingerprint}"'} if self.filters_labels else {}
        listed = self._list(project, location, params)
        return [job for job in listed if job.labels.get(LABEL_FINGERPRINT) == fingerprint]

    def get(self, name: str) -> Job:
        """See `Engine.get`."""
        return job_of(rest.call("GET", "aiplatform", f"/v1/{name}", timeout_s=_LOOK_S))

    def list(self, project: str, location: str) -> Iterator[Job]:
        """See `Engine.list`."""
        return self._list(project, location, {})

    def cancel(self, name: str) -> None:
        """See `Engine.cancel`."""
        try:
            rest.call("POST", "aiplatform", f"/v1/{name}:cancel", timeout_s=_LOOK_S)
        except errors.InvalidArgument:
            # Too late to cancel is refused as a failed precondition: no error, if it is that.
            if self.get(name).state.live:
                raise

    def full_name(self, project: str, location: str, identifier: str) -> str:
        """See `Engine.full_name`."""
        if "/" in identifier:
            return identifier
        return f"projects/{project}/locations/{location}/{self.collection}/{identifier}"

    def _path(self, project: str, location: str) -> str:
        return f"/v1/projects/{project}/locations/{location}/{self.collection}"

    def _list(self, project: str, location: str, params: Mapping[str, str]) -> Iterator[Job]:
        pages = rest.paged(
            "aiplatform", self._path(project, location), self.collection, params={"pageSize": _PAGE, **params}
        )
        return (job_of(resource) for resource in pages)


def job_of(resource: Mapping[str, Any]) -> Job:
    """A CustomJob or TuningJob of the REST API in our shape."""
    error = resource.get("error") or {}
    output = (resource.get("jobSpec") or {}).get("baseOutputDirectory") or {}
    return Job(
        name=str(resource.get("name") or ""),
        state=JobState.parse(resource.get("state")),
        display_name=str(resource.get("displayName") or resource.get("tunedModelDisplayName") or ""),
        labels=dict(resource.get("labels") or {}),
        error=str(error.get("message") or ""),
        error_code=int(error.get("code") or 0),
        detail=str(resource.get("tuningJobState") or "").removeprefix("TUNING_JOB_STATE_"),
        created=parse_time(resource.get("createTime")),
        started=parse_time(resource.get("startTime")),
        ended=parse_time(resource.get("endTime")),
        output_uri=str(output.get("outputUriPrefix") or ""),
        raw=resource,
    )
