"""Promise: uploads, versions and aliases behave as the Model Registry's, seen through the official SDK, unmodified."""

from __future__ import annotations

import json
import urllib.error
import uuid

import pytest
from google.api_core import exceptions

PROJECT = "proj-models"
WHERE = f"projects/{PROJECT}/locations/us-central1"


@pytest.fixture
def sdk(vertex_environment):
    """The official SDK, redirected by environment alone."""
    from google.cloud import aiplatform

    aiplatform.init(project=PROJECT, location="us-central1")
    return aiplatform


def upload(sdk, **fields):
    """A model as small as the service takes it."""
    given = {"display_name": "m", "serving_container_image_uri": "r/i:1", "artifact_uri": "gs://tuneline-local/a"}
    return sdk.Model.upload(**{**given, **fields})


def test_versions_and_aliases(sdk):
    """A second version gets its number and alias; an alias moves, and `default` stays at one version."""
    first = upload(sdk)
    assert (first.version_id, first.version_aliases) == ("1", ["default"])
    second = upload(sdk, parent_model=first.resource_name, is_default_version=False, version_aliases=["champion"])
    assert (second.version_id, second.version_aliases) == ("2", ["champion"])
    assert sdk.Model(first.resource_name).version_id == "1"
    assert sdk.Model(first.resource_name + "@2").version_id == "2"
    registry = sdk.models.ModelRegistry(first.resource_name)
    registry.add_version_aliases(["champion"], "1")
    assert sdk.Model(first.resource_name + "@champion").version_id == "1"
    assert {v.version_id: v.version_aliases for v in registry.list_versions()} == {
        "1": ["default", "champion"],
        "2": [],
    }
    registry.add_version_aliases(["default"], "2")
    assert sdk.Model(first.resource_name).version_id == "2"
    with pytest.raises(exceptions.InvalidArgument, match="default"):
        registry.remove_version_aliases(["default"], "2")
    with pytest.raises(exceptions.FailedPrecondition, match="default"):
        registry.delete_version("2")
    registry.delete_version("1")
    with pytest.raises(exceptions.NotFound):
        sdk.Model(first.resource_name + "@1")


def test_a_tuned_model_is_found_by_the_label_of_its_base(sdk):
    """The filter of the older SDK's list_tuned_model_names."""
    label = "google-vertex-llm-tuning-base-model-id"
    base = f"text-bison-{uuid.uuid4().hex[:6]}"
    model = upload(sdk, labels={label: base})
    upload(sdk)
    assert [m.resource_name for m in sdk.Model.list(filter=f"labels.{label}={base}")] == [model.resource_name]
    assert model.resource_name in [m.resource_name for m in sdk.Model.list(filter=f"labels.{label}:*")]


def test_an_update_changes_the_version_and_the_name_of_all(sdk):
    """Labels are the version's; the display name is the model's."""
    model = upload(sdk, labels={"a": "1"})
    upload(sdk, parent_model=model.resource_name, is_default_version=False)
    sdk.models.ModelRegistry(model.resource_name).update_version("2", labels={"a": "2"})
    sdk.Model(model.resource_name).update(display_name="renamed")
    assert sdk.Model(model.resource_name).display_name == "renamed"
    assert sdk.Model(model.resource_name).labels == {"a": "1"}
    second = sdk.Model(model.resource_name + "@2")
    assert (second.labels, second.display_name, second.resource_name) == ({"a": "2"}, "renamed", model.resource_name)


def test_a_deployed_model_stays(sdk):
    """Until it is undeployed; and a served endpoint stays too."""
    model, endpoint = upload(sdk), sdk.Endpoint.create(display_name="e")
    endpoint.deploy(model, machine_type="n1-standard-4", traffic_percentage=100)
    deployed = endpoint.list_models()[0]
    assert endpoint.traffic_split == {deployed.id: 100}
    with pytest.raises(exceptions.FailedPrecondition, match="undeploy"):
        model.delete()
    with pytest.raises(exceptions.FailedPrecondition):
        endpoint.delete()
    endpoint.undeploy_all()
    endpoint.delete()
    model.delete()
    with pytest.raises(exceptions.NotFound):
        sdk.Model(model.resource_name)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ({"displayName": "x"}, "containerSpec"),
        ({"displayName": "x", "containerSpec": {"imageUri": "i"}, "artifactUri": "/tmp/x"}, "gs://"),
        ({"containerSpec": {"imageUri": "i"}}, "model.displayName"),
        ({"displayName": "x", "containerSpec": {"imageUri": "i"}, "versionAliases": ["1x"]}, "versionAliases"),
    ],
)
def test_what_is_no_model_is_refused(local_vertex, model, says):
    """By the field's name."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        local_vertex.request("POST", f"/v1/{WHERE}/models:upload", {"model": model})
    error = json.loads(refused.value.read())["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert says in error["message"]


def test_an_id_makes_an_upload_happen_once(local_vertex):
    """409 the second time: what exactly-once stands on."""
    body = {"modelId": f"m-{uuid.uuid4().hex[:8]}", "model": {"displayName": "x", "containerSpec": {"imageUri": "i"}}}
    local_vertex.request("POST", f"/v1/{WHERE}/models:upload", body)
    with pytest.raises(urllib.error.HTTPError) as refused:
        local_vertex.request("POST", f"/v1/{WHERE}/models:upload", body)
    assert refused.value.code == 409
