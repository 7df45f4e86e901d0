"""A plan becomes a CustomJob with everything that the plan decided, and the same plan becomes the same job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.plans import KEY, TENSORBOARD, plan, staged
from tuneline import errors, jobs, objects
from tuneline.jobs.custom_training import CustomTraining
from tuneline.jobs.engines import Claim


def body(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    return dict(jobs.custom_training.request(plan(str(tmp_path), **changes), staged()).body)


def fingerprint(tmp_path: Path, data: dict[str, Any] | None = None, **changes: Any) -> str:
    return jobs.fingerprint(
        "custom_training", jobs.custom_training.request(plan(str(tmp_path), **changes), data or staged())
    )


def test_the_job_is_the_slices_machine_around_our_trainer(tmp_path: Path) -> None:
    """Machine, image, command and scheduling are the plan's."""
    spec = body(tmp_path, slice__machine_spec={"machineType": "ct5lp-hightpu-4t", "tpuTopology": "4x4"})["jobSpec"]
    (pool,) = spec["workerPoolSpecs"]
    assert pool["machineSpec"] == {"machineType": "ct5lp-hightpu-4t", "tpuTopology": "4x4"}
    assert pool["replicaCount"] == "1"
    assert pool["containerSpec"]["command"] == ["python", "-m", "tuneline.trainer"]
    assert spec["scheduling"]["restartJobOnWorkerRestart"] is True
    assert "strategy" not in spec["scheduling"]


def test_the_body_is_one_that_the_official_definition_takes(tmp_path: Path) -> None:
    """Every field name and enum of the body exists in the service's own types."""
    from google.cloud.aiplatform_v1.types import CustomJob

    request = jobs.custom_training.request(
        plan(
            str(tmp_path),
            encryption_key=KEY,
            service_account="me@p.iam.gserviceaccount.com",
            network="projects/1/global/networks/n",
            tensorboard=TENSORBOARD,
            provisioning="flex_start",
        ),
        staged(),
    )
    claim = Claim(fingerprint="f" * 52, attempt=1, nonce="n", judge_uri="gs://b/1.job", output_uri="gs://b/o/")
    official = CustomJob.from_json(json.dumps(CustomTraining().stamped(request, claim)))
    assert official.encryption_spec.kms_key_name == KEY
    assert official.job_spec.tensorboard == TENSORBOARD
    assert official.job_spec.scheduling.strategy.name == "FLEX_START"
    assert official.job_spec.base_output_directory.output_uri_prefix == "gs://b/o/"
    container = official.job_spec.worker_pool_specs[0].container_spec
    assert list(container.args)[-2:] == ["--output", "gs://b/o/"]
    assert {each.name: each.value for each in container.env} == {
        "TUNELINE_NONCE": "n",
        "TUNELINE_CLAIM": "gs://b/1.job",
    }
    assert official.labels["tuneline_fingerprint"] == "f" * 52
    assert official.labels["tuneline_attempt"] == "1"


@pytest.mark.parametrize(
    ("provisioning", "strategy"),
    [("standard", None), ("spot", "SPOT"), ("flex_start", "FLEX_START"), ("reservation", None)],
)
def test_each_way_of_provisioning_is_sent(tmp_path: Path, provisioning: str, strategy: str | None) -> None:
    """Spot and flex start are strategies, a reservation an affinity of the machine."""
    spec = body(tmp_path, provisioning=provisioning)["jobSpec"]
    assert spec["scheduling"].get("strategy") == strategy
    assert ("maxWaitDuration" in spec["scheduling"]) == (provisioning == "flex_start")
    affinity = spec["workerPoolSpecs"][0]["machineSpec"].get("reservationAffinity")
    assert bool(affinity) == (provisioning == "reservation")


def test_an_unknown_provisioning_is_refused_by_name(tmp_path: Path) -> None:
    """The message lists the ones there are."""
    with pytest.raises(errors.UsageError, match="`cheap` is unknown → one of: standard"):
        body(tmp_path, provisioning="cheap")


def test_the_job_writes_to_a_tensorboard_only_where_the_service_allows_it(tmp_path: Path) -> None:
    """Without a service account, or in another region, a later step uploads the curves."""
    account = "me@p.iam.gserviceaccount.com"
    assert "tensorboard" in body(tmp_path, tensorboard=TENSORBOARD, service_account=account)["jobSpec"]
    assert "tensorboard" not in body(tmp_path, tensorboard=TENSORBOARD)["jobSpec"]
    elsewhere = TENSORBOARD.replace("us-central1", "europe-west4")
    assert "tensorboard" not in body(tmp_path, tensorboard=elsewhere, service_account=account)["jobSpec"]


def test_the_config_is_named_by_its_content(tmp_path: Path) -> None:
    """The trainer's config lies under its own SHA-256, written once, readable as JSON."""
    uris = {body(tmp_path)["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"][1] for _ in range(2)}
    (uri,) = uris
    config = objects.read_json(uri)
    assert config["train_steps"] == 20
    assert config["prediction_data"] == config["evaluation_data"]
    assert config["version"] == 1
    assert len(list((tmp_path / "tuneline/configs").iterdir())) == 1


def test_the_test_set_is_what_the_job_predicts_over(tmp_path: Path) -> None:
    """The gate's rows are never the rows of the selection."""
    data = {**staged(), "test": {"uri": "gs://b/test.jsonl", "digest": "t", "crc32c": "", "examples": 12}}
    request = jobs.custom_training.request(plan(str(tmp_path)), data)
    config = objects.read_json(request.body["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"][1])
    assert config["prediction_data"] == "gs://b/test.jsonl"


def test_names_and_labels_do_not_make_another_job(tmp_path: Path) -> None:
    """The fingerprint covers what is computed, not what it is called."""
    plain = fingerprint(tmp_path)
    assert fingerprint(tmp_path, model_display_name="other") == plain
    assert fingerprint(tmp_path, labels={"team": "a"}) == plain
    assert fingerprint(tmp_path, force=True) == plain
    assert len(plain) == 52
    assert plain == plain.lower()
    assert plain.isalnum()


@pytest.mark.parametrize(
    "changes",
    [
        {"training__seed": 1},
        {"training__train_steps": 21},
        {"encryption_key": KEY},
        {"service_account": "me@p.iam.gserviceaccount.com"},
        {"trainer_image": "tuneline-trainer@sha256:1"},
        {"base_model": {"uri": "gs://models/gemma"}},
        {"project": "other"},
        {"regions__tuning": "europe-west4"},
        {"slice__machine_spec": {"machineType": "a2-ultragpu-8g"}},
        {"provisioning": "spot"},
        {"default_context": "Be brief."},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_matters_makes_another_job(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A run with a key never adopts a job without one; likewise for all else that the service receives."""
    assert fingerprint(tmp_path, **changes) != fingerprint(tmp_path)


def test_other_data_at_the_same_uri_is_another_job(tmp_path: Path) -> None:
    """Data counts by its digest, not by its address alone."""
    assert fingerprint(tmp_path, staged(digest="b2")) != fingerprint(tmp_path, staged(digest="a1"))


def test_a_request_without_staging_is_refused(tmp_path: Path) -> None:
    """Without a bucket there is no ledger, and no promise."""
    with pytest.raises(errors.UsageError, match="staging_uri"):
        jobs.custom_training.request(plan(""), staged())
    assert jobs.custom_training.request(plan(""), staged(), staging=f"{tmp_path}/").staging == str(tmp_path)


def test_a_stand_in_cuts_long_prompts_and_the_model_itself_skips_them(tmp_path: Path) -> None:
    """What fits the model must not be lost to the short context of what takes its place on this machine."""
    from tuneline.jobs.training_request import trainer_config

    assert trainer_config(plan(str(tmp_path), base_model__stand_in=True), staged())["long_prompts"] == "cut"
    assert "long_prompts" not in trainer_config(plan(str(tmp_path)), staged())
