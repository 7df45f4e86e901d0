"""Endpoints: one for a model, made and filled once, however often it is asked for. An endpoint bills by the hour."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuneline import errors
from tuneline.google import rest
from tuneline.registry import operations
from tuneline.registry.models import address

CREATE_DEADLINE_S = 900.0
DEPLOY_DEADLINE_S = 3600.0

SERVING_MACHINE: Mapping[str, Any] = {
    "machineType": "g2-standard-12",
    "acceleratorType": "NVIDIA_L4",
    "acceleratorCount": 1,
}
"""One L4 with 24 GB holds an 8B model in bfloat16; larger ones need a machine of their own (`docs/unverified.md`)."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A model that is to be served."""

    model: str
    """Resource name."""
    display_name: str
    machine_spec: Mapping[str, Any] = field(default_factory=lambda: dict(SERVING_MACHINE))
    service_account: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    encryption_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An endpoint and what it serves."""

    name: str
    """`projects/P/locations/L/endpoints/E`."""
    display_name: str
    models: tuple[str, ...]
    """Resource names of the deployed models, without versions."""
    adopted: bool = False
    """It already served the model."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def uri(self) -> str:
        """The endpoint's REST address, as a google.VertexEndpoint artifact carries it."""
        return address(self.name)


def deploy(request: Deployment) -> Endpoint:
    """Makes the model's endpoint and deploys the model there; what an earlier try has done is taken as it is.

    Raises:
        ServiceError: the service's refusal, in its own words; `QuotaExceeded` where there is no machine.
        StillRunning: the deployment is not done after an hour; it goes on.
    """
    parts = request.model.split("/")
    project, location = parts[1], parts[3]
    digest = hashlib.sha256(request.model.encode()).hexdigest()
    name = f"projects/{project}/locations/{location}/endpoints/tuned-{digest[:24]}"
    _create(request, name, location)
    endpoint = get(name)
    if request.model in endpoint.models:
        return Endpoint(**{**_fields(endpoint), "adopted": True})
    deployed: dict[str, Any] = {
        # Its id is fixed as well: a second call whose first answer was lost does not deploy twice.
        "id": str(10**8 + int(digest, 16) % (9 * 10**8)),
        "model": request.model,
        "displayName": request.display_name,
        "dedicatedResources": {
            "machineSpec": dict(request.machine_spec),
            "minReplicaCount": 1,
            "maxReplicaCount": 1,
        },
    }
    if request.service_account:
        deployed["serviceAccount"] = request.service_account
    try:
        operation = rest.call(
            "POST",
            "aiplatform",
            f"/v1/{name}:deployModel",
            location=location,
            body={"deployedModel": deployed, "trafficSplit": {"0": 100}},
            retry=False,  # machines are bought here
        )
        operations.wait(operation, location=location, deadline_s=DEPLOY_DEADLINE_S)
    except errors.ServiceError:
        # A lost answer, or a race: what counts is whether the model is served.
        served = get(name)
        if request.model not in served.models:
            raise
        return served
    return get(name)


def remove(name: str) -> None:
    """Takes every model off the endpoint, and deletes it.

    Raises:
        ServiceError: the service's refusal, in its own words.
    """
    location = name.split("/")[3]
    for served in get(name).raw.get("deployedModels") or ():
        body = {"deployedModelId": served["id"], "trafficSplit": {}}
        operation = rest.call("POST", "aiplatform", f"/v1/{name}:undeployModel", location=location, body=body)
        operations.wait(operation, location=location, deadline_s=DEPLOY_DEADLINE_S)
    operation = rest.call("DELETE", "aiplatform", f"/v1/{name}", location=location)
    operations.wait(operation, location=location, deadline_s=CREATE_DEADLINE_S)


def get(name: str) -> Endpoint:
    """The endpoint of a resource name.

    Raises:
        NotFound: there is none.
    """
    resource = rest.call("GET", "aiplatform", f"/v1/{name}")
    return Endpoint(
        name=str(resource["name"]),
        display_name=str(resource.get("displayName") or ""),
        models=tuple(str(each.get("model") or "").partition("@")[0] for each in resource.get("deployedModels") or ()),
        raw=resource,
    )


def _create(request: Deployment, name: str, location: str) -> None:
    parent, _, identifier = name.rpartition("/endpoints/")
    body: dict[str, Any] = {"displayName": request.display_name, "labels": dict(request.labels)}
    if request.encryption_key:
        body["encryptionSpec"] = {"kmsKeyName": request.encryption_key}
    try:
        operation = rest.call(
            "POST",
            "aiplatform",
            f"/v1/{parent}/endpoints",
            location=location,
            body=body,
            params={"endpointId": identifier},
        )
        operations.wait(operation, location=location, deadline_s=CREATE_DEADLINE_S)
    except errors.AlreadyExists:
        return  # an earlier try made it; the id is a function of the model


def _fields(endpoint: Endpoint) -> dict[str, Any]:
    return {key: getattr(endpoint, key) for key in endpoint.__dataclass_fields__}
