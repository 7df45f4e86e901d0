"""Promise: Google's own client tunes, watches and prompts a model here, and what it gets was really trained."""

from __future__ import annotations

import json
import time
import urllib.error
from itertools import pairwise

import pytest

WHERE = "projects/proj-tuning/locations/us-central1"
DATA = "gs://tuneline-local/tuning.jsonl"
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def rows(pairs) -> bytes:
    """A dataset in Gemini's format."""
    contents = [[{"role": "user", "parts": [{"text": a}]}, {"role": "model", "parts": [{"text": b}]}] for a, b in pairs]
    return "\n".join(json.dumps({"contents": each}) for each in contents).encode()


@pytest.fixture
def client(vertex_environment):
    """google-genai, redirected by environment alone."""
    from google import genai

    path = "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name="
    pairs = list(pairwise(WORDS)) * 3
    vertex_environment.request("POST", path + "tuning.jsonl", rows(pairs))
    vertex_environment.request("POST", path + "broken.jsonl", b'{"contents": []}\n' * 20)
    return genai.Client(vertexai=True, project="proj-tuning", location="us-central1")


def ended(client, job):
    """The job once it has ended."""
    deadline = time.monotonic() + 120
    while not job.has_ended:
        assert time.monotonic() < deadline
        time.sleep(0.3)
        job = client.tunings.get(name=job.name)
    return job


def test_a_tuned_model_answers_and_each_checkpoint_has_its_endpoint(client, vertex_environment):
    """From the create to the prompt; the experiment, the statistics, the list, both waits of the SDK."""
    job = client.tunings.tune(
        base_model="gemini-2.5-flash",
        training_dataset={"gcs_uri": DATA},
        config={"epoch_count": 2, "tuned_model_display_name": "numbers", "adapter_size": "ADAPTER_SIZE_FOUR"},
    )
    assert job.state.name == "JOB_STATE_PENDING"
    job = ended(client, job)
    assert job.state.name == "JOB_STATE_SUCCEEDED", job.error
    assert "stands in for gemini-2.5-flash" in job.description
    assert [c.epoch for c in job.tuned_model.checkpoints] == [1, 2]
    assert job.tuned_model.endpoint == job.tuned_model.checkpoints[-1].endpoint
    stats = job.tuning_data_stats.supervised_tuning_data_stats
    assert (stats.tuning_dataset_example_count, stats.tuning_step_count) == (33, 10)
    assert stats.user_dataset_examples[0].parts[0].text == "one"
    context = vertex_environment.request("GET", f"/v1/{job.experiment}")
    assert context["metadata"]["experiment_deleted"] is False
    assert job.name in [each.name for each in client.tunings.list()]
    first, last = (each.endpoint for each in job.tuned_model.checkpoints)
    assert vertex_environment.request("GET", f"/v1/{first}")["deployedModels"][0]["modelVersionId"] == "1"
    answer = client.models.generate_content(
        model=last, contents="seven", config={"temperature": 0, "max_output_tokens": 8}
    )
    assert answer.text
    assert answer.usage_metadata.candidates_token_count > 0
    assert "tuned on tuneline-tiny" in answer.model_version
    model = client.models.get(model=job.tuned_model.model)
    assert model.default_checkpoint_id == "2"
    stream = client.models.generate_content_stream(model=job.tuned_model.endpoint, contents="two")
    assert "".join(part.text for part in stream)


def test_a_broken_dataset_fails_the_job_with_its_reasons(client):
    """By the line, not at the create: the service too reads the data when the job runs."""
    job = client.tunings.tune(
        base_model="gemini-2.5-flash", training_dataset={"gcs_uri": "gs://tuneline-local/broken.jsonl"}
    )
    job = ended(client, job)
    assert job.state.name == "JOB_STATE_FAILED"
    assert "broken.jsonl" in job.error.message


def test_a_cancelled_job_ends_cancelled(client):
    """Whenever the cancel comes."""
    job = client.tunings.tune(
        base_model="gemini-2.5-flash", training_dataset={"gcs_uri": DATA}, config={"epoch_count": 50}
    )
    client.tunings.cancel(name=job.name)
    assert ended(client, job).state.name == "JOB_STATE_CANCELLED"


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"baseModel": "gemini-9"}, "INVALID_ARGUMENT", "gemini-9"),
        ({"baseModel": ""}, "INVALID_ARGUMENT", "baseModel"),
        ({"supervisedTuningSpec": {"trainingDatasetUri": "x.jsonl"}}, "INVALID_ARGUMENT", "trainingDatasetUri"),
        ({"tunedModelDisplayName": "x" * 129}, "INVALID_ARGUMENT", "tunedModelDisplayName"),
        (
            {"supervisedTuningSpec": {"trainingDatasetUri": DATA, "hyperParameters": {"epochCount": -1}}},
            "INVALID_ARGUMENT",
            "epochCount",
        ),
        (
            {"supervisedTuningSpec": None, "partnerModelTuningSpec": {}},
            "UNIMPLEMENTED",
            "partnerModelTuningSpec",
        ),
        ({"preferenceOptimizationSpec": {"trainingDatasetUri": DATA}}, "INVALID_ARGUMENT", "excludes"),
        ({"baseModel": "text-bison@002"}, "INVALID_ARGUMENT", "tune-large-model"),
        ({"baseModel": "qwen3-8b"}, "INVALID_ARGUMENT", "outputUri"),
        (
            {"supervisedTuningSpec": {"trainingDatasetUri": DATA, "hyperParameters": {"batchSize": 4}}},
            "INVALID_ARGUMENT",
            "batchSize",
        ),
        (
            {"supervisedTuningSpec": {"trainingDatasetUri": DATA, "hyperParameters": {"adapterSize": 5}}},
            "INVALID_ARGUMENT",
            "32 is not supported",
        ),
        (
            {"encryptionSpec": {"kmsKeyName": "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"}},
            "INVALID_ARGUMENT",
            "is no key of us-central1",
        ),
    ],
)
def test_a_wrong_request_is_refused_by_the_fields_name(local_vertex, change, status, says):
    """Before there is a job."""
    body = {"baseModel": "gemini-2.5-flash", "supervisedTuningSpec": {"trainingDatasetUri": DATA}, **change}
    with pytest.raises(urllib.error.HTTPError) as refused:
        local_vertex.request("POST", f"/v1beta1/{WHERE}/tuningJobs", {k: v for k, v in body.items() if v is not None})
    error = json.loads(refused.value.read())["error"]
    assert error["status"] == status
    assert says in error["message"]


def test_the_documentations_snake_case_body_is_taken(local_vertex):
    """Its own curl example has it."""
    body = {"baseModel": "gemini-2.5-flash", "supervisedTuningSpec": {"training_dataset_uri": "gs://none/none.jsonl"}}
    job = local_vertex.request("POST", f"/v1/{WHERE}/tuningJobs", body)
    assert job["supervisedTuningSpec"]["trainingDatasetUri"] == "gs://none/none.jsonl"


def test_googles_own_models_are_stood_in_for_and_say_so(client):
    """The base answers, and names itself."""
    answer = client.models.generate_content(
        model="gemini-2.5-flash", contents="hello", config={"max_output_tokens": 4, "stop_sequences": ["zzz"]}
    )
    assert answer.candidates[0].finish_reason.name in ("STOP", "MAX_TOKENS")
    assert "a stand-in" in answer.model_version
