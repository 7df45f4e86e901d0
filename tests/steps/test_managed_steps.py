"""The steps of a managed job: data converted for its engine, what the service left out held against a threshold."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tests.steps.conftest import Run, write_dataset
from tuneline import objects, planning
from tuneline.errors import DatasetError, UsageError
from tuneline.jobs import gcp_resources
from tuneline.planning import Plan
from tuneline.steps import plan_tuning, staging, submit_tuning_job, upload_dataset, validate_dataset
from tuneline.steps import wait_for_tuning_job as waiting
from tuneline.testing import LocalVertex, local_vertex, vertex_environment

__all__ = ["local_vertex", "vertex_environment"]


def plan_of(folder: Path, template: str = "tune-gemini", **changes: Any) -> Plan:
    """A plan over forty pairs in the format of PaLM, staged beside them."""
    train = write_dataset(folder / "train.jsonl", 40)
    evaluation = write_dataset(folder / "evaluation.jsonl", 12, start=100)
    parameters: dict[str, Any] = {"project": "tuneline-local", "validation_dataset_uri": evaluation, "epoch_count": 1}
    if template == "tune-gemini":
        parameters |= {"base_model": "gemini-2.5-flash", "training_dataset_uri": train}
    else:
        parameters |= {"base_model": "gemini-1.5-flash-001-tuning", "dataset_uri": train}
    parameters |= changes
    facts = validate_dataset.facts(parameters, template=template)
    made = planning.plan(parameters, facts, region="us-central1", template=template)
    return dataclasses.replace(made, staging_uri=str(folder / "staging"))


def upload(run: Run, plan: Plan) -> dict[str, Any]:
    outputs = upload_dataset.run(plan=json.dumps(plan.to_dict()), dataset=run.artifact("dataset"), **run.common)
    return json.loads(outputs.staged)


@pytest.mark.parametrize(
    ("template", "formats"),
    [
        ("tune-gemini", {"train": "gemini", "evaluation": "gemini"}),
        ("tune-gemini-api", {"train": "gemini-api", "evaluation": "palm-text"}),
    ],
)
def test_an_engine_is_given_its_own_format(run: Run, tmp_path: Path, local: None, template: str, formats: dict) -> None:
    """What it reads is converted; what only we read stays as it was; and the original is staged for predictions."""
    plan = plan_of(tmp_path, template)
    staged = upload(run, plan)
    assert {name: entry["format"] for name, entry in staged.items()} == formats
    first = json.loads(objects.read_text(staged["train"]["uri"]).splitlines()[0])
    assert "contents" in first if template == "tune-gemini" else first == {"text_input": "after 0", "output": "1"}
    assert plan.evaluation is not None
    assert objects.exists(staging.target(plan.staging_uri, plan.evaluation.digest))


def test_what_may_be_a_key_is_not_written_down(run: Run, tmp_path: Path, local: None) -> None:
    """A record names the secret where the key lies, and hides whatever else stands there."""
    parameters = {
        "project": "tuneline-local",
        "base_model": "gemini-1.5-flash-001-tuning",
        "dataset_uri": write_dataset(tmp_path / "train.jsonl", 40),
        "staging_uri": str(tmp_path),
    }
    facts = json.dumps(validate_dataset.facts(parameters, template="tune-gemini-api"))
    for given, shown in (("a-key-of-nobodys", "(not shown)"), ("projects/p/secrets/key", "projects/p/secrets/key")):
        asked = parameters | {"api_key_secret": given}
        if given.startswith("a-key"):
            with pytest.raises(UsageError, match="names no secret"):
                plan_tuning.run(facts=facts, template="tune-gemini-api", **asked, **run.common)
        else:
            plan_tuning.run(facts=facts, template="tune-gemini-api", **asked, **run.common)
        assert run.record("plan_tuning")["inputs"]["api_key_secret"] == shown
        assert "a-key-of-nobodys" not in json.dumps(run.record("plan_tuning"))


def test_a_tuned_model_is_linked_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline's page links jobs of both services by their own addresses."""
    monkeypatch.delenv("TUNELINE_LOCAL_URL", raising=False)
    (link,) = json.loads(gcp_resources("tunedModels/t"))["resources"]
    assert link["resourceUri"] == "https://generativelanguage.googleapis.com/v1beta/tunedModels/t"


@pytest.mark.slow
def test_what_the_service_left_out_fails_the_run_above_a_share(
    run: Run, tmp_path: Path, vertex_environment: LocalVertex
) -> None:
    """Two broken rows of forty-two: told with line and reason; above the share the model stays, and is adopted."""
    plan = dataclasses.replace(plan_of(tmp_path, max_dropped_share=0.02), staging_uri="gs://tuneline-local")
    staged = upload(run, plan)
    broken = objects.read_bytes(staged["train"]["uri"]) + b'{"contents": []}\n{"contents": "none"}\n'
    objects.write_bytes("gs://tuneline-local/broken.jsonl", broken)
    staged["train"] |= {"uri": "gs://tuneline-local/broken.jsonl", "digest": "broken"}

    def wait(asked: Plan) -> dict[str, Any]:
        text = json.dumps(asked.to_dict())
        submitted = submit_tuning_job.run(plan=text, staged=json.dumps(staged), **run.common)
        outputs = waiting.run(
            plan=text,
            job=submitted.job,
            submission=submitted.submission,
            staged=json.dumps(staged),
            **run.common,
        )
        return json.loads(outputs.result)

    with pytest.raises(DatasetError, match=r"2 of 42 training examples .*lines 41, 42.*max_dropped_share is 0.02"):
        wait(plan)
    made = len(vertex_environment.calls("CreateTuningJob"))
    result = wait(dataclasses.replace(plan, max_dropped_share=0.1))
    assert result["dataset"]["dropped"] == 2
    assert len(vertex_environment.calls("CreateTuningJob")) == made
    assert any("2 of 42" in note for note in run.record("wait_for_tuning_job")["result"]["notes"])
