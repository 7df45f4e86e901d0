"""The engine `gemini_api`: a tuned model of the Gemini API (the developer API), made with its examples inline.

Here the API takes an id, so the id is the lock: `tl-<fingerprint>-<attempt>`, or the one that the request names, whose
model then carries that mark in its description. Whoever comes second is answered 409 and adopts; an answer that was
lost is found under its name. The ledger still says which attempt counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from tuneline import errors
from tuneline.errors import Problem, UsageError
from tuneline.google import rest
from tuneline.jobs import predictions
from tuneline.jobs.engines import LABEL_ATTEMPT, LABEL_FINGERPRINT, Claim, Request
from tuneline.jobs.model import Job, JobState, parse_time

_SERVICE = "generativelanguage"
# An id has up to 40 characters of a-z, 0-9 and hyphen: google.ai.generativelanguage.v1beta.CreateTunedModelRequest.
# 30 characters of base 32 are 150 bits of the fingerprint, and leave room for an attempt of five digits.
_PREFIX, _DIGITS = "tl-", 30
_MARK = "Made by tuneline as "
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
        mark = _id(claim.fingerprint, claim.attempt)
        identifier = _named(str(request.identity.get("tuned_model_id") or ""), claim.attempt) or mark
        marked = {} if identifier == mark else {"description": f"{_MARK}{mark}"}
        try:
            rest.call(
                "POST",
                _SERVICE,
                "/v1beta/tunedModels",
                params={"tunedModelId": identifier},
                body={**request.body, **_display_name(request.display_name), **marked},
                retry=False,
                timeout_s=timeout_s,
            )
        except errors.AlreadyExists:
            # Somebody's, or our own whose answer was lost: the mark says that it is this request's.
            found = self.get(f"tunedModels/{identifier}")
            if found.labels != _labels(mark):
                raise errors.InvalidArgument(
                    f"tunedModels/{identifier} is there, and is another request's → give another tuned_model_id, "
                    f"or delete it: tuneline jobs delete tunedModels/{identifier}",
                    status=409,
                ) from None
            return found
        return Job(
            name=f"tunedModels/{identifier}",
            state=JobState.RUNNING,
            display_name=request.display_name,
            labels=_labels(mark),
        )

    def find(self, project: str, location: str, fingerprint: str) -> list[Job]:
        """See `Engine.find`."""
        mine = fingerprint[:_DIGITS]
        return [job for job in self.list(project, location) if job.labels.get(LABEL_FINGERPRINT) == mine]

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

    def delete(self, name: str) -> None:
        """Deletes a tuned model, for good; one that is being tuned is cancelled by it.

        Raises:
            NotFound: there is none of that name.
        """
        rest.call("DELETE", _SERVICE, f"/v1beta/{name}", timeout_s=_LOOK_S)

    def patch(self, name: str, *, display_name: str | None = None, description: str | None = None) -> Job:
        """The tuned model with another display name or description; None leaves one as it is.

        Raises:
            NotFound: there is none of that name.
        """
        body: dict[str, str] = {}
        if display_name is not None:
            body["displayName"] = display_name
        if description is not None:
            # The mark by which the model is known as a request's stays.
            said = str(self.get(name).raw.get("description") or "")
            mark = said[said.index(_MARK) :] if _MARK in said else ""
            body["description"] = " ".join(part for part in (description, mark) if part)
        if not body:
            return self.get(name)
        told = rest.call(
            "PATCH", _SERVICE, f"/v1beta/{name}", params={"updateMask": ",".join(body)}, body={"name": name, **body}
        )
        return job_of(told)

    def predict(self, wanted: predictions.Prediction) -> str:
        """See `Engine.predict`; asks the tuned model, or the model that it was tuned from, by generateContent."""
        return predictions.predict(self.name, wanted, predictions.asking(_SERVICE, f"/v1beta/{wanted.model}"))

    def base_target(self, base_model: str) -> str:
        """What answers as the untuned base: the model without `-tuning`, the ending of those that take tuning."""
        name = base_model.removeprefix("models/")
        return f"models/{name.removesuffix('-tuning')}"

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
        return (json.dumps(point) for point in self.curve(self.get(name)))

    def curve(self, job: Job) -> list[dict[str, float]]:
        """The loss curve so far: the model's own points or, before it has any, those of the operation that makes it.

        google.ai.generativelanguage.v1beta.CreateTunedModelMetadata.snapshots.
        """
        points = snapshots(job)
        if points or not job.state.live:
            return points
        for operation in rest.paged(_SERVICE, f"/v1beta/{job.name}/operations", "operations"):
            points = points or _points(operation.get("metadata"))
        return points

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
    tuned_model_id: str = "",
    force: bool = False,
    run: str = "",
    on_cancel: Literal["cancel", "leave"] = "cancel",
) -> Request:
    """The request for one tuned model; 0 leaves a value to the service.

    Args:
        base_model: e.g. `models/gemini-1.5-flash-001-tuning`; the prefix may be left out.
        examples: pairs of `text_input` and `output`.
        staging: bucket or folder of the ledger; a local folder will do for one machine.
        tuned_model_id: the id of the tuned model; unset: made of the request's fingerprint.

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
        identity={"data": data, **({"tuned_model_id": tuned_model_id} if tuned_model_id else {})},
        force=force,
        run=run,
        on_cancel=on_cancel,
    )


def snapshots(job: Job) -> list[dict[str, float]]:
    """The loss curve: `{step, epoch, mean_loss}`, oldest first; empty before the first epoch has ended."""
    return _points(job.raw.get("tuningTask"))


def _points(told: object) -> list[dict[str, float]]:
    points = told.get("snapshots") or [] if isinstance(told, Mapping) else []
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
        labels=_labels(name.rpartition("/")[2]) or _labels(_marked(str(resource.get("description") or ""))),
        error="the service says no more than that" if state is JobState.FAILED else "",
        created=parse_time(resource.get("createTime")),
        started=parse_time(task.get("startTime")),
        ended=parse_time(task.get("completeTime")),
        raw=resource,
    )


def _id(fingerprint: str, attempt: int) -> str:
    return f"{_PREFIX}{fingerprint[:_DIGITS]}-{attempt}"


def _named(identifier: str, attempt: int) -> str:
    """The id of an attempt where the request names one; a later attempt of it has its number behind it."""
    return f"{identifier}-{attempt}" if identifier and attempt > 1 else identifier


def _marked(description: str) -> str:
    """Our mark in a tuned model's description, or ''."""
    return description.partition(_MARK)[2].split(" ", 1)[0]


def _display_name(name: str) -> dict[str, str]:
    """Left out where it is not given: the service makes one up."""
    return {"displayName": name} if name else {}


def _labels(identifier: str) -> dict[str, str]:
    """What other engines keep in labels, read out of the id."""
    head, _, attempt = identifier.removeprefix(_PREFIX).rpartition("-")
    if not identifier.startswith(_PREFIX) or len(head) != _DIGITS or not attempt.isdecimal():
        return {}
    return {LABEL_FINGERPRINT: head, LABEL_ATTEMPT: attempt}
