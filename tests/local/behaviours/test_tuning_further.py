"""Promise: what was tuned can be tuned further, moved to another base, and served by another of its checkpoints."""

from __future__ import annotations

import json
import time
import urllib.error
from typing import Any

import pytest
from google.api_core import exceptions
from google.genai import types

from tests.local.behaviours.tuning import BUCKET, PAIRS, PROJECT, WHERE, preferences, put, succeeded, supervised


def test_labels_and_key_are_those_of_model_and_endpoints(tuned: Any, vertex_environment: Any) -> None:
    """TuningJob.labels "and generated resources"; the key encrypts all that the job makes."""
    made = [tuned.tuned_model.model, *(each.endpoint for each in tuned.tuned_model.checkpoints)]
    for name in made:
        found = vertex_environment.request("GET", f"/v1/{name}")
        assert found["labels"]["team"] == "words"
        assert found["encryptionSpec"]["kmsKeyName"].endswith("/cryptoKeys/k")


def test_tuned_models_are_listed_as_such(tuned: Any, genai_client: Any) -> None:
    """`models.list` asks for the label that every tuned model has; base models are another list."""
    listed = [each.name for each in genai_client.models.list(config={"query_base": False})]
    assert tuned.tuned_model.model.partition("@")[0] in [name.partition("@")[0] for name in listed]
    assert "publishers/google/models/gemini-2.5-flash" in [each.name for each in genai_client.models.list()]


def test_the_default_checkpoint_is_the_models_to_change(tuned: Any, genai_client: Any) -> None:
    """`models.update` moves it, the job's endpoint goes with it, and a checkpoint that is none is refused."""
    first, last = tuned.tuned_model.checkpoints
    model = genai_client.models.get(model=tuned.tuned_model.model)
    assert (model.default_checkpoint_id, [each.checkpoint_id for each in model.checkpoints]) == ("2", ["1", "2"])
    try:
        model = genai_client.models.update(model=model.name, config={"default_checkpoint_id": "1"})
        assert model.default_checkpoint_id == "1"
        assert genai_client.tunings.get(name=tuned.name).tuned_model.endpoint == first.endpoint
        with pytest.raises(Exception, match="'7' is no checkpoint"):
            genai_client.models.update(model=model.name, config={"default_checkpoint_id": "7"})
    finally:
        genai_client.models.update(model=model.name, config={"default_checkpoint_id": "2"})
    assert genai_client.tunings.get(name=tuned.name).tuned_model.endpoint == last.endpoint


@pytest.mark.slow
def test_tuning_goes_on_from_a_checkpoint(tuned: Any, genai_client: Any, vertex_environment: Any) -> None:
    """The first evaluation of the further job is the last one of the checkpoint's; the result is its model's second
    version; a name of its own makes a model of its own."""
    further = genai_client.tunings.tune(
        base_model=tuned.tuned_model.model,
        training_dataset={"gcs_uri": f"{BUCKET}/shared.jsonl"},
        config=types.CreateTuningJobConfig(
            epoch_count=1,
            pre_tuned_model_checkpoint_id="1",
            validation_dataset=types.TuningValidationDataset(gcs_uri=f"{BUCKET}/shared-eval.jsonl"),
        ),
    )
    assert further.pre_tuned_model.base_model == "gemini-2.5-flash"
    further = succeeded(genai_client, further)
    assert "stands in for gemini-2.5-flash" in further.description
    plain = tuned.tuned_model.model.partition("@")[0]
    assert further.tuned_model.model == f"{plain}@2"
    before, after = (curve(vertex_environment, job, "/eval_total_loss") for job in (tuned, further))
    assert after[0]["scalar"]["value"] == pytest.approx(before[1]["scalar"]["value"], abs=1e-4)
    assert after[-1]["scalar"]["value"] != after[0]["scalar"]["value"]
    assert genai_client.models.get(model=plain).name.startswith(plain)


def curve(vertex: Any, job: Any, metric: str) -> list[dict[str, Any]]:
    """A series of a job's TensorBoard."""
    experiment = job.experiment.rpartition("/")[2]
    run = f"{WHERE}/tensorboards/tuning-jobs/experiments/{experiment}/runs/tuning"
    series = vertex.request("GET", f"/v1/{run}/timeSeries")["tensorboardTimeSeries"]
    (name,) = [each["name"] for each in series if each["displayName"] == metric]
    return vertex.request("GET", f"/v1/{name}:read")["timeSeriesData"]["values"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"checkpointId": "9"}, "'9' is no checkpoint"),
        ({"tunedModelName": f"{WHERE}/models/1"}, "not found"),
        ({"tunedModelName": f"projects/{PROJECT}/locations/europe-west4/models/1"}, "not in the job's location"),
    ],
)
def test_only_a_checkpoint_that_is_there_is_gone_on_from(
    tuned: Any, vertex_environment: Any, change: dict[str, str], says: str
) -> None:
    """Refused by name before there is a job; so is another rank than the tuned model's."""
    body = {
        "preTunedModel": {"tunedModelName": tuned.tuned_model.model, **change},
        "supervisedTuningSpec": {"trainingDatasetUri": f"{BUCKET}/shared.jsonl"},
    }
    with pytest.raises(urllib.error.HTTPError) as refused:
        vertex_environment.request("POST", f"/v1/{WHERE}/tuningJobs", body)
    assert says in json.loads(refused.value.read())["error"]["message"]
    body["preTunedModel"] = {"tunedModelName": tuned.tuned_model.model}
    body["supervisedTuningSpec"]["hyperParameters"] = {"adapterSize": "ADAPTER_SIZE_EIGHT"}
    with pytest.raises(urllib.error.HTTPError) as refused:
        vertex_environment.request("POST", f"/v1/{WHERE}/tuningJobs", body)
    assert "the tuned model's is 4" in json.loads(refused.value.read())["error"]["message"]


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_a_tuned_model_is_rebased(tuned: Any, genai_client: Any, vertex_environment: Any, transport: str) -> None:
    """The generated client's operation ends with the new job: the old job's data on the base that was asked for, at the
    old endpoint where that was asked for, its adapter where the artifacts were to go."""
    from google.cloud import aiplatform_v1beta1 as gapic

    client = gapic.GenAiTuningServiceClient(transport=transport)
    model = gapic.TunedModelRef(tuned_model=tuned.tuned_model.model)
    job = gapic.TunedModelRef(tuning_job=tuned.name)
    with pytest.raises((exceptions.InvalidArgument, exceptions.BadRequest), match="name the new base"):
        client.rebase_tuned_model(parent=WHERE, tuned_model_ref=job)
    if transport == "rest":
        return
    wanted = gapic.TuningJob(base_model="gemini-3.5-flash")
    wanted.supervised_tuning_spec.training_dataset_uri = f"{BUCKET}/shared.jsonl"
    wanted.supervised_tuning_spec.hyper_parameters.epoch_count = 1
    operation = client.rebase_tuned_model(
        gapic.RebaseTunedModelRequest(
            parent=WHERE,
            tuned_model_ref=model,
            tuning_job=wanted,
            artifact_destination={"output_uri_prefix": f"{BUCKET}/rebased"},
        )
    )
    new = operation.result(timeout=60)
    assert new.name != tuned.name
    done = succeeded(genai_client, genai_client.tunings.get(name=new.name))
    assert (done.base_model, done.tuned_model_display_name) == ("gemini-3.5-flash", "numbers")
    assert done.supervised_tuning_spec.hyper_parameters.epoch_count == 1
    assert done.tuned_model.endpoint != tuned.tuned_model.endpoint
    listed = vertex_environment.request("GET", "/storage/v1/b/tuneline-local/o?prefix=rebased/")
    assert [each["name"].rpartition("/")[2] for each in listed["items"]] == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


@pytest.mark.slow
def test_a_pipeline_job_of_the_older_models_is_rebased_to_gemini(genai_client: Any, vertex_environment: Any) -> None:
    """Its PaLM rows are tuned on as they are; a tuning job of an old Gemini goes to its endpoint's next model."""
    palm = put(vertex_environment, "palm.jsonl", [{"input_text": a, "output_text": b} for a, b in PAIRS])
    spec = {
        "pipelineInfo": {"name": "nothing"},
        "root": {"dag": {"tasks": {}}, "inputDefinitions": {"parameters": {}}},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.0.0",
    }
    names = {"dataset_uri": palm, "large_model_reference": "text-bison@002", "model_display_name": "old"}
    spec["root"]["inputDefinitions"]["parameters"] = {name: {"parameterType": "STRING"} for name in names}
    pipeline = vertex_environment.request(
        "POST",
        f"/v1/{WHERE}/pipelineJobs",
        {
            "pipelineSpec": spec,
            "runtimeConfig": {"gcsOutputDirectory": f"{BUCKET}/root", "parameterValues": names},
        },
    )
    answer = vertex_environment.request(
        "POST",
        f"/v1/{WHERE}/tuningJobs:rebaseTunedModel",
        {"tunedModelRef": {"pipelineJob": pipeline["name"]}, "tuningJob": {"baseModel": "gemini-2.5-flash"}},
    )
    assert answer["done"]
    job = succeeded(genai_client, genai_client.tunings.get(name=answer["response"]["name"]))
    assert job.tuning_data_stats.supervised_tuning_data_stats.tuning_dataset_example_count == len(PAIRS)
    old = genai_client.tunings.tune(
        base_model="gemini-2.0-flash-001",
        training_dataset={"gcs_uri": put(vertex_environment, "old.jsonl", supervised(PAIRS))},
        config={"epoch_count": 1},
    )
    assert "Vertex AI itself would refuse it" in old.description
    old = succeeded(genai_client, old)
    answer = vertex_environment.request(
        "POST",
        f"/v1/{WHERE}/tuningJobs:rebaseTunedModel",
        {"tunedModelRef": {"tuningJob": old.name}, "deployToSameEndpoint": True},
    )
    new = succeeded(genai_client, genai_client.tunings.get(name=answer["response"]["name"]))
    assert new.base_model == "gemini-2.5-flash"
    assert new.tuned_model.endpoint == old.tuned_model.endpoint
    deployed = vertex_environment.request("GET", f"/v1/{new.tuned_model.endpoint}")["deployedModels"]
    assert [each["model"] for each in deployed] == [new.tuned_model.model.partition("@")[0]]


@pytest.mark.slow
def test_preferences_are_really_learned(genai_client: Any, vertex_environment: Any) -> None:
    """The SDK's own call: loss below that of the coin, statistics of pairs, endpoints that answer."""
    uri = put(vertex_environment, "preferences.jsonl", [*preferences(), {"contents": []}])
    job = genai_client.tunings.tune(
        base_model="gemini-2.5-flash",
        training_dataset={"gcs_uri": uri},
        config={
            "method": "PREFERENCE_TUNING",
            "epoch_count": 3,
            "beta": 0.5,
            "learning_rate_multiplier": 5,
            "validation_dataset": {"gcs_uri": put(vertex_environment, "held.jsonl", preferences()[:3])},
        },
    )
    job = succeeded(genai_client, job)
    raw = vertex_environment.request("GET", f"/v1/{job.name}")
    stats = raw["tuningDataStats"]["preferenceOptimizationDataStats"]
    assert (stats["tuningDatasetExampleCount"], stats["droppedExampleIndices"]) == ("11", ["11"])
    assert stats["userDatasetExamples"][0]["completions"][1]["completion"]["parts"][0]["text"] == "one"
    assert len(job.tuned_model.checkpoints) == 3
    losses = [each["scalar"]["value"] for each in curve(vertex_environment, job, "/eval_total_loss")]
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)
    assert losses[-1] < 0.65
    right = curve(vertex_environment, job, "/eval_fraction_of_correct_next_step_preds")
    assert [right[0]["scalar"]["value"], right[-1]["scalar"]["value"]] == [0.5, 1]
    answer = genai_client.models.generate_content(model=job.tuned_model.endpoint, contents="two")
    assert answer.usage_metadata.candidates_token_count > 0


@pytest.mark.slow
def test_curves_grow_while_the_job_runs_and_the_sdk_reads_them(genai_client: Any, vertex_environment: Any) -> None:
    """Points before the end; then the experiment's own run, through the SDK, has all six series and no step twice."""
    from google.cloud import aiplatform

    uri = put(vertex_environment, "live.jsonl", supervised(PAIRS * 4))
    held = put(vertex_environment, "live-eval.jsonl", supervised([("twelve", "thirteen")]))
    job = genai_client.tunings.tune(
        base_model="gemini-2.5-flash",
        training_dataset={"gcs_uri": uri},
        config={"epoch_count": 60, "validation_dataset": {"gcs_uri": held}},
    )
    deadline = time.monotonic() + 120
    seen = 0
    while not seen and not job.has_ended:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        if job.experiment:
            board = f"/v1/{WHERE}/tensorboards/tuning-jobs:readSize"
            experiment = job.experiment.rpartition("/")[2]
            run = f"{WHERE}/tensorboards/tuning-jobs/experiments/{experiment}/runs/tuning"
            seen = len(vertex_environment.request("GET", f"/v1/{run}/timeSeries").get("tensorboardTimeSeries", []))
            assert vertex_environment.request("GET", board)
        job = genai_client.tunings.get(name=job.name)
    assert seen
    assert job.state.name == "JOB_STATE_RUNNING"
    job = succeeded(genai_client, job)
    assert 10 <= len(job.tuned_model.checkpoints) <= 11  # about ten, evenly, for sixty epochs
    aiplatform.init(project=PROJECT, location="us-central1")
    experiment = aiplatform.Experiment(job.experiment)
    assert experiment.get_backing_tensorboard_resource().display_name == "Tuning jobs"
    run = aiplatform.ExperimentRun("tuning", experiment=experiment)
    data = run._backing_tensorboard_run.resource.read_time_series_data()
    assert len(data) == 6
    steps = [point.step for point in data["/train_total_loss"].values]
    assert len(steps) == len(set(steps)) > 100
    assert run.state.name == "COMPLETE"


@pytest.mark.slow
def test_killed_with_the_service_a_job_goes_on_and_its_curve_has_every_step_once(fresh_vertex: Any) -> None:
    """kill -9 while it trains, the object gone since: it ends as if nothing had been, on the rows that it had read."""
    uri = put(fresh_vertex, "kept.jsonl", supervised(PAIRS))
    spec = {"trainingDatasetUri": uri, "hyperParameters": {"epochCount": 60}}
    body = {"baseModel": "gemini-2.5-flash", "supervisedTuningSpec": spec}
    name = fresh_vertex.request("POST", f"/v1/{WHERE}/tuningJobs", body)["name"]
    series = f"/v1/{WHERE}/tensorboards/tuning-jobs/experiments/tuning-experiment-{name.rpartition('/')[2]}"
    deadline = time.monotonic() + 120
    while not points(fresh_vertex, series):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    fresh_vertex.request("DELETE", "/storage/v1/b/tuneline-local/o/kept.jsonl")
    fresh_vertex.kill()
    fresh_vertex.start()
    while (job := fresh_vertex.request("GET", f"/v1/{name}"))["state"] in ("JOB_STATE_PENDING", "JOB_STATE_RUNNING"):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert [int(point.get("step", 0)) for point in points(fresh_vertex, series)] == list(range(1, 60 * 5 + 1))


def points(vertex: Any, experiment: str) -> list[dict[str, Any]]:
    """What is there of the first series of an experiment; nothing where there is none yet."""
    try:
        data = vertex.request("GET", f"{experiment}/runs/tuning/timeSeries/1:read?maxDataPoints=5000")
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return []
    return list(data["timeSeriesData"].get("values", []))
