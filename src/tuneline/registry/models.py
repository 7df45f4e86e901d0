"""Models of the registry: an upload whose id is its content, so that the same checkpoint is never two models."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tuneline import errors
from tuneline.google import rest
from tuneline.registry import operations

BASE_MODEL_LABEL = "google-vertex-llm-tuning-base-model-id"
"""The label by which the older SDK's `list_tuned_model_names` finds the models tuned from a base."""

UPLOAD_DEADLINE_S = 1800.0
ADOPT_DEADLINE_S = 300.0
"""So long an id may be taken while its model cannot be read yet: its upload is still under way elsewhere."""

SERVING_PORT = 8080
PREDICT_ROUTE, HEALTH_ROUTE = "/predict", "/health"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One model to be uploaded."""

    project: str
    location: str
    display_name: str
    artifact_uri: str
    """Folder of the adapter, or of merged weights."""
    serving_image: str
    base_model: str
    """What the adapter was trained on, as the serving image loads it."""
    base_label: str
    """Value of `BASE_MODEL_LABEL`: the base's name with `@` as `-`."""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    encryption_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model of the registry."""

    name: str
    """`projects/P/locations/L/models/M`, without a version."""
    display_name: str
    artifact_uri: str
    version: str
    labels: Mapping[str, str] = field(default_factory=dict)
    adopted: bool = False
    """It was there already."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def uri(self) -> str:
        """The model's REST address, as a google.VertexModel artifact carries it."""
        return address(self.name)


def model_id(request: Upload) -> str:
    """The id that this upload always has: at most 63 of `[a-z0-9-]`, a letter first. A function of all but labels."""
    identity = [
        request.project,
        request.location,
        request.display_name,
        request.artifact_uri.rstrip("/"),
        request.serving_image,
        request.base_model,
        request.encryption_key,
    ]
    return f"tuned-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:24]}"


def upload(request: Upload) -> Model:
    """Uploads the model, or adopts the one that an earlier try has uploaded.

    Raises:
        ServiceError: the service's refusal, in its own words.
        StillRunning: the upload is not done after half an hour; it goes on, and the next try adopts it.
    """
    identifier = model_id(request)
    parent = f"projects/{request.project}/locations/{request.location}"
    name = f"{parent}/models/{identifier}"
    try:
        # The id is the lock: a second try of a call whose answer was lost meets 409, and adopts.
        operation = rest.call(
            "POST",
            "aiplatform",
            f"/v1/{parent}/models:upload",
            location=request.location,
            body={"model": resource_of(request), "modelId": identifier},
        )
        answer = operations.wait(operation, location=request.location, deadline_s=UPLOAD_DEADLINE_S)
    except errors.AlreadyExists:
        return _model(_await(name, request.location), adopted=True)
    return get(str(answer.get("model") or name))


def get(name: str, *, adopted: bool = False) -> Model:
    """The model of a resource name, with or without `@version`.

    Raises:
        NotFound: there is none.
    """
    return _model(rest.call("GET", "aiplatform", f"/v1/{name}"), adopted=adopted)


def list_tuned(project: str, location: str, *, base_label: str = "") -> Iterator[Model]:
    """Every model that was tuned from a base, newest first; with `base_label`, from that one alone."""
    wanted = f"{BASE_MODEL_LABEL}={base_label}" if base_label else f"{BASE_MODEL_LABEL}:*"
    listed = rest.paged(
        "aiplatform",
        f"/v1/projects/{project}/locations/{location}/models",
        "models",
        location=location,
        params={"filter": f"labels.{wanted}"},
    )
    return (_model(resource) for resource in listed)


def address(name: str) -> str:
    """The REST address of a resource; Google's own, whichever service answers, since artifacts outlive services."""
    location = name.split("/")[3]
    return f"https://{location}-aiplatform.googleapis.com/v1/{name}"


def resource_of(request: Upload) -> dict[str, Any]:
    """The upload as `google.cloud.aiplatform.v1.Model` has it."""
    resource: dict[str, Any] = {
        "displayName": request.display_name,
        "description": request.description,
        "artifactUri": request.artifact_uri,
        "labels": {**request.labels, BASE_MODEL_LABEL: request.base_label},
        "containerSpec": {
            "imageUri": request.serving_image,
            "env": [{"name": "TUNELINE_BASE_MODEL", "value": request.base_model}],
            "ports": [{"containerPort": SERVING_PORT}],
            "predictRoute": PREDICT_ROUTE,
            "healthRoute": HEALTH_ROUTE,
        },
    }
    if request.encryption_key:
        resource["encryptionSpec"] = {"kmsKeyName": request.encryption_key}
    return resource


def _await(name: str, location: str) -> dict[str, Any]:
    """The model behind an id that is taken, as soon as it can be read."""
    ends, pause = time.monotonic() + ADOPT_DEADLINE_S, operations.FIRST_PAUSE_S
    while True:
        try:
            return rest.call("GET", "aiplatform", f"/v1/{name}", location=location)
        except errors.NotFound:
            if time.monotonic() >= ends:
                raise
        time.sleep(pause)
        pause = min(pause * operations.GROWTH, operations.LONGEST_PAUSE_S)


def _model(resource: Mapping[str, Any], *, adopted: bool = False) -> Model:
    return Model(
        name=str(resource["name"]).partition("@")[0],
        display_name=str(resource.get("displayName") or ""),
        artifact_uri=str(resource.get("artifactUri") or ""),
        version=str(resource.get("versionId") or "1"),
        labels=dict(resource.get("labels") or {}),
        adopted=adopted,
        raw=resource,
    )
