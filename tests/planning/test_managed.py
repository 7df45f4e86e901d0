"""The plan of a managed job: every rule of the services that tune Gemini is broken once, and the rest is decided."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from tests.planning.conftest import facts_of, found
from tuneline import errors, planning
from tuneline.catalog import find_model

KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
FAR_KEY = "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"
TUNED = "projects/p/locations/us-central1/models/123"
GEMINI, API = "tune-gemini", "tune-gemini-api"
E_URI = "gs://bucket/e.jsonl"


def request_of(template: str = GEMINI, **changes: Any) -> dict[str, Any]:
    """A good request with these changes; None takes a parameter out."""
    values: dict[str, Any] = {"project": "my-project", "tuned_model_display_name": "ours"}
    if template == GEMINI:
        values |= {"base_model": "gemini-2.5-flash", "training_dataset_uri": "gs://bucket/train.jsonl"}
    else:
        values |= {"base_model": "gemini-1.5-flash-001-tuning", "dataset_uri": "gs://bucket/train.jsonl"}
    return {name: value for name, value in (values | changes).items() if value is not None}


# rule → template, what breaks it, and where it must be told.
BROKEN: dict[str, list[tuple[str, dict[str, Any], str]]] = {
    "tunable-now": [(GEMINI, {"base_model": "gemini-1.5-pro-002"}, "base_model"), (API, {}, "base_model")],
    "tuning-region": [
        (GEMINI, {"base_model": "gemini-3.5-flash", "location": "us-west1"}, "location"),
    ],
    "adapter-size-value": [
        (GEMINI, {"adapter_size": 3}, "adapter_size"),
        (GEMINI, {"adapter_size": 16, "base_model": "gemini-2.5-pro"}, "adapter_size"),
        (GEMINI, {"adapter_size": 64, "base_model": "gemini-3.5-flash-lite"}, "adapter_size"),
    ],
    "managed-ranges": [
        (GEMINI, {"epoch_count": -1}, "epoch_count"),
        (GEMINI, {"learning_rate_multiplier": -0.5}, "learning_rate_multiplier"),
        (API, {"learning_rate": -1}, "learning_rate"),
    ],
    "rate-or-multiplier": [(API, {"learning_rate": 0.001, "learning_rate_multiplier": 1}, "learning_rate")],
    "prediction-limits": [
        (GEMINI, {"prediction_limit": -1}, "prediction_limit"),
        (API, {"predictions_per_minute": -1}, "predictions_per_minute"),
        (GEMINI, {"max_dropped_share": 10}, "max_dropped_share"),
    ],
    "preference-settings": [(GEMINI, {"beta": 0.1}, "beta")],
    "further-tuning": [
        (GEMINI, {"checkpoint_id": "2"}, "checkpoint_id"),
        (GEMINI, {"base_model": TUNED, "location": "europe-west4"}, "base_model"),
        (GEMINI, {"base_model": "projects/p/models/1"}, "base_model"),
    ],
    "managed-key": [
        (GEMINI, {"encryption_spec_key_name": FAR_KEY}, "encryption_spec_key_name"),
        (GEMINI, {"encryption_spec_key_name": KEY, "base_model": "gemini-3.5-flash"}, "encryption_spec_key_name"),
    ],
    "fallbacks-fit": [
        (
            GEMINI,
            {"fallback_locations": "europe-west1", "base_model": "gemini-3.5-flash", "location": "us-central1"},
            "fallback_locations",
        ),
        (GEMINI, {"fallback_locations": "us-central1"}, "fallback_locations"),
        (GEMINI, {"fallback_locations": "europe-west4", "encryption_spec_key_name": KEY}, "fallback_locations"),
        (GEMINI, {"fallback_locations": "us-west1", "base_model": TUNED}, "fallback_locations"),
    ],
    "tuned-model-id-form": [
        (API, {"tuned_model_id": "Ours"}, "tuned_model_id"),
        (API, {"tuned_model_id": "a" * 38}, "tuned_model_id"),
    ],
    "secret-not-key": [(API, {"api_key_secret": "AIzaSyNotAKeyButLikeOne"}, "api_key_secret")],
    # Rules of every template, in these templates' own names.
    "required-value": [(GEMINI, {"training_dataset_uri": None}, "training_dataset_uri")],
    "display-name-length": [(GEMINI, {"tuned_model_display_name": "x" * 129}, "tuned_model_display_name")],
    "same-data-twice": [(API, {"validation_dataset_uri": "gs://bucket/train.jsonl"}, "validation_dataset_uri")],
    "dataset-uri-form": [(GEMINI, {"training_dataset_uri": "gs://bucket/folder/"}, "training_dataset_uri")],
    "known-model": [(GEMINI, {"base_model": "gemini-2.5-flsh"}, "base_model")],
    "template-of-the-model": [
        (GEMINI, {"base_model": "gemini-1.5-flash-001-tuning"}, "base_model"),
        (API, {"base_model": "gemini-2.5-flash"}, "base_model"),
        (GEMINI, {"base_model": "llama-3.2-1b-instruct"}, "base_model"),
    ],
    "needs-evaluation-set": [(GEMINI, {"enable_checkpoint_selection": "true"}, "enable_checkpoint_selection")],
    "unknown-parameter": [(GEMINI, {"epochs": 3}, "epochs")],
}


@pytest.mark.parametrize(
    ("name", "template", "changes", "where"), [(name, *case) for name, cases in BROKEN.items() for case in cases]
)
def test_a_broken_rule_is_told_with_place_and_fix(
    name: str, template: str, changes: dict[str, Any], where: str
) -> None:
    """By the template's own parameter names, and without a word of rules that hold for other engines."""
    problems = planning.check_request(template, request_of(template, **changes), region="us-central1", local=False)
    told = [p for p in problems if p.what.endswith(f"[{name}]")]
    assert where in [p.where for p in told], problems
    assert all(p.fix for p in problems)
    assert not [p for p in problems if p.where in ("base_model_uri", "accelerator_type", "train_steps")]


def test_a_good_request_breaks_none() -> None:
    """Neither as it is nor with everything that the service takes."""
    full = request_of(
        location="us-central1",
        epoch_count=4,
        adapter_size=4,
        learning_rate_multiplier=1,
        encryption_spec_key_name=KEY,
        service_account="tuner@my-project.iam.gserviceaccount.com",
        preference_tuning=True,
        beta=0.1,
    )
    for values in (request_of(), full, request_of(base_model=TUNED, checkpoint_id="2", location="us-central1")):
        assert planning.check_request(GEMINI, values, given=set(values), region="us-central1", local=False) == []


def test_what_takes_no_new_tuning_is_still_tried_on_the_local_service(local: None) -> None:
    """There a small model stands in for it, and the plan warns."""
    made = planning.plan(request_of(API), facts_of(found(format="gemini-api")), region="us-central1", template=API)
    assert any("takes no new tuning" in text for text in made.warnings)
    assert made.base_model.stand_in


def test_a_key_that_stands_where_its_secret_belongs_is_not_told_back() -> None:
    """What a problem says is logged."""
    key = "AIzaSyNotAKeyButLikeOne"
    problems = planning.check_request(API, request_of(API, api_key_secret=key), local=True)
    assert problems
    assert not [p for p in problems if key in f"{p.where} {p.what} {p.fix}"]


def test_the_cost_is_tokens_by_epochs_by_price() -> None:
    """24,000 tokens ± 10 %, 4 epochs, 5 USD a million: 0.43 to 0.53 USD; inference is a note."""
    values = request_of(epoch_count=4, validation_dataset_uri=E_URI, prediction_limit=50)
    facts = facts_of(found(format="gemini"), evaluation=found(format="gemini", examples=60))
    made = planning.plan(values, facts, region="us-central1", template=GEMINI)
    assert made.cost_usd.low == pytest.approx(0.432)
    assert made.cost_usd.high == pytest.approx(0.528)
    assert made.training.epochs == 4
    assert made.training.checkpoint_selection
    assert any("up to 50 rows" in text and "inference is billed" in text for text in made.notes)
    assert [quota.name for quota in made.quotas] == ["Global concurrent tuning jobs"]
    assert planning.Plan.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    assert "4 of 240 examples" in planning.render(made)


def test_a_limit_refuses_what_has_no_known_cost() -> None:
    """Epochs that the service chooses have none, and that needs no data to be known."""
    with pytest.raises(errors.OverCostLimit, match="the service chooses it"):
        planning.check_cost(GEMINI, request_of(max_cost_usd=100), local=False)
    planning.check_cost(GEMINI, request_of(max_cost_usd=100, epoch_count=2), local=False)


@pytest.mark.parametrize(
    ("template", "changes", "form", "converted"),
    [
        (GEMINI, {}, "gemini", False),
        (GEMINI, {}, "openai-messages", True),
        (GEMINI, {}, "palm-text", True),
        (GEMINI, {"preference_tuning": True}, "preference", False),
        (API, {}, "gemini-api", False),
        (API, {}, "prompt-completion", True),
    ],
)
def test_what_is_not_in_the_services_format_is_converted(
    local: None, template: str, changes: dict[str, Any], form: str, converted: bool
) -> None:
    """And the plan says so."""
    values = request_of(template, **changes)
    made = planning.plan(values, facts_of(found(format=form)), region="us-central1", template=template)
    assert any("is converted to" in text for text in made.notes) is converted


def test_a_preference_is_not_made_of_answers() -> None:
    """Nor an answer to learn of a preference."""
    for changes, form in (({"preference_tuning": True}, "gemini"), ({}, "preference")):
        with pytest.raises(errors.DatasetError, match="format-of-the-family"):
            planning.plan(request_of(**changes), facts_of(found(format=form)), region="us-central1", template=GEMINI)


def test_a_large_evaluation_set_is_held_to_its_share() -> None:
    """5,000 at most, and 30 % of the training set once it is above 1,000."""
    values = request_of(validation_dataset_uri=E_URI)

    def judged(train: int, evaluation: int) -> planning.Plan:
        facts = facts_of(found(format="gemini", examples=train), evaluation=found(format="gemini", examples=evaluation))
        return planning.plan(values, facts, region="us-central1", template=GEMINI)

    judged(1500, 1000)
    judged(4000, 1200)
    for train, evaluation in ((3000, 1001), (100_000, 5001)):
        with pytest.raises(errors.DatasetError, match="evaluation-size"):
            judged(train, evaluation)


def test_an_end_that_is_near_is_warned_of() -> None:
    """A model that may have gone by now is still sent on: the service decides."""
    facts = facts_of(found(format="gemini"))
    made = planning.plan(request_of(), facts, region="us-central1", template=GEMINI)
    assert any("may refuse new tuning" in text for text in made.warnings)


@pytest.mark.parametrize(("examples", "level"), [(15, "warnings"), (50, "notes"), (100, "")])
def test_few_examples_are_no_reason_against_a_tuned_model(local: None, examples: int, level: str) -> None:
    """The developer API's own example has 15: fewer than 20 are warned of, and fewer than 100 remarked on."""
    facts = facts_of(found(format="gemini-api", examples=examples))
    made = planning.plan(request_of(API), facts, region="us-central1", template=API)
    told = {"warnings": made.warnings, "notes": made.notes}
    assert [name for name, texts in told.items() if any(f"{examples} examples" in text for text in texts)] == (
        [level] if level else []
    )


def test_preference_tuning_of_another_model_is_warned_of() -> None:
    """It is known of two models, second-hand; the service decides."""
    model = find_model("gemini-2.5-pro")
    assert model is not None
    assert model.takes_tuning(date(2026, 9, 1))
    values = request_of(base_model=model.name, preference_tuning=True)
    made = planning.plan(values, facts_of(found(format="preference")), region="us-central1", template=GEMINI)
    assert any("may refuse it" in text for text in made.warnings)
