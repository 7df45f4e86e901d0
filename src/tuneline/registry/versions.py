"""Versions of a model: the service numbers them, so it is the ledger that keeps one upload from becoming two.

A version is made by the rules of exactly-once, as a job is (`docs/exactly-once.md`): marked by labels, found by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneline import errors, jobs
from tuneline.google import rest
from tuneline.jobs.engines import LABEL_FINGERPRINT
from tuneline.jobs.model import parse_time
from tuneline.registry import models, operations


class ModelVersions:
    """The versions of one model, as the rules of exactly-once make them."""

    name = "model_versions"

    def __init__(self, parent: str) -> None:
        self.parent = parent
        """`projects/P/locations/L/models/M`."""

    def create(self, request: jobs.Request, claim: jobs.Claim, *, timeout_s: float) -> jobs.Job:
        """See `Maker.create`; the upload's operation is waited for, since only its response names the version."""
        body = {**request.body, "model": {**_model(request), "labels": {**request.labels, **claim.labels}}}
        path = f"/v1/projects/{request.project}/locations/{request.location}/models:upload"
        operation = rest.call("POST", "aiplatform", path, body=body, retry=False, timeout_s=timeout_s)
        try:
            made = operations.wait(operation, location=request.location, deadline_s=timeout_s)
        except errors.StillRunning as error:
            raise errors.Unavailable(str(error)) from error
        except errors.ServiceError as error:
            # A status is the answer to a look at the operation, which says nothing of the upload; the operation's own
            # error has none, and is the refusal.
            if error.status or isinstance(error, errors.Unavailable):
                raise errors.Unavailable(str(error)) from error
            raise type(error)(str(error), status=400) from error
        labels = {**request.labels, **claim.labels}
        return _version(
            {"name": made.get("model") or self.parent, "versionId": made["modelVersionId"], "labels": labels}
        )

    def find(self, project: str, location: str, fingerprint: str) -> list[jobs.Job]:
        """See `Maker.find`."""
        listed = rest.paged("aiplatform", f"/v1/{self.parent}:listVersions", "models", params={"pageSize": "100"})
        found = (_version(resource) for resource in listed)
        return [each for each in found if each.labels.get(LABEL_FINGERPRINT) == fingerprint]

    def get(self, name: str) -> jobs.Job:
        """See `Maker.get`."""
        return _version(rest.call("GET", "aiplatform", f"/v1/{name}"))

    def cancel(self, name: str) -> None:
        """Deletes a version that should not be."""
        location = name.split("/")[3]
        operations.wait(
            rest.call("DELETE", "aiplatform", f"/v1/{name}:deleteVersion"), location=location, deadline_s=60.0
        )

    def intact(self, job: jobs.Job) -> bool:
        """See `Maker.intact`: a version is its own result."""
        return True

    def full_name(self, project: str, location: str, identifier: str) -> str:
        """See `Maker.full_name`."""
        return identifier if "/" in identifier else f"{self.parent.rpartition('/')[0]}/{identifier}"


def upload_version(request: models.Upload, parent: str, *, staging: str, run: str = "") -> models.Model:
    """Uploads the model as the next version of `parent`, or adopts the one that this very upload has become.

    It does not become the default version: that is a decision of its own.

    Args:
        parent: `projects/P/locations/L/models/M`, in the upload's project and region.
        staging: bucket or folder of the ledger.
        run: who asks, so that a step that is tried again is known as one.

    Raises:
        ServiceError: the service's refusal, in its own words.
    """
    resource = models.resource_of(request)
    wanted = jobs.Request(
        project=request.project,
        location=request.location,
        display_name=request.display_name,
        body={"parentModel": parent, "model": {key: value for key, value in resource.items() if key != "labels"}},
        staging=staging,
        labels=resource["labels"],
        run=run,
        on_cancel="leave",
    )
    submission = jobs.submit(ModelVersions(parent), wanted)
    return models.get(submission.name, adopted=submission.adopted)


def _model(request: jobs.Request) -> Mapping[str, Any]:
    model = request.body["model"]
    assert isinstance(model, Mapping)  # `upload_version` made it
    return model


def _version(resource: Mapping[str, Any]) -> jobs.Job:
    name = str(resource.get("name") or "").partition("@")[0]
    return jobs.Job(
        name=f"{name}@{resource.get('versionId')}",
        state=jobs.JobState.RUNNING,  # live as long as it is there
        display_name=str(resource.get("displayName") or ""),
        labels=dict(resource.get("labels") or {}),
        created=parse_time(resource.get("versionCreateTime")),
        raw=resource,
    )
