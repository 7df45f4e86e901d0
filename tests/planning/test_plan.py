"""A plan decides everything once: engine, regions, machines, arithmetic, cost; and goes through JSON without loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.planning.conftest import facts_of, found, request_of
from tuneline import errors, planning
from tuneline._version import __version__
from tuneline.planning import arithmetic

PRICED = """
[slices.gpu-8xa100-80gb.price]
usd_per_hour = 40
[slices.gpu-8xa100-80gb.speeds.qwen3-8b]
low = 100
high = 200
startup_s = 600
"""


def plan_of(
    changes: dict[str, Any] | None = None, facts: dict[str, Any] | None = None, **settings: Any
) -> planning.Plan:
    return planning.plan(request_of(**(changes or {})), facts or facts_of(), region="us-central1", **settings)


@pytest.mark.parametrize(
    ("accelerator", "steps", "batch", "seen", "epochs", "words"),
    [
        ("TPU", 20, 24, 480, 2.0, "20 steps × 24 = 480 examples seen = 2 epochs of 240"),
        ("GPU", 15, 8, 120, 0.5, "15 steps × 8 = 120 examples seen = 0.5 epoch of 240"),
    ],
)
def test_the_worked_examples_of_steps_and_epochs(
    accelerator: str, steps: int, batch: int, seen: int, epochs: float, words: str
) -> None:
    made = plan_of({"accelerator_type": accelerator, "train_steps": steps})
    assert (made.training.batch_size, made.training.examples_seen, made.training.epochs) == (batch, seen, epochs)
    assert words in planning.render(made)
    assert arithmetic.steps_for(epochs, batch, 240) == steps


@pytest.mark.parametrize(
    ("accelerator", "reference", "batch"),
    [
        ("GPU", "code-bison@002", 8),
        ("GPU", "code-bison-32k", 8),
        ("TPU", "code-bison@002", 24),
        ("TPU", "code-bison-32k", 8),
    ],
)
def test_the_batch_size_follows_from_accelerator_and_model(accelerator: str, reference: str, batch: int) -> None:
    made = plan_of({"accelerator_type": accelerator, "large_model_reference": reference})
    assert made.training.batch_size == batch


def test_a_context_length_and_a_batch_size_of_the_older_sdk_are_heard() -> None:
    made = plan_of({"accelerator_type": "TPU", "max_context_length": "32k"})
    assert (made.training.batch_size, made.training.max_length) == (8, 32768)
    assert plan_of({"batch_size": 4}).training.batch_size == 4


@pytest.mark.parametrize(("accelerator", "tuning"), [("GPU", "us-central1"), ("TPU", "europe-west4")])
def test_three_regions(accelerator: str, tuning: str) -> None:
    changes = {"accelerator_type": accelerator, "location": "us-west1"}
    made = planning.plan(request_of(**changes), facts_of(), region="europe-west2")
    assert (made.regions.pipeline, made.regions.tuning, made.regions.upload) == ("europe-west2", tuning, "us-west1")
    assert plan_of({"accelerator_type": accelerator}).regions.upload == "us-central1"


def test_the_machines_are_sent_as_the_api_takes_them() -> None:
    made = plan_of()
    assert made.slice is not None
    assert made.slice.machine_spec == {
        "machineType": "a2-ultragpu-8g",
        "acceleratorType": "NVIDIA_A100_80GB",
        "acceleratorCount": 8,
    }
    assert not made.slice.tried
    [quota] = made.quotas
    assert (quota.name, quota.region, quota.amount) == (
        "aiplatform.googleapis.com/custom_model_training_nvidia_a100_80gb_gpus",
        "us-central1",
        8,
    )


def test_spot_machines_take_the_preemptible_quota() -> None:
    [quota] = plan_of({"provisioning": "spot"}).quotas
    assert quota.name == "aiplatform.googleapis.com/custom_model_training_preemptible_nvidia_a100_80gb_gpus"


def test_a_retired_model_says_what_is_tuned_in_its_place() -> None:
    base = plan_of().base_model
    assert (base.requested, base.reference, base.name, base.uri) == (
        "code-bison@002",
        "code-bison@002",
        "qwen3-8b",
        "gs://bucket/models/qwen3-8b",
    )
    assert "2025-04-09" in base.replaced
    assert base.label == "code-bison-002"
    assert not base.stand_in


@pytest.mark.usefixtures("local")
def test_on_the_local_service_a_stand_in_is_named_and_nothing_is_billed() -> None:
    made = plan_of({"base_model_uri": None})
    assert (made.base_model.name, made.base_model.uri, made.base_model.stand_in) == ("qwen3-8b", "builtin:tiny", True)
    assert (made.local, made.cost_usd.high, made.quotas, made.training.max_length) == (True, 0.0, (), 0)
    text = planning.render(made)
    assert "qwen3-8b is tuned in its place; here the built-in model stands in for it" in text
    assert any("qwen3-8b is tuned in its place" in line for line in made.warnings)


def test_the_built_in_model_is_no_stand_in_where_it_is_asked_for() -> None:
    base = plan_of({"large_model_reference": "tuneline-tiny", "base_model_uri": None}).base_model
    assert (base.uri, base.stand_in, base.replaced) == ("builtin:tiny", False, "")


@pytest.mark.parametrize(
    ("given", "evaluation", "selects", "stops", "interval"),
    [
        ({}, False, False, False, 0),
        ({}, True, True, True, 20),
        ({"enable_checkpoint_selection": "false", "enable_early_stopping": "false"}, True, False, False, 20),
        ({"enable_checkpoint_selection": True, "evaluation_interval": 5}, True, True, True, 5),
    ],
)
def test_evaluation_early_stopping_and_selection_are_resolved(
    given: dict[str, Any], evaluation: bool, selects: bool, stops: bool, interval: int
) -> None:
    changes = given | ({"evaluation_data_uri": "gs://bucket/e.jsonl"} if evaluation else {})
    made = plan_of(changes, facts_of(evaluation=found(examples=20) if evaluation else None))
    training = made.training
    assert (training.checkpoint_selection, training.early_stopping, training.evaluation_interval) == (
        selects,
        stops,
        interval,
    )
    assert (made.evaluation is not None) is evaluation


def test_images_are_the_requests_or_the_catalogues() -> None:
    assert plan_of().trainer_image == f"tuneline/tuneline-trainer-python:{__version__}"
    made = plan_of({"trainer_image": "region-docker.pkg.dev/p/r/trainer:1", "serving_image": "s:1"})
    assert (made.trainer_image, made.serving_image) == ("region-docker.pkg.dev/p/r/trainer:1", "s:1")


def test_a_plan_goes_through_json_and_back_in_less_than_8_kb() -> None:
    changes = {
        "evaluation_data_uri": "gs://bucket/e.jsonl",
        "test_data_uri": "gs://bucket/t.jsonl",
        "labels": {"team": "search"},
        "encryption_spec_key_name": "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k",
    }
    made = plan_of(changes, facts_of(evaluation=found(examples=20), test=found(examples=50)))
    text = json.dumps(made.to_dict())
    assert planning.Plan.from_dict(json.loads(text)) == made
    assert len(text) < 8000


def test_whole_numbers_that_kfp_made_floats_are_whole_again() -> None:
    value = plan_of().to_dict()
    value["training"]["train_steps"] = 300.0
    assert isinstance(planning.Plan.from_dict(value).training.train_steps, int)


def test_a_key_of_a_newer_version_is_left_out() -> None:
    made = plan_of()
    assert planning.Plan.from_dict(made.to_dict() | {"of_tomorrow": 1}) == made


def test_the_requests_own_key_is_the_plans() -> None:
    key = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
    made = plan_of(encryption_key=key)
    assert made.encryption_key == key
    assert any("cloudkms" in permission for permission in made.permissions)


def test_without_figures_cost_and_duration_are_unknown_with_the_reason() -> None:
    made = plan_of()
    assert "never measured" in made.duration_s.unknown
    assert "no price of gpu-8xa100-80gb is known" in made.cost_usd.unknown
    assert "unknown" in planning.render(made)


@pytest.fixture
def priced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(PRICED)
    monkeypatch.setenv("TUNELINE_CATALOG", str(path))


@pytest.mark.usefixtures("priced")
def test_with_the_users_figures_the_cost_is_a_range() -> None:
    made = plan_of({"train_steps": 30})  # 30 × 8 = 240 examples = 1 epoch of 24,000 tokens ± 10 %
    assert made.duration_s.low == pytest.approx(600 + 24000 * 0.9 / 200)
    assert made.duration_s.high == pytest.approx(600 + 24000 * 1.1 / 100)
    assert made.cost_usd.high == pytest.approx((600 + 264) / 3600 * 40)


@pytest.mark.usefixtures("priced")
def test_a_limit_lets_through_what_is_below_it_and_refuses_what_may_be_above() -> None:
    assert plan_of({"train_steps": 30, "max_cost_usd": "10"}).max_cost_usd == 10
    with pytest.raises(errors.OverCostLimit, match=r"up to 9\.60 USD") as caught:
        plan_of({"train_steps": 30, "max_cost_usd": 9})
    assert caught.value.exit_code == 7


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"accelerator_type": "TPU"}, "no price of tpu-v3-64"),
        ({"large_model_reference": "qwen3-4b", "base_model_uri": "gs://bucket/models/qwen3-4b"}, "never measured"),
        ({"provisioning": "spot"}, "by spot"),
        ({"deploy_model": True}, "an endpoint that bills by the hour"),
    ],
)
def test_a_limit_refuses_what_has_no_known_end(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(errors.OverCostLimit, match=why):
        plan_of(changes | {"max_cost_usd": 1000})


@pytest.mark.usefixtures("local")
def test_a_limit_does_not_matter_where_nothing_is_billed() -> None:
    assert plan_of({"base_model_uri": None, "max_cost_usd": 1}).cost_usd.high == 0


def test_facts_that_lack_all_but_the_least_are_enough() -> None:
    made = plan_of(None, {"train": {"format": "palm-text", "examples": 100}, "evaluation": None, "test": None})
    assert (made.train.uri, made.train.tokens, made.train.digest) == ("gs://bucket/train.jsonl", 0, "")


def test_a_chat_model_is_planned_by_either_template() -> None:
    chat = facts_of(found(format="palm-chat", author_fields=480))
    for template in ("tune-large-model", "tune-large-chat-model"):
        made = plan_of({"large_model_reference": "codechat-bison@002"}, chat, template=template)
        assert (made.base_model.family, made.template, made.evaluation) == ("chat", template, None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "no price of gpu-8xa100-80gb"),
        ({"provisioning": "spot"}, "no price"),
        ({"slice": "tpu-v3-32"}, "tpu-v3-32"),
    ],
)
def test_a_limit_that_cannot_be_held_is_told_before_any_data_is_read(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(errors.OverCostLimit, match=why):
        planning.check_cost("tune-large-model", request_of(max_cost_usd=50, **changes))


@pytest.mark.usefixtures("priced")
def test_a_limit_that_can_be_held_is_left_to_the_plan() -> None:
    planning.check_cost("tune-large-model", request_of(max_cost_usd="1"))
    with pytest.raises(errors.OverCostLimit, match="never measured"):
        planning.check_cost("tune-large-model", request_of(max_cost_usd=1, base_model_uri="gs://bucket/other"))


@pytest.mark.parametrize(
    "changes", [{}, {"max_cost_usd": 0}, {"max_cost_usd": "much"}, {"max_cost_usd": 5, "large_model_reference": "x"}]
)
def test_without_a_limit_or_without_a_readable_request_there_is_no_cost_to_check(changes: dict[str, Any]) -> None:
    planning.check_cost("tune-large-model", request_of(**changes))


def test_on_the_local_service_no_limit_is_too_low() -> None:
    planning.check_cost("tune-large-model", request_of(max_cost_usd=0.01), local=True)


def test_each_fallback_is_planned_as_if_it_were_the_first() -> None:
    """Its own machines, region, batch size and arithmetic, quota and cost; and all of it goes through JSON."""
    made = plan_of({"fallback_slices": "gpu-8xh100-80gb,tpu-v6e-4"})
    first, second, third = made.choices()
    assert [choice.slice.name for choice in made.choices() if choice.slice] == [
        "gpu-8xa100-80gb",
        "gpu-8xh100-80gb",
        "tpu-v6e-4",
    ]
    assert [choice.regions.tuning for choice in made.choices()] == ["us-central1", "us-central1", "europe-west4"]
    assert [choice.training.batch_size for choice in made.choices()] == [8, 8, 24]
    assert second.quotas[0].name.endswith("h100_gpus")
    assert third.training.epochs == 3 * first.training.epochs
    assert not any(choice.alternatives for choice in made.choices())
    assert planning.Plan.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    text = planning.render(made)
    assert "fallback 1" in text
    assert "300 steps × 24" in text
    assert any("never tried on the slice tpu-v6e-4" in warning for warning in made.warnings)


@pytest.mark.usefixtures("priced")
def test_a_fallback_over_the_cost_limit_refuses_the_plan() -> None:
    """The limit holds wherever the job may go: a fallback without a price is as good as one above it."""
    assert plan_of({"max_cost_usd": 1000}).cost_usd.high is not None
    for ask in (
        lambda: plan_of({"max_cost_usd": 1000, "fallback_slices": "tpu-v6e-4"}),
        lambda: planning.check_cost(
            "tune-large-model", request_of(max_cost_usd=1000, fallback_slices="tpu-v6e-4"), local=False
        ),
    ):
        with pytest.raises(errors.OverCostLimit, match="tpu-v6e-4"):
            ask()
