"""A plan's job really trains on the local service, is adopted while its result is there, and made anew without it."""

from __future__ import annotations

import json

import pytest

from tests.jobs.plans import plan
from tuneline import errors, jobs, objects
from tuneline.testing import LocalVertex

NUMBERS = [(f"{number}", f"{number + 1}") for number in range(40)]


def staged(folder: str) -> dict[str, object]:
    """Forty pairs of numbers, there to be trained on."""
    lines = [json.dumps({"input_text": one, "output_text": other}) for one, other in NUMBERS]
    uri = objects.join(folder, "data/train.jsonl")
    objects.write_bytes(uri, ("\n".join(lines) + "\n").encode())
    entry = {"uri": uri, "digest": "numbers", "crc32c": "", "examples": len(lines)}
    return {"train": entry, "evaluation": entry, "test": None}


@pytest.mark.slow
def test_a_plan_is_trained_once_until_its_result_is_gone(here: LocalVertex) -> None:
    """Submit, wait, read; the same again costs no call; with the result deleted it is trained again."""
    engine = jobs.engine("custom_training")
    data = staged("gs://tuneline-local/a")
    wanted = jobs.custom_training.request(plan(training__train_steps=4, training__evaluation_interval=2), data, run="a")
    submission = jobs.submit(engine, wanted)
    job = jobs.wait(engine, submission.name, deadline_s=240, submission=submission)
    job.raise_unless_succeeded()
    result = engine.result(job.name, output_uri=submission.output_uri)
    assert result["state"] == "succeeded"
    assert [checkpoint["step"] for checkpoint in result["checkpoints"]] == [2, 4]
    assert any("/train_total_loss" in line for line in engine.logs(job.name))

    made = len(here.calls("CreateCustomJob"))
    again = jobs.submit(
        engine, jobs.custom_training.request(plan(training__train_steps=4, training__evaluation_interval=2), data)
    )
    assert (again.name, again.adopted, again.ours) == (submission.name, True, False)
    assert len(here.calls("CreateCustomJob")) == made

    objects.delete(objects.join(submission.output_uri, "result.json"))
    with pytest.raises(errors.NotFound, match="has left no result"):
        engine.result(job.name)
    anew = jobs.submit(engine, wanted)
    assert anew.attempt == submission.attempt + 1
    engine.cancel(anew.name)


def test_a_configuration_that_the_trainer_refuses_is_told_in_its_words(here: LocalVertex) -> None:
    """The job's own error text is what the user reads; the same request again makes a new attempt."""
    engine = jobs.engine("custom_training")
    wanted = jobs.custom_training.request(plan(training__adapter_size=3), staged("gs://tuneline-local/b"))
    submission = jobs.submit(engine, wanted)
    job = jobs.wait(engine, submission.name, deadline_s=120, submission=submission)
    with pytest.raises(errors.JobFailed, match="adapter_size: must be one of 1, 2, 4"):
        job.raise_unless_succeeded()
    again = jobs.submit(engine, wanted)
    assert again.attempt == submission.attempt + 1
    engine.cancel(again.name)


def gemini(folder: str, **changes: object) -> jobs.Request:
    """A TuningJob on sixteen examples in Gemini's form; the local service's small base stands in for the model."""
    lines = [
        {"contents": [{"role": role, "parts": [{"text": text}]} for role, text in (("user", one), ("model", other))]}
        for one, other in NUMBERS[:16]
    ]
    uri = objects.join(folder, "gemini.jsonl")
    objects.write_bytes(uri, "\n".join(json.dumps(line) for line in lines).encode() + b"\n")
    return jobs.vertex_tuning.request(
        project="tuneline-local",
        location="us-central1",
        display_name="numbers",
        base_model="gemini-2.5-flash",
        training_data_uri=uri,
        staging="gs://tuneline-local",
        digests={"train": "numbers"},
        **changes,
    )


def test_a_tuning_job_is_made_once_and_cancelled(here: LocalVertex) -> None:
    """The same ledger, the other collection: a lost answer is found by its labels, and the next who asks adopts."""
    engine = jobs.engine("vertex_tuning")
    wanted = gemini("gs://tuneline-local/c", epoch_count=50)
    here.fault("CreateTuningJob", drop="after")
    submission = jobs.submit(engine, wanted)
    assert "/tuningJobs/" in submission.name
    assert jobs.submit(engine, wanted).name == submission.name
    assert len(here.calls("CreateTuningJob")) == 1
    assert json.loads(jobs.gcp_resources(submission.name))["resources"][0]["resourceType"] == "TuningJob"
    engine.cancel(submission.name)
    job = jobs.wait(engine, submission.name, deadline_s=60)
    assert job.state is jobs.JobState.CANCELLED
    engine.cancel(submission.name)
    anew = jobs.submit(engine, wanted)
    assert anew.attempt == 2
    engine.cancel(anew.name)


@pytest.mark.slow
def test_a_tuning_job_ends_with_a_model_and_its_checkpoints(here: LocalVertex) -> None:
    """What the managed service gives back is read: model, endpoint, checkpoints, and what it left out."""
    engine = jobs.engine("vertex_tuning")
    submission = jobs.submit(engine, gemini("gs://tuneline-local/d", epoch_count=2, adapter_size=4))
    job = jobs.wait(engine, submission.name, deadline_s=240, submission=submission)
    job.raise_unless_succeeded()
    result = engine.result(job.name)
    assert "/models/" in str(result["model"])
    assert len(result["checkpoints"]) == 2
    assert result["dataset"]["examples"] == 16
    assert engine.intact(job)
    assert jobs.submit(engine, gemini("gs://tuneline-local/d", epoch_count=2, adapter_size=4)).adopted
