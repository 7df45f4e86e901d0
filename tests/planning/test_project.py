"""What the project itself knows against a plan is told at once; what may not be seen is noted, not held against it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.google.scripted import Answer, Server, serving
from tests.planning.conftest import facts_of, found, request_of
from tuneline import errors, objects, planning
from tuneline.google import rest

PROJECT = "tuneline-local"
KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local service of this file's own; its address."""
    data = tmp_path_factory.mktemp("service")
    command = [sys.executable, "-m", "tuneline.local", "--data", str(data), "--port", "0"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TUNELINE_")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as running:
        assert running.stderr is not None
        lines = []
        for line in running.stderr:
            lines.append(line)
            if "ready at " in line:
                break
        else:
            raise AssertionError("the service did not start: " + "".join(lines))
        try:
            yield line.split("ready at ")[1].split(",")[0].split()[0]
        finally:
            running.terminate()


@pytest.fixture
def local_service(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNELINE_LOCAL_URL", service)
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)


def plan_of(**changes: Any) -> planning.Plan:
    values = request_of(project=PROJECT, base_model_uri=None, staging_uri="gs://tuneline-local") | changes
    return planning.plan(values, facts_of(), region="us-central1")


@pytest.mark.usefixtures("local_service")
def test_a_plan_that_fits_its_project_comes_back_as_it_was() -> None:
    made = plan_of()
    assert planning.check_project(made) == made


@pytest.mark.usefixtures("local_service")
def test_a_bucket_that_is_not_there_is_told() -> None:
    with pytest.raises(errors.UsageError) as caught:
        planning.check_project(plan_of(staging_uri="gs://no-such-bucket-anywhere"))
    [problem] = caught.value.problems
    assert (problem.where, problem.what) == (
        "staging_uri",
        "there is no bucket gs://no-such-bucket-anywhere [staging-bucket]",
    )
    assert problem.fix


@pytest.mark.usefixtures("local_service")
def test_a_bucket_far_from_the_tuning_is_remarked_on() -> None:
    made = planning.check_project(plan_of(accelerator_type="TPU"))
    assert any("is in us-central1, and the tuning in europe-west4" in text for text in made.notes)


@pytest.mark.usefixtures("local_service")
def test_weights_that_the_local_store_lacks_are_told_as_a_stand_in() -> None:
    uri = "gs://tuneline-local/models/mine"
    made = planning.check_project(plan_of(base_model_uri=uri))
    assert any("the built-in model stands in for it" in text for text in made.warnings)
    objects.write_bytes(f"{uri}/config.json", b"{}")
    assert not planning.check_project(plan_of(base_model_uri=uri)).warnings


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Stands for the two services that the local one does not have: keys and quotas."""
    with serving() as held:
        monkeypatch.setenv("TUNELINE_LOCAL_URL", held.url)
        yield held


def real_plan(**changes: Any) -> planning.Plan:
    """A plan as for the real service, of which only the check under test is asked."""
    return dataclasses.replace(plan_of(staging_uri=None, **changes), local=False)


def limit(value: int, region: str = "") -> dict[str, Any]:
    dimensions = {"dimensions": {"region": region}} if region else {}
    return {"consumerQuotaLimits": [{"quotaBuckets": [{"effectiveLimit": str(value)} | dimensions]}]}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(body=limit(0, "us-central1")), "is 0, and the job takes 8"),
        (Answer(body=limit(7)), "is 7, and the job takes 8"),
        (Answer(body=limit(8, "us-central1")), ""),
        (Answer(body=limit(-1)), ""),
    ],
)
def test_a_quota_below_what_the_job_takes_is_told(
    google: Server, monkeypatch: pytest.MonkeyPatch, answer: Answer, told: str
) -> None:
    monkeypatch.delenv("TUNELINE_LOCAL_URL")
    made = planning.plan(request_of(), facts_of(), region="us-central1")
    monkeypatch.setenv("TUNELINE_LOCAL_URL", google.url)
    made = dataclasses.replace(made, base_model=dataclasses.replace(made.base_model, uri="builtin:tiny"))
    google.script = [Answer(body={"projectId": "my-project"}), answer]
    if told:
        with pytest.raises(errors.UsageError, match=told):
            planning.check_project(made)
    else:
        planning.check_project(made)
    assert "custom_model_training_nvidia_a100_80gb_gpus" in google.requests[-1]["path"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(body={"primary": {"state": "DISABLED"}}), "DISABLED"),
        (Answer(status=404, body={"error": {"message": "no such key"}}), "no such key"),
        (Answer(body={"primary": {"state": "ENABLED"}}), ""),
    ],
)
def test_a_key_that_cannot_be_used_is_told(google: Server, answer: Answer, told: str) -> None:
    google.script = [Answer(body={"projectId": PROJECT}), answer]
    made = real_plan(encryption_spec_key_name=KEY)
    if told:
        with pytest.raises(errors.UsageError, match=told):
            planning.check_project(made)
    else:
        planning.check_project(made)
    assert google.requests[-1]["path"] == f"/v1/{KEY}"


def test_a_gemini_model_that_the_service_does_not_have_is_told(google: Server) -> None:
    """Asked for in the region of the job."""
    values = {
        "project": PROJECT,
        "base_model": "gemini-2.5-flash",
        "training_dataset_uri": "gs://bucket/train.jsonl",
        "location": "europe-west4",
    }
    made = planning.plan(values, facts_of(found(format="gemini")), region="us-central1", template="tune-gemini")
    made = dataclasses.replace(made, local=False)
    google.script = [Answer(body={"projectId": PROJECT}), Answer(status=404, body={"error": {"message": "not found"}})]
    with pytest.raises(errors.UsageError, match="europe-west4: not found"):
        planning.check_project(made)
    assert google.requests[-1]["path"] == "/v1/publishers/google/models/gemini-2.5-flash"


def test_a_quota_too_small_for_a_fallback_is_a_warning(google: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job may never go there."""
    monkeypatch.delenv("TUNELINE_LOCAL_URL")
    values = request_of(base_model_uri=None, large_model_reference="tuneline-tiny", fallback_slices="gpu-8xh100-80gb")
    made = planning.plan(values, facts_of(), region="us-central1")
    monkeypatch.setenv("TUNELINE_LOCAL_URL", google.url)
    google.script = [Answer(body={"projectId": PROJECT}), Answer(body=limit(8)), Answer(body=limit(0))]
    warnings = planning.check_project(made).warnings
    assert any("fallback 1: " in text and "h100_gpus" in text for text in warnings)


def test_all_that_the_project_misses_is_told_at_once(google: Server) -> None:
    google.script = [Answer(status=404, body={"error": {"message": "not there"}})]
    board = "projects/p/locations/us-central1/tensorboards/1"
    with pytest.raises(errors.UsageError) as caught:
        planning.check_project(real_plan(encryption_spec_key_name=KEY, tensorboard_resource_id=board))
    assert [p.where for p in caught.value.problems] == [
        "project",
        "tensorboard_resource_id",
        "encryption_spec_key_name",
    ]
    assert all(p.fix for p in caught.value.problems)


def test_what_the_caller_may_not_see_is_noted(google: Server) -> None:
    google.script = [Answer(status=403, body={"error": {"message": "Permission denied."}})]
    notes = planning.check_project(real_plan(encryption_spec_key_name=KEY)).notes
    assert [text.split(":")[0] for text in notes if text.startswith("not checked")] == [
        "not checked, project-exists",
        "not checked, key-usable",
    ]
    assert any("Permission denied." in text for text in notes)


def test_a_service_that_does_not_answer_ends_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNELINE_LOCAL_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(rest, "call", lambda *args, **named: rest.exchange(*args, **named, timeout_s=0.2).body)
    with pytest.raises(errors.Unavailable):
        planning.check_project(plan_of())
