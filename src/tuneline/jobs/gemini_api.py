"""The engine `gemini_api`: a tuned model of the Gemini API (the developer API), made with its examples inline.

Here the API takes an id, so the id is the lock: `tl-<fingerprint>-<attempt>`. Whoever comes second is answered 409 and
adopts; an answer that was lost is found under its name. The ledger still says which attempt counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from tuneline import errors
from tuneline.errors import Problem, UsageError
from tuneline.google import rest
from tuneline.jobs.engines import LABEL_ATTEMPT, LABEL_FINGERPRINT, Claim, Request
from tuneline.jobs.model import Job, JobState, parse_time

_SERVICE = "generativelanguage"
# An id has up to 40 characters of a-z, 0-9 and hyphen: google.ai.generativelanguage.v1beta.CreateTunedModelRequest.
# 30 characters of base 32 are 150 bits of the fingerprint, and leave room for an attempt of five digits.
_PREFIX, _DIGITS = "tl-", 30
_STATES = {
    "CREATING": JobState.RUNNING,
    "ACTIVE": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    1: JobState.RUNNING,
    2: JobState.SUCCEEDED,
    3: JobState.FAILED,
}
_LOOK_S = 30.0


class GeminiApi:
    """Tuned models. Project and location mean nothing here: the API key, or the OAuth user's project, is the place."""

    name = "gemini_api"

    def create(self, request: Request, claim: Claim, *, timeout_s: float) -> Job:
        """Makes the tuned model, or returns the one of that id: this create call may be repeated."""
        identifier = _id(claim.fingerprint, claim.attempt)
        try:
            rest.call(
                "POST",
                _SERVICE,
                "/v1beta/tunedModels",
                params={"tunedModelId": identifier},
                body={**request.body, "displayName": request.display_name},
                retry=False,
                timeout_s=timeout_s,
            )
        except errors.AlreadyExists:
            # Somebody's, or our own whose answer was lost: the id says that it is this request's.
            return self.get(f"tunedModels/{identifier}")
        return Job(
            name=f"tunedModels/{identifier}",
            state=JobState.RUNNING,
            display_name=request.display_name,
            labels=_labels(identifier),
        )

    def find(self, project: str, location: str, fingerprint: str) -> list[Job]:
        """See `Engine.find`."""
        mine = f"tunedModels/{_PREFIX}{fingerprint[:_DIGITS]}-"
        return [job for job in self.list(project, location) if job.name.startswith(mine)]

    def get(self, name: str) -> Job:
        """See `Engine.get`."""
        return job_of(rest.call("GET", _SERVICE, f"/v1beta/{name}", timeout_s=_LOOK_S))

    def list(self, project: str, location: str) -> Iterator[Job]:
        """See `Engine.list`."""
        listed = rest.paged(_SERVICE, "/v1beta/tunedModels", "tunedModels", params={"pageSize": "1000"})
        return (job_of(resource) for resource in listed)

    def cancel(self, name: str) -> None:
        """Ends the tuning: by its operation's cancel where the service has one, else by deleting the half-tuned model.

        A model whose tuning was cut short answers unpredictably; one that is ready is never touched.
        """
        for operation in rest.paged(_SERVICE, f"/v1beta/{name}/operations", "operations"):
            if operation.get("done"):
                continue
            try:
                rest.call("POST", _SERVICE, f"/v1beta/{operation['name']}:cancel", timeout_s=_LOOK_S)
            except errors.ServiceError as error:
                # The newest client's definition has no such method for tuned models; older ones had.
                if error.status not in (404, 501):
                    raise
                rest.call("DELETE", _SERVICE, f"/v1beta/{name}", timeout_s=_LOOK_S)
                return

    def intact(self, job: Job) -> bool:
        """True: the tuned model is the result, and is there if it was read."""
        return True

    def result(self, name: str, *, output_uri: str = "") -> dict[str, object]:
        """The tuned model and its loss curve: a point of mean loss after each epoch.

        Raises:
            NotFound: it is not there, or not ready.
        """
        job = self.get(name)
        if job.state is not JobState.SUCCEEDED:
            raise errors.NotFound(f"{name} is {job.words}: it has no result", status=404)
        return {"state": "succeeded", "model": name, "snapshots": snapshots(job)}

    def logs(self, name: str, *, output_uri: str = "") -> Iterator[str]:
        """The loss curve as it grows, a JSON object a line; the service keeps no other log."""
        return (json.dumps(point) for point in snapshots(self.get(name)))

    def full_name(self, project: str, location: str, identifier: str) -> str:
        """See `Engine.full_name`."""
        return identifier if "/" in identifier else f"tunedModels/{identifier}"


def request(
    *,
    display_name: str,
    base_model: str,
    examples: Sequence[tuple[str, str]],
    staging: str,
    epoch_count: int = 0,
    batch_size: int = 0,
    learning_rate: float = 0.0,
    learning_rate_multiplier: float = 0.0,
    force: bool = False,
    run: str = "",
    on_cancel: Literal["cancel", "leave"] = "cancel",
) -> Request:
    """The request for one tuned model; 0 leaves a value to the service.

    Args:
        base_model: e.g. `models/gemini-1.5-flash-001-tuning`; the prefix may be left out.
        examples: pairs of `text_input` and `output`.
        staging: bucket or folder of the ledger; a local folder will do for one machine.

    Raises:
        UsageError: both a learning rate and a multiplier of it.
    """
    if learning_rate and learning_rate_multiplier:
        what = "given together with learning_rate_multiplier, which multiplies the model's own"
        raise UsageError([Problem(where="learning_rate", what=what, fix="give one of the two")])
    hyperparameters = {
        "epochCount": epoch_count,
        "batchSize": batch_size,
        "learningRate": learning_rate,
        "learningRateMultiplier": learning_rate_multiplier,
    }
    given = {key: value for key, value in hyperparameters.items() if value}
    lines = [{"textInput": text_input, "output": output} for text_input, output in examples]
    data = hashlib.sha256(json.dumps(lines, ensure_ascii=False).encode()).hexdigest()
    return Request(
        project="",
        location="",
        display_name=display_name,
        body={
            "baseModel": base_model if base_model.startswith("models/") else f"models/{base_model}",
            "tuningTask": {
                **({"hyperparameters": given} if given else {}),
                "trainingData": {"examples": {"examples": lines}},
            },
        },
        staging=staging.rstrip("/"),
        identity={"data": data},
        force=force,
        run=run,
        on_cancel=on_cancel,
    )


def snapshots(job: Job) -> list[dict[str, float]]:
    """The loss curve: `{step, epoch, mean_loss}`, oldest first; empty before the first epoch has ended."""
    task = job.raw.get("tuningTask")
    points = task.get("snapshots") or [] if isinstance(task, Mapping) else []
    # proto3 leaves out what is zero.
    return [
        {
            "step": int(point.get("step") or 0),
            "epoch": int(point.get("epoch") or 0),
            "mean_loss": float(point.get("meanLoss") or 0.0),
        }
        for point in points
    ]


def job_of(resource: Mapping[str, Any]) -> Job:
    """A tuned model of the REST API as the job that makes it."""
    task = resource.get("tuningTask") or {}
    name = str(resource.get("name") or "")
    state = _STATES.get(resource.get("state") or "", JobState.UNSPECIFIED)
    return Job(
        name=name,
        state=state,
        display_name=str(resource.get("displayName") or ""),
        labels=_labels(name.rpartition("/")[2]),
        error="the service says no more than that" if state is JobState.FAILED else "",
        created=parse_time(resource.get("createTime")),
        started=parse_time(task.get("startTime")),
        ended=parse_time(task.get("completeTime")),
        raw=resource,
    )


def _id(fingerprint: str, attempt: int) -> str:
    return f"{_PREFIX}{fingerprint[:_DIGITS]}-{attempt}"


def _labels(identifier: str) -> dict[str, str]:
    """What other engines keep in labels, read out of the id."""
    head, _, attempt = identifier.removeprefix(_PREFIX).rpartition("-")
    if not identifier.startswith(_PREFIX) or len(head) != _DIGITS or not attempt.isdecimal():
        return {}
    return {LABEL_FINGERPRINT: head, LABEL_ATTEMPT: attempt}
