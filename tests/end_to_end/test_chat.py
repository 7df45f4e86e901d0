"""A body written for the hosted tune-large-chat-model tunes a model that answers; evaluation is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.end_to_end.conftest import tuneline, wait_until
from tuneline.testing import LocalVertex

HOSTED = "https://us-kfp.pkg.dev/ml-pipeline/large-language-model-pipelines/tune-large-chat-model/v3.0.0"
PARENT = "/v1/projects/tuneline-local/locations/us-central1"
EVALUATION = {
    "evaluation_data_uri": "gs://tuneline-local/chat/train.jsonl",
    "evaluation_interval": 10,
    "enable_early_stopping": True,
    "enable_checkpoint_selection": "true",
}


def conversations(count: int) -> str:
    """Two exchanges each; every third conversation has a context of its own."""
    lines = []
    for number in range(count):
        said = [f"Say {number}.", f"It is {number}.", "Once more.", f"{number} again."]
        authors = ["user", "assistant"] * 2
        row: dict[str, Any] = {
            "messages": [{"author": who, "content": what} for who, what in zip(authors, said, strict=True)]
        }
        if number % 3 == 0:
            row["context"] = "You repeat what you hear."
        lines.append(json.dumps(row) + "\n")
    return "".join(lines)


def parameters(**more: Any) -> dict[str, Any]:
    return {
        "project": "tuneline-local",
        "model_display_name": "repeats",
        "large_model_reference": "chat-bison@002",
        "dataset_uri": "gs://tuneline-local/chat/train.jsonl",
        "default_context": "You are terse.",
        "train_steps": 20,
        "learning_rate_multiplier": 1,
        **more,
    }


def post(service: LocalVertex, identifier: str, given: dict[str, Any]) -> dict[str, Any]:
    body = {
        "displayName": identifier,
        "templateUri": HOSTED,
        "runtimeConfig": {"gcsOutputDirectory": "gs://tuneline-local/chat/root", "parameterValues": given},
    }
    address = "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=chat/train.jsonl"
    service.request("POST", address, conversations(40).encode())
    return service.request("POST", f"{PARENT}/pipelineJobs?pipelineJobId={identifier}", body)


def test_the_hosted_body_runs_and_the_tuned_model_answers(local_vertex: LocalVertex):
    job = post(local_vertex, "tune-large-chat-model-20261121000001", parameters(deploy_model=True))
    assert job["pipelineSpec"]["pipelineInfo"]["name"] == "tune-large-chat-model"

    def end() -> dict[str, Any] | None:
        now = local_vertex.request("GET", "/v1/" + job["name"])
        return now if now["state"] in ("PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED") else None

    done = wait_until(end, timeout_s=240, what="the run's end")
    assert done["state"] == "PIPELINE_STATE_SUCCEEDED", done.get("error")
    folder = "chat/root/tune-large-chat-model-20261121000001/run"
    plan = record(local_vertex, folder, "plan_tuning")["plan"]
    assert plan["template"] == "tune-large-chat-model"
    assert plan["base_model"]["family"] == "chat"
    assert plan["default_context"] == "You are terse."
    assert plan["evaluation"] is None
    assert record(local_vertex, folder, "select_checkpoint")["checkpoint"]["step"] == 20
    model = record(local_vertex, folder, "upload_model")["model_resource_name"]
    labels = local_vertex.request("GET", "/v1/" + model)["labels"]
    assert labels["google-vertex-llm-tuning-base-model-id"] == "chat-bison-002"
    endpoint = record(local_vertex, folder, "deploy_model")["endpoint_resource_name"]
    said = [("user", "Say 7."), ("model", "It is 7."), ("user", "Once more.")]
    answer = local_vertex.request(
        "POST",
        f"/v1/{endpoint}:generateContent",
        {
            "contents": [{"role": role, "parts": [{"text": text}]} for role, text in said],
            "systemInstruction": {"parts": [{"text": "You are terse."}]},
            "generationConfig": {"maxOutputTokens": 12},
        },
    )
    assert answer["candidates"][0]["content"]["parts"][0]["text"]
    assert answer["usageMetadata"]["promptTokenCount"] > 10  # the whole conversation, not its last turn alone


def test_evaluation_is_refused_in_the_rules_own_words_before_a_job_exists(local_vertex: LocalVertex, tmp_path: Path):
    with pytest.raises(HTTPError) as refused:
        post(local_vertex, "tune-large-chat-model-20261121000002", parameters(**EVALUATION))
    told = json.loads(refused.value.read())["error"]["message"]
    assert refused.value.code == 400
    for name in EVALUATION:
        assert f"{name}: is not supported for chat models" in told, told
    words = [word for name, value in parameters(**EVALUATION).items() for word in ("--set", f"{name}={value}")]
    before = len(local_vertex.calls("CreatePipelineJob"))
    done = tuneline(local_vertex, "run", "tune-large-chat-model", "--local", *words, cwd=tmp_path)
    assert done.returncode == 2
    for name in EVALUATION:
        assert f"{name}: is not supported for chat models" in done.stderr, done.stderr
    assert len(local_vertex.calls("CreatePipelineJob")) == before


def test_a_generation_set_is_refused_with_the_template_that_takes_it(local_vertex: LocalVertex, tmp_path: Path):
    (tmp_path / "pairs.jsonl").write_text('{"input_text": "1", "output_text": "2"}\n' * 20)
    words = [
        word for name, value in parameters(dataset_uri="pairs.jsonl").items() for word in ("--set", f"{name}={value}")
    ]
    done = tuneline(local_vertex, "run", "tune-large-chat-model", "--local", *words, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "palm-text" in done.stderr


def record(service: LocalVertex, folder: str, step: str) -> dict[str, Any]:
    """What a step has left in the run's folder."""
    name = f"{folder}/{step}.json".replace("/", "%2F")
    return service.request("GET", f"/storage/v1/b/tuneline-local/o/{name}?alt=media")["result"]
