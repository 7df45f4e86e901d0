"""A TuningJob goes out with every field of the API's, and comes back as a job like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud.aiplatform_v1.types import TuningJob
from google.genai import types

from tests.google.scripted import Answer, Server, serving
from tests.jobs.plans import KEY
from tuneline import errors, jobs
from tuneline.jobs.engines import Claim
from tuneline.jobs.vertex_jobs import job_of
from tuneline.jobs.vertex_tuning import VertexTuning, data_losses

CLAIM = Claim(fingerprint="f" * 52, attempt=1, nonce="n", judge_uri="gs://b/1.job", output_uri="gs://b/o/")
NAME = "projects/7/locations/us-central1/tuningJobs/4840120203440324608"
ENDED = {
    "name": NAME,
    "state": "JOB_STATE_SUCCEEDED",
    "tunedModelDisplayName": "mine",
    "labels": CLAIM.labels,
    "createTime": "2026-11-20T10:00:00.123456789Z",
    "experiment": "projects/7/locations/us-central1/metadataStores/default/contexts/e",
    "tunedModel": {
        "model": "projects/7/locations/us-central1/models/1@1",
        "endpoint": "projects/7/locations/us-central1/endpoints/2",
        "checkpoints": [{"checkpointId": "1", "epoch": "1", "step": "10", "endpoint": "projects/7/…/endpoints/3"}],
    },
    "tuningDataStats": {
        "supervisedTuningDataStats": {
            "tuningDatasetExampleCount": "500",
            "totalTruncatedExampleCount": "2",
            "truncatedExampleIndices": ["3", "99"],
            "droppedExampleReasons": ["too long", "image is broken"],
            "totalBillableTokenCount": "12345",
            "tuningStepCount": "30",
        }
    },
}


def request(**changes: Any) -> jobs.Request:
    return jobs.vertex_tuning.request(
        **{
            "project": "p",
            "location": "us-central1",
            "display_name": "mine",
            "base_model": "gemini-2.5-flash",
            "training_data_uri": "gs://b/train.jsonl",
            "staging": "gs://b",
            "digests": {"train": "a1"},
            **changes,
        }
    )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that answers what a test says, and shows what it was asked; `test_local_training` runs such jobs."""
    with serving() as held:
        monkeypatch.setenv("TUNELINE_LOCAL_URL", held.url)
        yield held


def test_a_first_job_leaves_its_hyperparameters_to_the_service() -> None:
    """What is not given is not sent."""
    assert VertexTuning().stamped(request(), CLAIM) == {
        "baseModel": "gemini-2.5-flash",
        "supervisedTuningSpec": {"trainingDatasetUri": "gs://b/train.jsonl"},
        "tunedModelDisplayName": "mine",
        "labels": CLAIM.labels,
    }


def test_every_field_is_one_of_the_official_definition() -> None:
    """The service's own types take the body with all there is."""
    body = VertexTuning().stamped(
        request(
            validation_data_uri="gs://b/eval.jsonl",
            epoch_count=4,
            adapter_size=4,
            learning_rate_multiplier=0.5,
            export_last_checkpoint_only=True,
            encryption_key=KEY,
            service_account="me@p.iam.gserviceaccount.com",
            labels={"team": "a"},
        ),
        CLAIM,
    )
    official = TuningJob.from_json(json.dumps(body))
    spec = official.supervised_tuning_spec
    assert (spec.hyper_parameters.epoch_count, spec.hyper_parameters.adapter_size.name) == (4, "ADAPTER_SIZE_FOUR")
    assert spec.hyper_parameters.learning_rate_multiplier == 0.5
    assert spec.export_last_checkpoint_only
    assert official.encryption_spec.kms_key_name == KEY
    assert official.labels["team"] == "a"
    assert all(len(value) <= 63 for value in official.labels.values())


def test_a_tuned_model_is_tuned_further() -> None:
    """A resource name is a tuned model, with the checkpoint that is named."""
    model = "projects/p/locations/us-central1/models/1@2"
    official = TuningJob.from_json(json.dumps(dict(request(base_model=model, checkpoint_id="3").body)))
    assert official.pre_tuned_model.tuned_model_name == model
    assert official.pre_tuned_model.checkpoint_id == "3"
    assert not official.base_model


def test_preference_tuning_has_a_specification_of_its_own() -> None:
    """The generated client lacks it; Google's newer one has it."""
    body = request(preference=True, beta=0.1, adapter_size=1).body
    spec = types.PreferenceOptimizationSpec.model_validate(body["preferenceOptimizationSpec"])
    assert spec.hyper_parameters.beta == 0.1
    assert "supervisedTuningSpec" not in body


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """Three mistakes, one message."""
    with pytest.raises(errors.UsageError) as refused:
        request(adapter_size=3, beta=0.1, checkpoint_id="2")
    assert [problem.where for problem in refused.value.problems] == ["adapter_size", "beta", "checkpoint_id"]


@pytest.mark.parametrize(
    "changes",
    [{"epoch_count": 3}, {"digests": {"train": "b2"}}, {"encryption_key": KEY}, {"preference": True}],
    ids=str,
)
def test_whatever_matters_makes_another_job(changes: dict[str, Any]) -> None:
    """As for every engine: what is computed, not what it is called."""
    plain = jobs.fingerprint("vertex_tuning", request())
    assert jobs.fingerprint("vertex_tuning", request(**changes)) != plain
    assert jobs.fingerprint("vertex_tuning", request(display_name="other", labels={"a": "b"})) == plain


def test_the_calls_are_those_of_the_documentation(server: Server) -> None:
    """Create, get, list over pages, and a cancel with an empty body."""
    engine = jobs.engine("vertex_tuning")
    server.script[:] = [
        Answer(body={**ENDED, "state": "JOB_STATE_PENDING"}),
        Answer(body=ENDED),
        Answer(body={"tuningJobs": [{**ENDED, "labels": {}}], "nextPageToken": "2"}),
        Answer(body={"tuningJobs": [ENDED]}),
        Answer(body={}),
    ]
    assert engine.create(request(), CLAIM, timeout_s=10).state is jobs.JobState.PENDING
    assert engine.get(NAME).display_name == "mine"
    assert [job.name for job in engine.find("p", "us-central1", CLAIM.fingerprint)] == [NAME]
    engine.cancel(NAME)
    asked = [(each["method"], each["path"].partition("?")[0]) for each in server.requests]
    collection = "/v1/projects/p/locations/us-central1/tuningJobs"
    assert asked == [
        ("POST", collection),
        ("GET", f"/v1/{NAME}"),
        ("GET", collection),
        ("GET", collection),
        ("POST", f"/v1/{NAME}:cancel"),
    ]
    assert server.requests[-1]["body"] == b""


def test_a_result_names_model_endpoint_and_checkpoints(server: Server) -> None:
    """int64 comes as text and goes as a number."""
    server.script[:] = [Answer(body=ENDED)]
    result = jobs.engine("vertex_tuning").result(NAME)
    assert result["model"] == "projects/7/locations/us-central1/models/1@1"
    assert result["checkpoints"] == [{"id": "1", "step": 10, "epoch": 1, "endpoint": "projects/7/…/endpoints/3"}]


def test_a_job_without_a_model_has_no_result(server: Server) -> None:
    """The job's own words say why."""
    server.script[:] = [Answer(body={"name": NAME, "state": "JOB_STATE_FAILED", "error": {"message": "bad data"}})]
    with pytest.raises(errors.NotFound, match="failed: bad data"):
        jobs.engine("vertex_tuning").result(NAME)


@pytest.mark.parametrize(("status", "intact"), [(200, True), (404, False)])
def test_a_succeeded_job_is_intact_while_its_model_exists(server: Server, status: int, intact: bool) -> None:
    """A request whose model was deleted is tuned again."""
    server.script[:] = [Answer(status=status, body={"error": {"message": "no"}} if status == 404 else {})]
    assert jobs.engine("vertex_tuning").intact(job_of(ENDED)) is intact
    assert server.requests[0]["path"] == "/v1/projects/7/locations/us-central1/models/1@1"


def test_what_the_service_left_out_is_told() -> None:
    """It drops bad examples instead of failing; their lines and reasons are kept."""
    losses = data_losses(job_of(ENDED))
    assert losses["examples"] == 500
    assert losses["dropped"] == 2
    assert losses["lines"] == [3, 99]
    assert losses["reasons"] == ["too long", "image is broken"]
    assert data_losses(job_of({"name": NAME}))["dropped"] == 0


def test_waiting_for_capacity_is_told_apart_from_tuning() -> None:
    """The finer state says what a pending job is waiting for."""
    pending = job_of(
        {"name": NAME, "state": "JOB_STATE_PENDING", "tuningJobState": "TUNING_JOB_STATE_WAITING_FOR_QUOTA"}
    )
    assert "waiting for quota" in pending.words
