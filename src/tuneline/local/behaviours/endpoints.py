"""Endpoint: where a model is deployed, under which share of the traffic. What answers there is `generation.py`."""

from __future__ import annotations

from typing import Any

from tuneline.local.behaviours.models import resolve
from tuneline.local.resources.behaviour import ApiError, Call, PassiveBehaviour, behaviour, invalid, method
from tuneline.local.resources.names import location_of, new_id
from tuneline.local.resources.store import atomic

SERVICE = "google.cloud.aiplatform.{v}.EndpointService."
KIND = "google.cloud.aiplatform.v1beta1."


@behaviour
class Endpoints(PassiveBehaviour):
    """Rules of an endpoint's life."""

    kind = "Endpoint"

    def creating(self, service: Any, resource: Any, request: Any) -> None:
        """An endpoint begins empty."""
        if resource.traffic_split:
            raise invalid("endpoint.trafficSplit", "A new endpoint has no deployed models to split traffic among.")

    def updating(self, service: Any, resource: Any, before: Any) -> None:
        """The traffic may only go to what is deployed."""
        _check_traffic(resource)

    def deleting(self, service: Any, resource: Any) -> None:
        """Only an empty endpoint goes."""
        if resource.deployed_models:
            raise ApiError(
                "FAILED_PRECONDITION",
                f"Endpoint '{resource.name}' serves {len(resource.deployed_models)} deployed models: "
                "undeploy them first.",
            )


def _check_traffic(endpoint: Any) -> None:
    known = {each.id for each in endpoint.deployed_models}
    unknown = sorted(set(endpoint.traffic_split) - known)
    if unknown:
        raise invalid("trafficSplit", f"'{unknown[0]}' is not deployed to '{endpoint.name}'.")
    total = sum(endpoint.traffic_split.values())
    if endpoint.traffic_split and total != 100:
        raise invalid("trafficSplit", f"The shares sum to {total}; they must sum to 100.")


@method(SERVICE + "DeployModel")
@atomic
def deploy_model(service: Any, request: Any, call: Call) -> Any:
    """Deploy a model of the same location; its process starts with the first prompt."""
    endpoint = service.store.get(request.endpoint)
    deployed = service.api.convert(request.deployed_model, KIND + "DeployedModel")
    deployed = type(deployed).FromString(deployed.SerializeToString())
    if not deployed.model:
        raise invalid("deployedModel.model", "Required field is not set.")
    named = service.projects.by_id(deployed.model)
    if location_of(named) != location_of(endpoint.name):
        raise invalid("deployedModel.model", f"'{named}' is not in the endpoint's location.")
    version = resolve(service, named)
    deployed.model = version.name.partition("@")[0]
    deployed.model_version_id = version.version_id
    deployed.id = deployed.id or new_id()
    if any(each.id == deployed.id for each in endpoint.deployed_models):
        raise ApiError("ALREADY_EXISTS", f"DeployedModel '{deployed.id}' already exists on '{endpoint.name}'.")
    deployed.display_name = deployed.display_name or version.display_name
    deployed.create_time.FromDatetime(service.now())
    endpoint.deployed_models.append(deployed)
    split = dict(request.traffic_split) or ({"0": 100} if len(endpoint.deployed_models) == 1 else {})
    if split:
        endpoint.traffic_split.clear()
        for key, share in split.items():
            endpoint.traffic_split[deployed.id if key == "0" else key] = share
        _check_traffic(endpoint)
    service.store.put(endpoint)
    head = service.store.get(deployed.model)
    head.deployed_models.add(endpoint=endpoint.name, deployed_model_id=deployed.id)
    service.store.put(head)
    service.stand_ins[endpoint.name] = "a process on this machine stands in for the endpoint's machines"
    response = service.api.new(KIND + "DeployModelResponse")
    response.deployed_model.CopyFrom(deployed)
    return service.operation(
        call, endpoint, response=response, metadata="google.cloud.aiplatform.{v}.DeployModelOperationMetadata"
    )


@method(SERVICE + "UndeployModel")
async def undeploy_model(service: Any, request: Any, call: Call) -> Any:
    """Take a model off an endpoint, and end its process."""
    endpoint = service.store.get(request.endpoint)
    found = next((each for each in endpoint.deployed_models if each.id == request.deployed_model_id), None)
    if found is None:
        raise ApiError("NOT_FOUND", f"'{request.deployed_model_id}' is not deployed to '{endpoint.name}'.")
    model = found.model
    kept = [each for each in endpoint.deployed_models if each.id != request.deployed_model_id]
    split = dict(request.traffic_split) or {
        key: share for key, share in endpoint.traffic_split.items() if key != request.deployed_model_id
    }
    if kept and split and sum(split.values()) != 100:
        raise invalid("trafficSplit", "The model carries traffic: say who takes it, with shares that sum to 100.")
    del endpoint.deployed_models[:]
    endpoint.deployed_models.extend(kept)
    endpoint.traffic_split.clear()
    for key, share in split.items() if kept else ():
        endpoint.traffic_split[key] = share
    _check_traffic(endpoint)
    head = service.store.find(model)
    with service.store.transaction():
        service.store.put(endpoint)
        if head is not None:
            left = [each for each in head.deployed_models if each.deployed_model_id != request.deployed_model_id]
            del head.deployed_models[:]
            head.deployed_models.extend(left)
            service.store.put(head)
    if head is not None:
        await service.serving.forget(head.artifact_uri)
    if not kept:
        service.stand_ins.pop(endpoint.name, None)
    return service.operation(
        call,
        endpoint,
        response=service.api.new(KIND + "UndeployModelResponse"),
        metadata="google.cloud.aiplatform.{v}.UndeployModelOperationMetadata",
    )
