"""Promise: a batch prediction answers each line of its files by a real model, and lays the output out as documented."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import numpy
import pytest

from tuneline.local.processes import is_running
from tuneline.testing import LocalVertex

PROJECT = "proj-batch"
WHERE = f"projects/{PROJECT}/locations/us-central1"
BUCKET = "tuneline-local"


def put(vertex: LocalVertex, name: str, content: bytes) -> str:
    vertex.request("POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}", content)
    return f"gs://{BUCKET}/{name}"


def stored(vertex: LocalVertex, folder: str) -> dict[str, list]:
    """File name → its rows, of a folder of the object store."""
    prefix = folder.removeprefix(f"gs://{BUCKET}/") + "/"
    from google.cloud import storage

    blobs = storage.Client(project=PROJECT).list_blobs(BUCKET, prefix=prefix)
    return {b.name.removeprefix(prefix): [json.loads(x) for x in b.download_as_text().splitlines()] for b in blobs}


def row(text: str, **config) -> bytes:
    request = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    return json.dumps({"request": {**request, "generationConfig": {"maxOutputTokens": 4, **config}}}).encode() + b"\n"


def body(source: str, **fields) -> dict:
    return {
        "displayName": "b",
        "model": "publishers/google/models/gemini-2.5-flash",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [source]}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": f"gs://{BUCKET}/{uuid.uuid4().hex}"},
        },
        **fields,
    }


def ended(vertex: LocalVertex, name: str) -> dict:
    """The job once it has ended."""
    deadline = time.monotonic() + 120
    while True:
        job = vertex.request("GET", f"/v1/{name}")
        if job["state"].removeprefix("JOB_STATE_") in ("SUCCEEDED", "FAILED", "CANCELLED"):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.1)


def test_googles_client_gets_an_answer_for_each_line_and_the_reason_where_there_is_none(vertex_environment):
    """google-genai over two files of a wildcard: rows in order, refused rows told, a missing file a partial failure."""
    from google import genai

    folder = uuid.uuid4().hex
    image = {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/i.png"}}]}]}
    put(vertex_environment, f"{folder}/1.jsonl", row("one") + b"\n" + row("two", stopSequences=["zzz"]))
    put(vertex_environment, f"{folder}/2.jsonl", json.dumps({"request": image, "key": "k"}).encode() + b"\n{broken\n")
    client = genai.Client(vertexai=True, project=PROJECT, location="us-central1")
    target = f"gs://{BUCKET}/{folder}/out"
    sources = {"format": "jsonl", "gcs_uri": [f"gs://{BUCKET}/{folder}/*.jsonl", f"gs://{BUCKET}/{folder}/none.jsonl"]}
    job = client.batches.create(model="gemini-2.5-flash", src=sources, config={"dest": target, "display_name": "both"})
    assert job.state.name in ("JOB_STATE_PENDING", "JOB_STATE_RUNNING")
    status = vertex_environment.request("GET", "/_tuneline/status")
    deadline = time.monotonic() + 120
    while not job.done:
        assert time.monotonic() < deadline
        said = [each["says"] for each in status["stand_ins"] if each["name"] == job.name]
        assert not said or "builtin:tiny" in said[0]
        time.sleep(0.2)
        job = client.batches.get(name=job.name)
        status = vertex_environment.request("GET", "/_tuneline/status")
    assert said, "the status never said what stood in for the model"
    assert job.state.name == "JOB_STATE_SUCCEEDED", job.error
    assert (job.completion_stats.successful_count, job.completion_stats.failed_count) == (2, 2)
    assert job.name in [each.name for each in client.batches.list()]
    resource = vertex_environment.request("GET", f"/v1/{job.name}")
    assert "none.jsonl" in resource["partialFailures"][0]["message"]
    output = resource["outputInfo"]["gcsOutputDirectory"]
    assert output.startswith(f"{target}/prediction-model-2")
    (rows,) = stored(vertex_environment, output).values()
    assert list(stored(vertex_environment, output)) == ["predictions.jsonl"]
    assert [each["request"]["contents"][0]["parts"][0]["text"] for each in rows[:2]] == ["one", "two"]
    for each in rows[:2]:
        parsed = genai.types.GenerateContentResponse.model_validate(each["response"])
        assert parsed.usage_metadata.prompt_token_count > 0
        assert "a stand-in" in parsed.model_version
        assert each["status"] == ""
    assert [each["response"] for each in rows[2:]] == [{}, {}]
    assert rows[2]["key"] == "k"
    assert "file_data is nothing for it" in rows[2]["status"]
    assert "not JSON" in rows[3]["status"]
    client.batches.delete(name=job.name)
    assert job.name not in [each.name for each in client.batches.list()]


@pytest.mark.slow
def test_an_uploaded_model_predicts_its_instances_as_the_sdk_reads_them(vertex_environment):
    """The SDK over gRPC and REST, with a checkpoint of the trainer: predictions and errors apart, as documented."""
    from google.cloud import aiplatform

    from tuneline.trainer.base_model import load, resolve
    from tuneline.trainer.lora import adapter_files, initial_adapter

    base = load(resolve("builtin:tiny", stand_in=""), dtype=numpy.float32)
    folder = f"gs://{BUCKET}/{uuid.uuid4().hex}"
    adapter = initial_adapter(base.architecture, rank=2, seed=1)
    for name, content in adapter_files(adapter, base="builtin:tiny", family=base.architecture.family).items():
        put(vertex_environment, f"{folder.removeprefix(f'gs://{BUCKET}/')}/{name}", content)
    aiplatform.init(project=PROJECT, location="us-central1")
    model = aiplatform.Model.upload(
        display_name="uploaded",
        artifact_uri=folder,
        serving_container_image_uri="r/i:1",
        serving_container_environment_variables={"TUNELINE_BASE_MODEL": "builtin:tiny"},
    )
    lines = [{"prompt": "one"}, "two", {"nothing": 1}]
    source = put(vertex_environment, f"{uuid.uuid4().hex}.jsonl", "\n".join(map(json.dumps, lines)).encode())
    job = aiplatform.BatchPredictionJob.create(
        job_display_name="uploaded",
        model_name=model.resource_name,
        instances_format="jsonl",
        predictions_format="jsonl",
        gcs_source=source,
        gcs_destination_prefix=folder,
        model_parameters={"maxOutputTokens": 4},
        sync=False,
    )
    job.wait_for_resource_creation()
    ended(vertex_environment, job.resource_name)
    assert job.state.name == "JOB_STATE_SUCCEEDED"
    assert job.completion_stats.successful_count == 2
    output = job.output_info.gcs_output_directory
    assert output.startswith(f"{folder}/prediction-uploaded-2")
    assert len(list(job.iter_outputs())) == 2
    files = stored(vertex_environment, output)
    assert [each["instance"] for each in files["predictions_0001.jsonl"]] == lines[:2]
    assert all(set(each["prediction"]) == {"content", "finishReason"} for each in files["predictions_0001.jsonl"])
    (failed,) = files["errors_0001.jsonl"]
    assert failed["instance"] == {"nothing": 1}
    assert failed["error"]["code"] == 3


@pytest.mark.slow
def test_a_tuned_model_answers_a_batch_and_so_does_its_copy_elsewhere(fresh_vertex):
    """By its adapter, in Gemini's layout; the copy in another region gives the same answers."""
    turns = [{"role": "user", "parts": [{"text": "one"}]}, {"role": "model", "parts": [{"text": "two"}]}]
    data = put(fresh_vertex, "tune.jsonl", (json.dumps({"contents": turns}) + "\n").encode() * 24)
    spec = {"trainingDatasetUri": data, "hyperParameters": {"epochCount": 2}}
    job = fresh_vertex.request(
        "POST", f"/v1/{WHERE}/tuningJobs", {"baseModel": "gemini-2.5-flash", "supervisedTuningSpec": spec}
    )
    model = ended(fresh_vertex, job["name"])["tunedModel"]["model"]
    elsewhere = WHERE.replace("us-central1", "europe-west4")
    copied = fresh_vertex.request("POST", f"/v1/{elsewhere}/models:copy", {"sourceModel": model})["response"]["model"]
    source = put(fresh_vertex, "batch.jsonl", row("one") + row("five"))
    answers = []
    for where, name in ((WHERE, model), (elsewhere, copied)):
        batch = fresh_vertex.request("POST", f"/v1/{where}/batchPredictionJobs", body(source, model=name))
        done = ended(fresh_vertex, batch["name"])
        assert done["state"] == "JOB_STATE_SUCCEEDED", done
        assert done["modelVersionId"] == "1"
        name = done["outputInfo"]["gcsOutputDirectory"].removeprefix(f"gs://{BUCKET}/") + "/predictions.jsonl"
        place = f"{fresh_vertex.url}/storage/v1/b/{BUCKET}/o/{urllib.parse.quote(name, safe='')}?alt=media"
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(place) as answer:
            rows = [json.loads(line)["response"] for line in answer]
        assert all("tuned on tuneline-tiny" in each["modelVersion"] for each in rows)
        answers.append([each["candidates"] for each in rows])
    assert answers[0] == answers[1]
    with pytest.raises(urllib.error.HTTPError) as refused:
        fresh_vertex.request("POST", f"/v1/{elsewhere}/batchPredictionJobs", body(source, model=model))
    assert "not in the job's location" in json.loads(refused.value.read())["error"]["message"]


def test_a_batch_is_cancelled_and_deleted_only_once_it_has_ended(local_vertex):
    """And what cannot be answered at all fails with the reason."""
    source = put(local_vertex, "many.jsonl", row("one", maxOutputTokens=200) * 2000)
    job = local_vertex.request("POST", f"/v1/{WHERE}/batchPredictionJobs", body(source))
    with pytest.raises(urllib.error.HTTPError):
        local_vertex.request("DELETE", f"/v1/{job['name']}")
    local_vertex.request("POST", f"/v1/{job['name']}:cancel", {})
    assert ended(local_vertex, job["name"])["state"] == "JOB_STATE_CANCELLED"
    local_vertex.request("DELETE", f"/v1/{job['name']}")
    absent = local_vertex.request("POST", f"/v1/{WHERE}/batchPredictionJobs", body("gs://tuneline-local/none.jsonl"))
    broken = local_vertex.request(
        "POST", f"/v1/{WHERE}/batchPredictionJobs", body(put(local_vertex, "broken.jsonl", b"{}"))
    )
    found = ended(local_vertex, absent["name"])
    assert (found["state"], found["error"]["code"]) == ("JOB_STATE_FAILED", 3)
    assert "gs://tuneline-local/none.jsonl: there is no such object" in found["error"]["message"]
    found = ended(local_vertex, broken["name"])
    assert (found["state"], found["completionStats"]["failedCount"]) == ("JOB_STATE_FAILED", "1")
    assert "All 1 instances failed" in found["error"]["message"]


@pytest.mark.slow
def test_a_batch_goes_on_where_it_was_when_the_service_was_killed(fresh_vertex):
    """No row is answered twice or lost."""
    texts = [f"number {number}" for number in range(60)]
    source = put(fresh_vertex, "rows.jsonl", b"".join(row(text, maxOutputTokens=32) for text in texts))
    job = fresh_vertex.request("POST", f"/v1/{WHERE}/batchPredictionJobs", body(source))
    rows = fresh_vertex.data / "batches" / job["name"].rpartition("/")[2] / "rows.jsonl"
    deadline = time.monotonic() + 60
    while not rows.exists() or rows.read_bytes().count(b"\n") < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    fresh_vertex.kill()
    while is_running(rows.parent):
        assert time.monotonic() < deadline, "the batch outlived its service"
        time.sleep(0.01)
    before = rows.read_bytes()
    assert before.count(b"\n") < len(texts), "the batch was over before the kill"
    rows.write_bytes(before + b'[true, {"cut": ')
    fresh_vertex.start()
    found = ended(fresh_vertex, job["name"])
    assert found["completionStats"]["successfulCount"] == str(len(texts))
    whole = before[: before.rfind(b"\n") + 1]
    after = rows.read_bytes()
    assert after.startswith(whole)
    said = [json.loads(line)[1]["request"]["contents"][0]["parts"][0]["text"] for line in after.splitlines()]
    assert said == texts


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"model": ""}, "INVALID_ARGUMENT", "model"),
        ({"model": f"{WHERE}/models/none"}, "NOT_FOUND", "none"),
        (
            {"inputConfig": {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": "bq://p.d.t"}}},
            "UNIMPLEMENTED",
            "bigquery_source",
        ),
        (
            {"inputConfig": {"instancesFormat": "csv", "gcsSource": {"uris": ["gs://b/x.csv"]}}},
            "UNIMPLEMENTED",
            "csv",
        ),
        ({"inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["x"]}}}, "INVALID_ARGUMENT", "uris"),
        ({"instanceConfig": {"keyField": "k"}}, "UNIMPLEMENTED", "instance_config"),
    ],
)
def test_what_cannot_be_run_here_is_refused_by_name(local_vertex, change, status, says):
    """Before there is a job."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        local_vertex.request("POST", f"/v1/{WHERE}/batchPredictionJobs", body("gs://b/x.jsonl", **change))
    error = json.loads(refused.value.read())["error"]
    assert error["status"] == status
    assert says in error["message"]
