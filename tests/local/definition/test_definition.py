"""Promise: every route, rule and name is Google's own, and one resource reads the same in v1 and v1beta1."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tuneline.local.definition import load, versions
from tuneline.local.definition.overlay import field_number
from tuneline.local.resources.errors import ApiError

PARENT = "projects/p/locations/us-central1"
API = load()


def test_it_loads_fast_enough_to_start_a_service_on_demand():
    """A fresh process has the definition in under 0.2 s of processor time, imports aside."""
    program = (
        "import time; from tuneline.local.definition import load; t = time.process_time(); load(); "
        "print(time.process_time() - t)"
    )
    spent = min(float(subprocess.check_output([sys.executable, "-c", program])) for _ in range(3))
    assert spent < 0.2


def test_every_route_of_the_definition_leads_to_a_method_of_its_template():
    """No official path is lost or answered by another template than its own."""
    seen = 0
    for binding in _bindings(API.routes._root):
        path = re.sub(r"\{[^=}]+\}", "x", re.sub(r"\{[^=}]+=([^}]*)\}", r"\1", binding.template))
        path = path.replace("**", "x").replace("*", "x")
        match = API.routes.match(binding.verb, path)
        assert match is not None, binding.template
        assert match.binding.method.name == binding.method.name or match.binding.template != binding.template
        seen += 1
    assert seen > 800


def _bindings(node):
    yield from node.ends.values()
    for child in (*node.literal.values(), node.one, node.rest):
        if child is not None:
            yield from _bindings(child)


@pytest.mark.parametrize(
    ("verb", "path", "method", "values"),
    [
        ("POST", f"/v1/{PARENT}/customJobs/7:cancel", "CancelCustomJob", {"name": f"{PARENT}/customJobs/7"}),
        ("GET", f"/v1beta1/{PARENT}/models/7@champ", "GetModel", {"name": f"{PARENT}/models/7@champ"}),
        ("POST", f"/v1/{PARENT}/models:upload", "UploadModel", {"parent": PARENT}),
        ("GET", "/v3/projects/p", "GetProject", {"name": "projects/p"}),
        ("GET", f"/v1/{PARENT}/customJobs/a%b", "GetCustomJob", {"name": f"{PARENT}/customJobs/a%b"}),
        ("PATCH", "/v1beta/tunedModels/t", "UpdateTunedModel", {"tuned_model.name": "tunedModels/t"}),
    ],
)
def test_a_path_gives_method_and_names(verb, path, method, values):
    """The method and the fields that the path carries."""
    match = API.routes.match(verb, path)
    assert match is not None
    assert match.binding.method.name == method
    assert match.values == values


@pytest.mark.parametrize("path", [f"/v1/{PARENT}/nothings", "/v1//customJobs", f"/v1/{PARENT}/customJobs/1:explode"])
def test_a_path_of_nothing_matches_nothing(path):
    """Unknown collections, empty segments and unknown verbs."""
    assert API.routes.match("POST", path) is None


def test_required_fields_are_found_at_any_depth():
    """The paths of what is missing are JSON paths, list places included."""
    request = API.from_json(
        {"parent": PARENT, "customJob": {"displayName": "x", "jobSpec": {"workerPoolSpecs": [{}]}}},
        "google.cloud.aiplatform.v1.CreateCustomJobRequest",
    )
    assert list(API.rules.missing(request)) == []
    request.custom_job.ClearField("display_name")
    request.custom_job.ClearField("job_spec")
    assert set(API.rules.missing(request)) == {"customJob.displayName", "customJob.jobSpec"}


def test_an_empty_optional_message_is_none():
    """Google's own clients send `systemInstruction: {}` for a prompt that has none."""
    given = {"model": "m", "contents": [{"parts": [{"text": "x"}]}], "systemInstruction": {}}
    assert list(API.rules.missing(API.from_json(given, "google.cloud.aiplatform.v1.GenerateContentRequest"))) == []


def test_what_only_the_service_may_say_is_dropped():
    """OUTPUT_ONLY fields of a request are ignored, as Google's APIs do."""
    job = API.from_json(
        {"displayName": "x", "state": "JOB_STATE_SUCCEEDED", "error": {"code": 3}},
        "google.cloud.aiplatform.v1.CustomJob",
    )
    API.rules.clear_output_only(job)
    assert API.to_json(job) == {"displayName": "x"}


def test_json_is_read_in_both_cases_and_written_in_one():
    """camelCase and snake_case in, camelCase out; enums by name, or by number where asked."""
    camel = {"displayName": "x", "scheduling": {"restartJobOnWorkerRestart": True}}
    spec = API.from_json({"restart_job_on_worker_restart": True}, "google.cloud.aiplatform.v1.Scheduling")
    assert API.to_json(spec) == camel["scheduling"]
    job = API.from_json({"display_name": "x", "state": 4}, "google.cloud.aiplatform.v1.CustomJob")
    assert API.to_json(job)["state"] == "JOB_STATE_SUCCEEDED"
    assert API.to_json(job, enums_as_numbers=True)["state"] == 4


def test_one_value_is_taken_where_a_list_is_meant():
    """`parts` as one object is in Google's own examples; at any depth."""
    given = {"model": "m", "contents": {"role": "USER", "parts": {"text": "hi"}}}
    read = API.from_json(given, "google.cloud.aiplatform.v1.GenerateContentRequest")
    assert API.to_json(read)["contents"] == [{"role": "USER", "parts": [{"text": "hi"}]}]


def test_an_unknown_name_is_refused_with_its_place_and_the_near_one():
    """The service's own words, and what was probably meant."""
    with pytest.raises(ApiError) as refused:
        API.from_json({"displayname": "x"}, "google.cloud.aiplatform.v1.CustomJob")
    assert refused.value.code == "INVALID_ARGUMENT"
    assert 'Unknown name "displayname"' in refused.value.message
    assert "'displayName'" in refused.value.message


def test_fields_that_only_the_discovery_document_has_survive_both_versions():
    """REST takes them, and v1 and v1beta1 read each other's bytes."""
    given = {"baseModel": "gemini-2.5-flash", "preferenceOptimizationSpec": {"trainingDatasetUri": "gs://b/p.jsonl"}}
    one = API.from_json(given, "google.cloud.aiplatform.v1.TuningJob")
    two = API.convert(one, API.canonical("google.cloud.aiplatform.v1.TuningJob"))
    assert two.DESCRIPTOR.full_name == "google.cloud.aiplatform.v1beta1.TuningJob"
    assert API.to_json(two) == given
    assert API.to_json(API.convert(two, "google.cloud.aiplatform.v1.TuningJob")) == given


def test_the_number_of_an_overlaid_field_never_changes():
    """Data folders of earlier releases hold these numbers."""
    assert field_number("preferenceOptimizationSpec") == 296_064_229


def test_the_sources_are_named():
    """Which publications of Google's it was made from."""
    assert {"@google-cloud/aiplatform", "discovery aiplatform.v1"} <= set(versions())
