"""A model is deployed once to an endpoint of its own, however often it is asked for."""

import threading

import pytest

from tests.registry.test_models import request_for
from tuneline import errors, registry


def deployment(name: str, **changes) -> registry.Deployment:
    return registry.Deployment(model=registry.upload(request_for(name)).name, display_name=name, **changes)


def test_the_model_is_served_on_the_machine_asked_for_and_with_all_the_traffic(vertex_environment):
    request = deployment("served", labels={"team": "ml"}, machine_spec={"machineType": "e2-standard-4"})
    endpoint = registry.deploy(request)
    assert endpoint.models == (request.model,)
    (deployed,) = endpoint.raw["deployedModels"]
    assert deployed["dedicatedResources"]["machineSpec"]["machineType"] == "e2-standard-4"
    assert endpoint.raw["trafficSplit"] == {deployed["id"]: 100}
    assert endpoint.raw["labels"] == {"team": "ml"}
    assert registry.get_endpoint(endpoint.name).models == endpoint.models


def test_deploying_again_buys_nothing(vertex_environment):
    request = deployment("twice")
    first, second = registry.deploy(request), registry.deploy(request)
    assert (second.name, second.adopted) == (first.name, True)
    assert len(second.raw["deployedModels"]) == 1


def test_an_answer_lost_after_the_effect_deploys_once(vertex_environment):
    request = deployment("lost")
    vertex_environment.fault("DeployModel", drop="after", times=1)
    endpoint = registry.deploy(request)
    assert endpoint.models == (request.model,)
    assert len(endpoint.raw["deployedModels"]) == 1


def test_a_refused_deployment_is_told_and_leaves_no_second_endpoint(vertex_environment):
    request = deployment("no-machine")
    vertex_environment.fault("DeployModel", status=429, times=1)
    with pytest.raises(errors.QuotaExceeded):
        registry.deploy(request)
    assert registry.deploy(request).models == (request.model,)


def test_racing_deployments_end_with_one(vertex_environment):
    """Six at once: one endpoint, which serves the model once."""
    request = deployment("race-endpoint")
    served: list[registry.Endpoint] = []
    threads = [threading.Thread(target=lambda: served.append(registry.deploy(request))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(served), len({endpoint.name for endpoint in served})] == [6, 1]
    assert len(registry.get_endpoint(served[0].name).raw["deployedModels"]) == 1
