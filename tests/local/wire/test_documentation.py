"""Promise: curl, with bodies of the documentation's form, over HTTP/2 REST, does what each page of the API says."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tuneline.testing import LocalVertex

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl on this machine")
HOST = "https://us-central1-aiplatform.googleapis.com"
WHERE = "projects/proj-documentation/locations/us-central1"
PUBLISHED = f"{WHERE}/publishers/google/models/gemini-2.5-flash"
PROMPT = {
    "contents": {"role": "user", "parts": {"text": "one"}},
    "generation_config": {"max_output_tokens": 4, "temperature": 0},
}
CONTAINER = {"imageUri": "us-docker.pkg.dev/p/r/i:1", "predictRoute": "/predict", "healthRoute": "/health"}
Ask = Callable[..., Any]


@pytest.fixture
def ask(local_vertex: LocalVertex) -> Ask:
    """The answer to a request as curl makes it; it must have come by HTTP/2, and be a success unless said otherwise."""

    def call(verb: str, path: str, body: Any = None, *, host: str = HOST, status: int = 200) -> Any:
        words = ["-sS", "--http2", "-m", "60", "-X", verb, "-H", "Authorization: Bearer token"]
        if body is not None:
            words += ["-H", "Content-Type: application/json; charset=utf-8", "-d", json.dumps(body)]
        done = subprocess.run(
            ["curl", *words, "-w", "\n%{http_version} %{http_code}", f"{host}/{path}"],
            env=local_vertex.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        text, _, told = done.stdout.rpartition("\n")
        assert told == f"2 {status}", text
        return text if text.startswith(("data:", "[")) else json.loads(text)

    return call


def test_models(ask: Ask) -> None:
    """Upload, a version, aliases, copy to another region, evaluations, checkpoints, delete."""
    made = ask("POST", f"v1/{WHERE}/models:upload", {"model": {"displayName": "d", "containerSpec": CONTAINER}})
    name = made["response"]["model"]
    assert ask("GET", f"v1/{made['name']}")["done"] is True
    version = {"displayName": "d", "versionAliases": ["beta"], "containerSpec": CONTAINER}
    second = ask("POST", f"v1/{WHERE}/models:upload", {"parentModel": name, "model": version})["response"]
    assert second["modelVersionId"] == "2"
    moved = ask("POST", f"v1/{name}@2:mergeVersionAliases", {"versionAliases": ["champion", "-beta"]})
    assert moved["versionAliases"] == ["champion"]
    assert ask("GET", f"v1/{name}@champion")["versionId"] == "2"
    assert len(ask("GET", f"v1/{name}:listVersions")["models"]) == 2
    elsewhere = f"v1/{WHERE.replace('us-central1', 'europe-west4')}"
    copy = ask("POST", f"{elsewhere}/models:copy", {"sourceModel": f"{name}@2", "modelId": "copied"})["response"][
        "model"
    ]
    assert "/europe-west4/models/copied" in copy
    assert ask("GET", f"v1/{copy}")["modelSourceInfo"]["copy"] is True
    evaluation = {"displayName": "e", "metricsSchemaUri": "gs://schema.yaml", "metrics": {"auRoc": 0.9}}
    imported = ask("POST", f"v1/{name}/evaluations:import", {"modelEvaluation": evaluation})
    assert ask("GET", f"v1/{imported['name']}")["metrics"] == {"auRoc": 0.9}
    listed = ask("GET", f"v1/{name}/evaluations")["modelEvaluations"]
    assert [each["name"] for each in listed] == [imported["name"]]
    assert ask("GET", f"v1/{name}:listCheckpoints") == {}
    assert ask("PATCH", f"v1/{name}?updateMask=description", {"description": "new"})["description"] == "new"
    ask("DELETE", f"v1/{name}@2:deleteVersion")
    ask("DELETE", f"v1/{name}")
    ask("GET", f"v1/{name}", status=404)


def test_endpoints(ask: Ask) -> None:
    """Create, deploy with all of the traffic, undeploy, rename, delete."""
    made = ask("POST", f"v1/{WHERE}/models:upload", {"model": {"displayName": "d", "containerSpec": CONTAINER}})
    model = made["response"]["model"]
    endpoint = ask("POST", f"v1/{WHERE}/endpoints", {"display_name": "e"})["response"]["name"]
    resources = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1, "maxReplicaCount": 1}
    body = {"deployedModel": {"model": model, "displayName": "d", "dedicatedResources": resources}}
    deployed = ask("POST", f"v1/{endpoint}:deployModel", {**body, "trafficSplit": {"0": 100}})["response"]
    number = deployed["deployedModel"]["id"]
    assert ask("GET", f"v1/{endpoint}")["trafficSplit"] == {number: 100}
    refused = ask("POST", f"v1/{endpoint}:predict", {"instances": [{"prompt": "one"}]}, status=501)
    assert "not run here" in refused["error"]["message"]
    ask("DELETE", f"v1/{endpoint}", status=400)
    ask("POST", f"v1/{endpoint}:undeployModel", {"deployedModelId": number})
    assert ask("PATCH", f"v1/{endpoint}?updateMask=displayName", {"displayName": "f"})["displayName"] == "f"
    ask("DELETE", f"v1/{endpoint}")


def test_publishers_models(ask: Ask) -> None:
    """Looked up, prompted whole and as a stream of either kind, counted, predicted; the stand-in is named."""
    assert ask("GET", "v1/publishers/google/models/gemini-2.5-flash")["name"].endswith("/gemini-2.5-flash")
    ask("GET", "v1/publishers/google/models/gemini-0", status=404)
    listed = ask("GET", "v1beta1/publishers/google/models")["publisherModels"]
    assert "publishers/google/models/gemini-2.5-flash" in [each["name"] for each in listed]
    answer = ask("POST", f"v1/{PUBLISHED}:generateContent", PROMPT)
    assert answer["usageMetadata"]["totalTokenCount"] > 0
    assert "a stand-in" in answer["modelVersion"]
    events = ask("POST", f"v1/{PUBLISHED}:streamGenerateContent?alt=sse", PROMPT)
    assert json.loads(events.removeprefix("data: "))["candidates"]
    assert json.loads(ask("POST", f"v1/{PUBLISHED}:streamGenerateContent", PROMPT))[0]["candidates"]
    for version in ("v1", "v1beta1"):
        counted = ask("POST", f"{version}/{PUBLISHED}:countTokens", {"contents": PROMPT["contents"]})
        assert counted["totalTokens"] > 0
    predicted = ask("POST", f"v1/{PUBLISHED}:predict", {"instances": [{"prompt": "one"}]})
    assert isinstance(predicted["predictions"][0]["content"], str)


def test_the_gemini_api(ask: Ask) -> None:
    """Models, a prompt and its tokens, at its own host."""
    host = "https://generativelanguage.googleapis.com"
    models = ask("GET", "v1beta/models?pageSize=2&key=k", host=host)
    assert len(models["models"]) == 2
    assert models["nextPageToken"]
    found = ask("GET", "v1beta/models/gemini-2.5-flash?key=k", host=host)
    assert "generateContent" in found["supportedGenerationMethods"]
    body = {"contents": [{"parts": [{"text": "one"}]}]}
    assert ask("POST", "v1beta/models/gemini-2.5-flash:generateContent?key=k", body, host=host)["candidates"]
    assert ask("POST", "v1beta/models/gemini-2.5-flash:countTokens?key=k", body, host=host)["totalTokens"] > 0


def test_tensorboards_and_metadata(ask: Ask) -> None:
    """An experiment's scalars written and read back; a context as the SDK keeps one."""
    board = ask("POST", f"v1/{WHERE}/tensorboards", {"displayName": "t"})["response"]["name"]
    ask("POST", f"v1/{board}/experiments?tensorboardExperimentId=e", {"displayName": "e"})
    run = f"{board}/experiments/e/runs/r"
    ask("POST", f"v1/{board}/experiments/e/runs?tensorboardRunId=r", {"displayName": "r"})
    series = ask("POST", f"v1/{run}/timeSeries", {"displayName": "loss", "valueType": "SCALAR"})["name"]
    point = {"scalar": {"value": 1.5}, "step": "1", "wallTime": "2026-01-01T00:00:00Z"}
    data = {"tensorboardTimeSeriesId": series.rpartition("/")[2], "valueType": "SCALAR", "values": [point]}
    ask("POST", f"v1/{run}:write", {"tensorboardRun": run, "timeSeriesData": [data]})
    assert ask("GET", f"v1/{series}:read")["timeSeriesData"]["values"] == [point]
    contexts = f"v1/{WHERE}/metadataStores/default/contexts"
    ask("GET", f"v1/{WHERE}/metadataStores/default")
    body = {"schemaTitle": "system.Experiment", "schemaVersion": "0.0.1", "metadata": {"experiment_deleted": False}}
    ask("POST", f"{contexts}?contextId=c", body)
    assert ask("GET", f"{contexts}/c")["metadata"] == {"experiment_deleted": False}
    assert ask("GET", f"{contexts}/c:queryContextLineageSubgraph") == {}


def test_places_and_projects(ask: Ask) -> None:
    """Locations, operations, and the project by its id and number."""
    assert ask("GET", "v1/projects/proj-documentation/locations")["locations"]
    assert ask("GET", f"v1/{WHERE}")["locationId"] == "us-central1"
    project = ask("GET", "v3/projects/proj-documentation", host="https://cloudresourcemanager.googleapis.com")
    assert project["projectId"] == "proj-documentation"
    assert ask("GET", f"v1/{WHERE}/operations") is not None
    ask("GET", f"v1/{WHERE}/operations/1", status=404)


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("datasets", {"displayName": "d", "metadataSchemaUri": "gs://s", "metadata": {}}, "CreateDataset"),
        (
            "trainingPipelines",
            {"displayName": "d", "trainingTaskDefinition": "gs://t", "trainingTaskInputs": {}},
            "CreateTrainingPipeline",
        ),
        ("ragCorpora", {"displayName": "d"}, "CreateRagCorpus"),
        ("reasoningEngines", {"displayName": "d"}, "CreateReasoningEngine"),
        ("models/1:export", {"outputConfig": {"exportFormatId": "custom"}}, "ExportModel"),
    ],
)
def test_what_would_have_to_do_something_is_refused_by_name(ask: Ask, path: str, body: dict, named: str) -> None:
    """501, naming the method, and nothing is kept."""
    error = ask("POST", f"v1/{WHERE}/{path}", body, status=501)["error"]
    assert error["status"] == "UNIMPLEMENTED"
    assert named in error["message"]
