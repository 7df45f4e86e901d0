"""Promise: the Gemini API's client makes a tuned model, follows its steps, prompts it, changes and deletes it."""

from __future__ import annotations

import json
import time
import urllib.error
from itertools import pairwise

import pytest

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
BASE = "models/gemini-1.5-flash-001-tuning"


def body(count: int = 22, **task) -> dict:
    """A request as REST has it."""
    rows = [{"textInput": a, "output": b} for a, b in list(pairwise(WORDS)) * 2][:count]
    given = {"trainingData": {"examples": {"examples": rows}}, "hyperparameters": {"epochCount": 2, "batchSize": 4}}
    return {"displayName": "Next number", "baseModel": BASE, "tuningTask": {**given, **task}}


@pytest.fixture
def glm(vertex_environment):
    """The generated client library of the Gemini API."""
    from google.ai import generativelanguage_v1beta

    return generativelanguage_v1beta


@pytest.mark.slow
def test_a_model_is_tuned_prompted_changed_and_deleted(glm):
    """The operation counts the steps; the loss of each is the trainer's."""
    client = glm.ModelServiceClient(transport="rest")
    rows = [glm.TuningExample(text_input=a, output=b) for a, b in pairwise(WORDS)] * 2
    operation = client.create_tuned_model(
        tuned_model_id="numbers",
        tuned_model=glm.TunedModel(
            display_name="Next number",
            base_model=BASE,
            tuning_task=glm.TuningTask(
                training_data=glm.Dataset(examples=glm.TuningExamples(examples=rows)),
                hyperparameters=glm.Hyperparameters(epoch_count=2, batch_size=4),
            ),
        ),
    )
    assert operation.operation.name.startswith("tunedModels/numbers/operations/")
    assert (operation.metadata.tuned_model, operation.metadata.total_steps) == ("tunedModels/numbers", 12)
    model = operation.result(timeout=120)
    assert model.state == glm.TunedModel.State.ACTIVE
    assert [s.step for s in model.tuning_task.snapshots][-1] == 12
    assert model.tuning_task.snapshots[-1].mean_loss > 0
    assert "tunedModels/numbers" in [m.name for m in client.list_tuned_models()]
    changed = client.update_tuned_model(
        tuned_model=glm.TunedModel(name=model.name, description="d"), update_mask="description"
    )
    assert (changed.description, changed.display_name) == ("d", "Next number")
    prompt = [glm.Content(parts=[glm.Part(text="seven")])]
    answer = glm.GenerativeServiceClient().generate_content(model=model.name, contents=prompt)  # over gRPC
    assert answer.candidates[0].content.parts[0].text
    further = glm.TunedModel(
        tuned_model_source=glm.TunedModelSource(tuned_model=model.name),
        tuning_task=glm.TuningTask(
            training_data=glm.Dataset(examples=glm.TuningExamples(examples=rows)),
            hyperparameters=glm.Hyperparameters(epoch_count=1, batch_size=4),
        ),
    )
    second = client.create_tuned_model(tuned_model=further).result(timeout=120)
    assert second.tuned_model_source.base_model == BASE
    assert second.tuning_task.snapshots[0].mean_loss < model.tuning_task.snapshots[0].mean_loss
    client.delete_tuned_model(name=model.name)
    assert "tunedModels/numbers" not in [m.name for m in client.list_tuned_models()]


def test_a_cancelled_operation_leaves_a_failed_model(local_vertex):
    """And says why; a model that is not ready is not prompted."""
    operation = local_vertex.request(
        "POST", "/v1beta/tunedModels", body(hyperparameters={"epochCount": 500, "batchSize": 1})
    )
    name = operation["metadata"]["tunedModel"]
    prompt = {"contents": [{"parts": [{"text": "x"}]}]}
    with pytest.raises(urllib.error.HTTPError, match="400"):
        local_vertex.request("POST", f"/v1beta/{name}:generateContent", prompt)
    local_vertex.request("POST", f"/v1beta/{operation['name']}:cancel", {})
    deadline = time.monotonic() + 60
    while not (found := local_vertex.request("GET", f"/v1beta/{operation['name']}")).get("done"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert found["error"]["code"] == 1
    assert local_vertex.request("GET", f"/v1beta/{name}")["state"] == "FAILED"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"baseModel": ""}, "baseModel"),
        (body(0), "examples"),
        ({"tuningTask": {"trainingData": {"examples": {"examples": [{"textInput": "x"}]}}}}, "output"),
        ({"tuningTask": {}}, "trainingData"),
    ],
)
def test_a_wrong_request_is_refused_by_the_fields_name(local_vertex, change, says):
    """Before there is a model."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        local_vertex.request("POST", "/v1beta/tunedModels", {**body(), **change})
    error = json.loads(refused.value.read())["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert says in error["message"]
