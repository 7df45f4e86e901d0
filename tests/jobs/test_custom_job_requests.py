"""Every way in which a plan asks for machines is one that the service's own definition takes, and keeps as sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.jobs.plans import KEY, TENSORBOARD, plan, staged
from tuneline import catalog, errors, jobs
from tuneline.google import rest
from tuneline.jobs.custom_training import CustomTraining
from tuneline.jobs.engines import Claim
from tuneline.testing import LocalVertex

ACCOUNT = "tuner@tuneline-local.iam.gserviceaccount.com"
NETWORK = "projects/1/global/networks/n"


def made(pipe: Path, **changes: Any) -> dict[str, Any]:
    """The CustomJob as the service reads it back; it waits at a pipe, and is cancelled."""
    wanted = jobs.custom_training.request(plan(**changes), staged())
    claim = Claim(fingerprint="f", attempt=1, nonce="n", judge_uri="gs://b/1.job", output_uri="gs://tuneline-local/o/")
    sent = CustomTraining().stamped(wanted, claim)
    sent["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"][1] = str(pipe)
    path = f"/v1/projects/{wanted.project}/locations/{wanted.location}/customJobs"
    name = rest.call("POST", "aiplatform", path, body=sent)["name"]
    told = rest.call("GET", "aiplatform", f"/v1/{name}")
    CustomTraining().cancel(name)
    assert _within(sent, told) == [], "a field was lost or changed on the way"
    return told


def _within(sent: Any, told: Any, place: str = "") -> list[str]:
    """Where what was sent is not what is told; the service may tell more."""
    if isinstance(sent, dict):
        return [each for key, value in sent.items() for each in _within(value, (told or {}).get(key), f"{place}.{key}")]
    if isinstance(sent, list):
        found = [each for i, value in enumerate(sent) for each in _within(value, told[i], f"{place}[{i}]")]
        return found if len(sent) == len(told or []) else [place]
    return [] if str(sent) == str(told) else [f"{place}: {sent!r} → {told!r}"]


def sliced(name: str, provisioning: str) -> dict[str, Any]:
    """The changes of a plan for a slice of the catalogue."""
    chosen = catalog.slice(name)
    return {
        "slice": {"machine_spec": dict(chosen.machine_spec), "replica_count": chosen.replica_count},
        "regions": {"pipeline": "us-central1", "tuning": chosen.region, "upload": "us-central1"},
        "provisioning": provisioning,
    }


@pytest.mark.parametrize("name", [each.name for each in catalog.slices()])
def test_each_slice_is_a_worker_pool_that_the_definition_takes(here: LocalVertex, pipe: Path, name: str) -> None:
    """One replica of one pool, TPU pods too: machine, accelerators and topology are the catalogue's."""
    told = made(pipe, **sliced(name, "standard"))
    (pool,) = told["jobSpec"]["workerPoolSpecs"]
    assert pool["replicaCount"] == "1"
    assert pool["machineSpec"]["machineType"] == catalog.slice(name).machine_spec["machineType"]
    assert f"/locations/{catalog.slice(name).region}/" in told["name"]


@pytest.mark.parametrize(
    ("provisioning", "scheduling", "affinity"),
    [
        ("standard", {}, None),
        ("spot", {"strategy": "SPOT"}, None),
        ("flex_start", {"strategy": "FLEX_START", "maxWaitDuration": "86400s"}, None),
        ("reservation", {}, {"reservationAffinityType": "ANY_RESERVATION"}),
    ],
)
def test_each_way_of_provisioning_is_taken(
    here: LocalVertex, pipe: Path, provisioning: str, scheduling: dict[str, str], affinity: dict[str, str] | None
) -> None:
    """A week at most, and started again when machines are lost; the rest is the way's own."""
    spec = made(pipe, **sliced("gpu-8xa100-80gb", provisioning))["jobSpec"]
    always = {"timeout": "604800s", "restartJobOnWorkerRestart": True}
    assert spec["scheduling"] == always | scheduling
    assert spec["workerPoolSpecs"][0]["machineSpec"].get("reservationAffinity") == affinity


def test_everything_that_a_plan_can_ask_for_at_once_is_taken(here: LocalVertex, pipe: Path) -> None:
    """TensorBoard and service account, key, network, labels, claim and output."""
    told = made(
        pipe,
        encryption_key=KEY,
        service_account=ACCOUNT,
        network=NETWORK,
        tensorboard=TENSORBOARD.replace("/p/", "/tuneline-local/"),
        labels={"team": "ml"},
    )
    assert told["encryptionSpec"] == {"kmsKeyName": KEY}
    assert told["labels"]["team"] == "ml"
    assert told["labels"]["tuneline_nonce"] == "n"
    spec = told["jobSpec"]
    assert (spec["serviceAccount"], spec["network"]) == (ACCOUNT, NETWORK)
    assert spec["tensorboard"].endswith("/tensorboards/1")
    assert spec["baseOutputDirectory"] == {"outputUriPrefix": "gs://tuneline-local/o/"}


@pytest.mark.parametrize(("field", "value"), [("restartOnWorkerRestart", True), ("strategy", "CHEAP")])
def test_what_the_definition_lacks_is_refused_by_name(here: LocalVertex, field: str, value: object) -> None:
    """The check above can fail: a wrong name or word does not pass unseen."""
    wanted = jobs.custom_training.request(plan(), staged())
    path = f"/v1/projects/{wanted.project}/locations/{wanted.location}/customJobs"
    claim = Claim(fingerprint="f", attempt=1, nonce="n", judge_uri="gs://b/1.job", output_uri="gs://tuneline-local/o/")
    sent = CustomTraining().stamped(wanted, claim)
    sent["jobSpec"]["scheduling"][field] = value
    with pytest.raises(errors.InvalidArgument, match="CHEAP" if value == "CHEAP" else field):
        rest.call("POST", "aiplatform", path, body=sent)
