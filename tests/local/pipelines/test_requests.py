"""A request for a pipeline job is refused whole, with every reason in one message, or accepted and run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from tests.local.pipelines import corpus
from tests.local.pipelines.conftest import PARENT, Service

Compile = Callable[[Any], dict[str, Any]]
HOSTED = "https://us-kfp.pkg.dev/ml-pipeline/large-language-model-pipelines/tune-large-model/v3.0.0"
BODY = {
    "project": "tuneline-local",
    "model_display_name": "numbers",
    "dataset_uri": "gs://tuneline-local/absent.jsonl",
    "location": "us-central1",
    "large_model_reference": "text-bison@002",
    "train_steps": "20",
    "accelerator_type": "GPU",
}
"""As written for the hosted template: a number is a text."""


def refused(answer: requests.Response) -> str:
    """The one message of a refusal."""
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    return str(error["message"])


def jobs(service: Service) -> list[str]:
    listed = requests.get(f"{service.url}/v1/{PARENT}/pipelineJobs?pageSize=1000", timeout=60).json()
    return [job["name"] for job in listed.get("pipelineJobs", ())]


def test_all_parameter_mistakes_are_told_at_once(shared: Service, compile_pipeline: Compile) -> None:
    """An unknown name with the one that was meant, a wrong type, a missing one: one message, and no job."""
    before = jobs(shared)
    message = refused(shared.create(compile_pipeline(corpus.retried), {"folder:": "x", "times": "2"}))
    assert "folder:: is no parameter of this pipeline → did you mean 'folder'?" in message
    assert 'times: "2" is not a whole number' in message
    assert "folder: is required and not given" in message
    assert jobs(shared) == before


def test_a_folder_in_cloud_storage_is_required(shared: Service, compile_pipeline: Compile) -> None:
    spec = compile_pipeline(corpus.linear)
    for root in ("", "/tmp/here", "gs://"):
        message = refused(shared.create(spec, runtime={"gcsOutputDirectory": root}))
        assert "gcsOutputDirectory" in message


def test_an_id_is_taken_once(shared: Service, compile_pipeline: Compile) -> None:
    """The id is the lock: a second create is a 409."""
    spec = compile_pipeline(corpus.handled_well)
    name = shared.submit(spec, job_id="taken-once")
    answer = shared.create(spec, job_id="taken-once")
    assert answer.status_code == 409
    assert shared.ended(name).state == "SUCCEEDED"


def test_the_hosted_template_is_stood_in_for_and_says_so(shared: Service) -> None:
    """A body written for the hosted tune-large-model is accepted at its own address, texts for numbers included."""
    answer = shared.create(None, BODY, templateUri=HOSTED)
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert job["templateUri"] == HOSTED
    assert job["labels"]["tuneline-served-template"] == "tune-large-model"
    assert job["templateMetadata"]["version"] == "v3.0.0"
    run = shared.ended(job["name"])
    assert run.state == "FAILED", "the dataset of this test does not exist"
    assert run.tasks["tune-large-model"]["execution"]["metadata"]["input:train_steps"] == 20
    assert "absent.jsonl" in run.job["error"]["message"]


def test_bad_input_to_the_hosted_template_is_refused_whole(shared: Service) -> None:
    """`"evaluation_data_uri:"` is refused by name, together with what the rules of planning find."""
    before = jobs(shared)
    body = {**BODY, "evaluation_data_uri:": "gs://tuneline-local/e.jsonl", "train_steps": "many", "dataset_uri": ""}
    message = refused(shared.create(None, body, templateUri=HOSTED))
    assert "evaluation_data_uri:: " in message
    assert "did you mean `evaluation_data_uri`" in message
    assert "train_steps: " in message
    assert "dataset_uri: is empty" in message
    assert jobs(shared) == before


def test_an_unknown_template_is_refused(shared: Service) -> None:
    message = refused(shared.create(None, {}, templateUri="https://us-kfp.pkg.dev/p/r/unknown/v1"))
    assert "no template is served here" in message


def test_a_running_job_is_not_deleted_and_an_ended_one_is(shared: Service, compile_pipeline: Compile) -> None:
    run = shared.run(compile_pipeline(corpus.linear))
    assert requests.delete(f"{shared.url}/v1/{run.job['name']}", timeout=60).status_code == 200
    assert run.job["name"] not in jobs(shared)
    assert not shared.folder(run.job["name"]).exists()
