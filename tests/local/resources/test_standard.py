"""Promise: Google's standard methods mean here what they mean there, for every kind of resource alike."""

from __future__ import annotations

import json
import urllib.error
import uuid

import pytest

from tuneline.testing import LocalVertex


def parent(location: str = "us-central1") -> str:
    """A project of the test's own."""
    return f"projects/p-{uuid.uuid4().hex[:8]}/locations/{location}"


def refusal(call, *arguments) -> dict:
    """The error that a call is refused with."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        call(*arguments)
    return json.loads(refused.value.read())["error"]


def make(vertex: LocalVertex, where: str, name: str, **fields) -> str:
    """A new endpoint's name: a resource with no more to it than its fields."""
    body = {"displayName": name, **fields}
    return vertex.request("POST", f"/v1/{where}/endpoints", body)["response"]["name"]


def test_create_get_list_update_delete(local_vertex):
    """The whole life of a resource; created and updated times move as they should."""
    where = parent()
    name = make(local_vertex, where, "one", labels={"team": "a"})
    found = local_vertex.request("GET", f"/v1/{name}")
    assert found["displayName"] == "one"
    assert found["createTime"] == found["updateTime"]
    changed = local_vertex.request(
        "PATCH", f"/v1/{name}?updateMask=display_name,labels", {"displayName": "two", "labels": {"team": "b"}}
    )
    assert (changed["displayName"], changed["labels"]) == ("two", {"team": "b"})
    assert changed["updateTime"] > changed["createTime"] == found["createTime"]
    assert [e["name"] for e in local_vertex.request("GET", f"/v1/{where}/endpoints")["endpoints"]] == [name]
    assert local_vertex.request("DELETE", f"/v1/{name}")["done"] is True
    assert refusal(local_vertex.request, "GET", f"/v1/{name}")["status"] == "NOT_FOUND"


def test_an_update_changes_what_the_mask_names_and_nothing_else(local_vertex):
    """A field that the body has and the mask has not stays as it was; an unknown one is refused."""
    name = make(local_vertex, parent(), "one", description="kept")
    body = {"displayName": "two", "description": "not asked"}
    changed = local_vertex.request("PATCH", f"/v1/{name}?updateMask=displayName", body)
    assert (changed["displayName"], changed["description"]) == ("two", "kept")
    assert (
        refusal(local_vertex.request, "PATCH", f"/v1/{name}?updateMask=nothing", body)["status"] == "INVALID_ARGUMENT"
    )
    assert "output only" in refusal(local_vertex.request, "PATCH", f"/v1/{name}?updateMask=createTime", body)["message"]


def test_a_resource_is_in_its_region_and_in_no_other(local_vertex):
    """Neither by name nor in a list."""
    where = parent("us-central1")
    name = make(local_vertex, where, "here")
    elsewhere = name.replace("us-central1", "europe-west4")
    assert refusal(local_vertex.request, "GET", f"/v1/{elsewhere}")["status"] == "NOT_FOUND"
    listed = local_vertex.request("GET", f"/v1/{where.replace('us-central1', 'europe-west4')}/endpoints")
    assert listed == {}


def test_pages_hold_every_resource_once_though_others_come_and_go(local_vertex):
    """A token is a place among the resources, not a count."""
    where = parent()
    names = [make(local_vertex, where, f"e{i}") for i in range(5)]
    first = local_vertex.request("GET", f"/v1/{where}/endpoints?pageSize=2")
    assert [e["name"] for e in first["endpoints"]] == [names[4], names[3]]  # newest first
    make(local_vertex, where, "late")
    local_vertex.request("DELETE", f"/v1/{names[4]}")
    token, seen = first["nextPageToken"], []
    while token:
        page = local_vertex.request("GET", f"/v1/{where}/endpoints?pageSize=2&pageToken={token}")
        seen += [e["name"] for e in page["endpoints"]]
        token = page.get("nextPageToken")
    assert seen == [names[2], names[1], names[0]]
    assert refusal(local_vertex.request, "GET", f"/v1/{where}/endpoints?pageToken=x")["status"] == "INVALID_ARGUMENT"


def test_filter_and_order(local_vertex):
    """Both are the server's."""
    where = parent()
    for name in ("b", "a", "c"):
        make(local_vertex, where, name, labels={"kind": "odd" if name == "b" else "even"})
    path = f"/v1/{where}/endpoints?filter=labels.kind%3Deven&orderBy=displayName"
    assert [e["displayName"] for e in local_vertex.request("GET", path)["endpoints"]] == ["a", "c"]


def test_both_versions_see_one_resource(local_vertex):
    """What v1 made, v1beta1 reads and lists, and the other way round."""
    where = parent()
    name = make(local_vertex, where, "shared")
    assert local_vertex.request("GET", f"/v1beta1/{name}")["displayName"] == "shared"
    local_vertex.request("PATCH", f"/v1beta1/{name}?updateMask=displayName", {"displayName": "changed"})
    assert local_vertex.request("GET", f"/v1/{name}")["displayName"] == "changed"


def test_an_id_of_the_clients_is_taken_once(local_vertex):
    """The second create is refused; the project's number is as good as its id."""
    where = parent()
    path = f"/v1/{where}/endpoints?endpointId=mine"
    assert local_vertex.request("POST", path, {"displayName": "x"})["response"]["name"] == f"{where}/endpoints/mine"
    refused = refusal(local_vertex.request, "POST", path, {"displayName": "x"})
    assert (refused["code"], refused["status"]) == (409, "ALREADY_EXISTS")
    project = where.split("/")[1]
    number = local_vertex.request("GET", f"/v3/projects/{project}")["name"]
    by_number = local_vertex.request("GET", f"/v1/{number}/locations/us-central1/endpoints/mine")
    assert by_number["name"] == f"{where}/endpoints/mine"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "endpoint.displayName"),
        ({"displayName": "x", "nothing": 1}, 'Unknown name "nothing"'),
        ({"displayName": "x", "labels": {"UPPER": "x"}}, "Invalid label key 'UPPER'"),
        ({"displayName": "x", "labels": {"a": "Ü"}}, "Invalid value 'Ü' of label 'a'"),
        ([], "root of the body"),
    ],
)
def test_a_wrong_body_is_refused_by_name(local_vertex, body, says):
    """And nothing is made."""
    where = parent()
    refused = refusal(local_vertex.request, "POST", f"/v1/{where}/endpoints", body)
    assert refused["status"] == "INVALID_ARGUMENT"
    assert says in refused["message"]
    assert local_vertex.request("GET", f"/v1/{where}/endpoints") == {}


@pytest.mark.parametrize("location", ["us-centra", "", "US-CENTRAL1"])
def test_a_location_that_is_none_is_refused(local_vertex, location):
    """A misspelt region, and the empty one of a shell variable that was never set."""
    refused = refusal(local_vertex.request, "GET", f"/v1/projects/p-1/locations/{location}/endpoints")
    assert refused["status"] in ("INVALID_ARGUMENT", "NOT_FOUND")


def test_what_would_need_a_meaning_and_has_none_says_so(local_vertex):
    """A create of something that does something is never stored and forgotten."""
    body = {"displayName": "x", "trainingTaskDefinition": "gs://x", "trainingTaskInputs": {}}
    refused = refusal(local_vertex.request, "POST", f"/v1/{parent()}/trainingPipelines", body)
    assert (refused["code"], refused["status"]) == (501, "UNIMPLEMENTED")
    assert "CreateTrainingPipeline" in refused["message"]


def test_operations_are_kept_listed_and_waited_for(local_vertex):
    """A finished one is found again by its name, under v1 and v1beta1."""
    where = parent()
    operation = local_vertex.request("POST", f"/v1/{where}/endpoints", {"displayName": "x"})
    assert operation["done"] is True
    assert operation["response"]["@type"].endswith("v1.Endpoint")
    assert local_vertex.request("GET", f"/v1/{operation['name']}") == operation
    assert local_vertex.request("POST", f"/v1beta1/{operation['name']}:wait", {"timeout": "5s"}) == operation
    name = operation["response"]["name"]
    assert local_vertex.request("GET", f"/v1/{name}/operations")["operations"] == [operation]
