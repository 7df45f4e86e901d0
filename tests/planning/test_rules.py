"""Every rule is broken once, is told with its name, its place and its way out, and is told beside all others."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.planning.conftest import facts_of, found, request_of
from tests.planning.test_managed import BROKEN
from tuneline import errors, planning
from tuneline.planning import docs, parameters, rules

ROOT = Path(__file__).parents[2]
KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
FAR_KEY = "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"
BOARD = "projects/p/locations/europe-west4/tensorboards/1"
CHAT = "tune-large-chat-model"

# rule → what breaks it: changes to the request, settings of the check, and where it must be told.
REQUESTS: dict[str, list[tuple[dict[str, Any], dict[str, Any], str]]] = {
    "unknown-parameter": [
        ({"evaluation_data_uri:": "gs://bucket/e.jsonl"}, {}, "evaluation_data_uri:"),
        ({"learning_rate_multiplyer": 1}, {}, "learning_rate_multiplyer"),
    ],
    "readable-value": [
        ({"train_steps": "many"}, {}, "train_steps"),
        ({"train_steps": 1.5}, {}, "train_steps"),
        ({"train_steps": True}, {}, "train_steps"),
        ({"enable_early_stopping": "yes"}, {}, "enable_early_stopping"),
        ({"learning_rate_multiplier": "nan"}, {}, "learning_rate_multiplier"),
        ({"labels": "team"}, {}, "labels"),
        ({"project": ["p"]}, {}, "project"),
    ],
    "required-value": [
        ({"model_display_name": ""}, {}, "model_display_name"),
        ({"project": " "}, {}, "project"),
        ({"dataset_uri": None}, {}, "dataset_uri"),
    ],
    "empty-region": [({"location": ""}, {"given": {"location"}}, "location")],
    "left-over-placeholder": [
        ({"location": "$REGION"}, {}, "location"),
        ({"dataset_uri": "gs://${BUCKET}/train.jsonl"}, {}, "dataset_uri"),
        ({"project": "PROJECT_ID"}, {}, "project"),
        ({"model_display_name": "MODEL_DISPLAYNAME"}, {}, "model_display_name"),
        ({"dataset_uri": "gs://bucket/train.jsonl "}, {}, "dataset_uri"),
    ],
    "project-form": [({"project": "My Project"}, {}, "project"), ({"project": "ab"}, {}, "project")],
    "display-name-length": [({"model_display_name": "x" * 129}, {}, "model_display_name")],
    "dataset-uri-form": [
        ({"dataset_uri": "bucket/train.jsonl"}, {}, "dataset_uri"),
        ({"dataset_uri": "gs:/bucket/train.jsonl"}, {}, "dataset_uri"),
        ({"dataset_uri": "gs://bucket/folder/"}, {}, "dataset_uri"),
        ({"dataset_uri": "gs://bucket/part-*.jsonl"}, {}, "dataset_uri"),
        ({"evaluation_data_uri": "https://storage.cloud.google.com/bucket/e.jsonl"}, {}, "evaluation_data_uri"),
        ({"test_data_uri": "s3://bucket/test.jsonl"}, {}, "test_data_uri"),
    ],
    "same-data-twice": [({"evaluation_data_uri": "gs://bucket/train.jsonl"}, {}, "evaluation_data_uri")],
    "folder-uri-form": [
        ({"staging_uri": "bucket"}, {}, "staging_uri"),
        ({"base_model_uri": "Qwen/Qwen3-8B"}, {}, "base_model_uri"),
    ],
    "label-form": [
        ({"labels": {"Team": "x"}}, {}, "labels.Team"),
        ({"labels": {"team": "Search!"}}, {}, "labels.team"),
        ({"labels": {"tuneline-nonce": "x"}}, {}, "labels.tuneline-nonce"),
        ({"labels": {f"k{n}": "v" for n in range(65)}}, {}, "labels"),
        ({"labels": {"team": "x" * 64}}, {}, "labels.team"),
    ],
    "service-account-form": [({"service_account": "me"}, {}, "service_account")],
    "network-form": [({"network": "default"}, {}, "network")],
    "on-cancel-value": [({"on_cancel": "keep"}, {}, "on_cancel")],
    "cost-limit-range": [({"max_cost_usd": -1}, {}, "max_cost_usd")],
    "known-model": [({"large_model_reference": "code-bison@02"}, {}, "large_model_reference")],
    "weights-at-hand": [
        ({"base_model_uri": None}, {}, "base_model_uri"),
        ({"base_model_uri": None, "large_model_reference": "qwen3-8b"}, {}, "base_model_uri"),
    ],
    "trainer-loads-it": [
        (
            {"base_model_uri": None, "large_model_reference": "llama-4-scout-17b-16e-instruct"},
            {},
            "large_model_reference",
        )
    ],
    "template-of-the-model": [
        ({"large_model_reference": "gemini-2.5-flash"}, {}, "large_model_reference"),
        ({"large_model_reference": "text-bison@002"}, {"template": CHAT}, "large_model_reference"),
    ],
    "engine-value": [({"engine": "vertex_tuning"}, {}, "engine"), ({"engine": "custom-training"}, {}, "engine")],
    "pipeline-region": [({}, {"region": "us-centra1"}, "region"), ({}, {"region": "us-south1"}, "region")],
    "upload-region": [({"location": "us-centra1"}, {}, "location"), ({"location": "mars"}, {}, "location")],
    "known-accelerator": [
        ({"accelerator_type": "NVIDIA_TESLA_A100"}, {}, "accelerator_type"),
        ({"accelerator_type": "gpu"}, {}, "accelerator_type"),
        ({"accelerator_type": ""}, {}, "accelerator_type"),
    ],
    "known-slice": [
        ({"slice": "gpu-8xa100"}, {}, "slice"),
        ({"slice": "tpu-v3-64", "accelerator_type": "GPU"}, {"given": {"slice", "accelerator_type"}}, "slice"),
    ],
    "fallbacks-fit": [
        ({"fallback_slices": "gpu-8xa100-80gb"}, {}, "fallback_slices"),
        ({"fallback_slices": "tpu-v6e-4, tpu-v6e-4"}, {}, "fallback_slices"),
        ({"fallback_slices": ["gpu-8xh200"]}, {}, "fallback_slices"),
        ({"fallback_slices": "tpu-v6e-4", "provisioning": "flex_start"}, {}, "fallback_slices"),
        ({"fallback_slices": "tpu-v6e-4", "encryption_spec_key_name": KEY}, {}, "fallback_slices"),
    ],
    "provisioning-value": [
        ({"provisioning": "preemptible"}, {}, "provisioning"),
        ({"provisioning": "flex_start", "accelerator_type": "TPU"}, {}, "provisioning"),
    ],
    "key-form": [
        ({"encryption_spec_key_name": "my-key"}, {}, "encryption_spec_key_name"),
        ({"encryption_spec_key_name": KEY + "/cryptoKeyVersions/1"}, {}, "encryption_spec_key_name"),
    ],
    "one-key": [
        ({"encryption_spec_key_name": KEY}, {"encryption_key": KEY + "2"}, "encryption_spec_key_name"),
    ],
    "no-key-on-tpu": [
        ({"encryption_spec_key_name": KEY, "accelerator_type": "TPU"}, {}, "encryption_spec_key_name"),
        ({"accelerator_type": "TPU"}, {"encryption_key": KEY}, "encryption_spec_key_name"),
    ],
    "key-region": [
        ({"encryption_spec_key_name": FAR_KEY}, {}, "encryption_spec_key_name"),
        ({"encryption_spec_key_name": KEY, "location": "us-west1"}, {}, "location"),
        ({"encryption_spec_key_name": KEY}, {"region": "europe-west1"}, "location"),
    ],
    "tensorboard-form": [({"tensorboard_resource_id": "1234"}, {}, "tensorboard_resource_id")],
    "tensorboard-region": [({"tensorboard_resource_id": BOARD}, {"region": "us-central1"}, "tensorboard_resource_id")],
    "train-steps-range": [({"train_steps": 0}, {}, "train_steps"), ({"train_steps": "-5"}, {}, "train_steps")],
    "multiplier-range": [({"learning_rate_multiplier": 0}, {}, "learning_rate_multiplier")],
    "learning-rate-range": [
        ({"learning_rate": -1}, {}, "learning_rate"),
        ({"learning_rate": 0.1, "learning_rate_multiplier": 2}, {}, "learning_rate"),
    ],
    "batch-size-range": [({"batch_size": -8}, {}, "batch_size")],
    "context-length-value": [({"max_context_length": "8192"}, {}, "max_context_length")],
    "seed-range": [({"seed": -1}, {}, "seed")],
    "checkpoint-selection-value": [({"enable_checkpoint_selection": "best"}, {}, "enable_checkpoint_selection")],
    "interval-range": [
        ({"evaluation_data_uri": "gs://bucket/e.jsonl", "evaluation_interval": 0}, {}, "evaluation_interval")
    ],
    "needs-evaluation-set": [
        ({"evaluation_interval": "20"}, {"given": {"evaluation_interval"}}, "evaluation_interval"),
        ({"enable_early_stopping": "true"}, {"given": {"enable_early_stopping"}}, "enable_early_stopping"),
        ({"enable_checkpoint_selection": "true"}, {}, "enable_checkpoint_selection"),
        ({"enable_checkpoint_selection": True}, {}, "enable_checkpoint_selection"),
    ],
    "no-chat-evaluation": [
        (
            {"large_model_reference": "chat-bison@002", "evaluation_data_uri": "gs://bucket/e.jsonl"},
            {},
            "evaluation_data_uri",
        ),
        ({"large_model_reference": "codechat-bison-32k", "evaluation_interval": 10}, {}, "evaluation_interval"),
        (
            {"large_model_reference": "chat-bison@002", "enable_early_stopping": True},
            {"given": {"enable_early_stopping"}},
            "enable_early_stopping",
        ),
        (
            {"large_model_reference": "chat-bison@002", "enable_checkpoint_selection": "true"},
            {"template": CHAT},
            "enable_checkpoint_selection",
        ),
    ],
}

HOSTED = "https://us-kfp.pkg.dev/ml-pipeline/large-language-model-pipelines/tune-large-model/v3.0.0"
OF_HOSTED = {"base_model_uri": None}
REQUESTS |= {
    "template-uri-form": [
        (OF_HOSTED, {"template_uri": "tune-large-model/v3.0.0"}, "template_uri"),
        (OF_HOSTED, {"template_uri": HOSTED.replace("tune-large-model", "tune-large-chat-model")}, "template_uri"),
    ],
    "hosted-parameter": [
        (OF_HOSTED | {"slice": "gpu-1xa100-40gb"}, {"template_uri": HOSTED, "local": True}, "slice"),
        (OF_HOSTED | {"max_cost_usd": 10}, {"template_uri": HOSTED, "local": True}, "max_cost_usd"),
    ],
    "hosted-model": [
        (OF_HOSTED, {"template_uri": HOSTED, "local": False}, "large_model_reference"),
        (OF_HOSTED | {"large_model_reference": "qwen3-8b"}, {"template_uri": HOSTED}, "large_model_reference"),
    ],
}

E_URI = "gs://bucket/e.jsonl"
# rule → the request's changes, the facts, and where it must be told.
DATA: dict[str, list[tuple[dict[str, Any], dict[str, Any], str]]] = {
    "readable-data": [
        ({}, {"train": {"error": "gs://bucket/train.jsonl: no such object"}}, "dataset_uri"),
        ({}, {}, "dataset_uri"),
        ({}, facts_of(found(examples=0)), "dataset_uri"),
        ({"evaluation_data_uri": E_URI}, facts_of(), "evaluation_data_uri"),
    ],
    "json-lines": [
        ({}, facts_of(found(container="json-array")), "dataset_uri"),
        ({}, facts_of(found(container="concatenated")), "dataset_uri"),
        ({}, facts_of(found(container="broken", format="unknown", examples=0)), "dataset_uri"),
    ],
    "format-of-the-family": [
        ({}, facts_of(found(format="palm-chat")), "dataset_uri"),
        ({"large_model_reference": "chat-bison@002"}, facts_of(found(format="palm-text")), "dataset_uri"),
        ({}, facts_of(found(format="unknown")), "dataset_uri"),
        ({}, facts_of(found(format="gemini")), "dataset_uri"),
        ({"large_model_reference": "qwen3-8b"}, facts_of(found(format="preference")), "dataset_uri"),
    ],
    "one-format": [
        (
            {"evaluation_data_uri": E_URI, "large_model_reference": "qwen3-8b"},
            facts_of(evaluation=found(format="openai-messages", examples=20)),
            "evaluation_data_uri",
        )
    ],
    "valid-examples": [
        (
            {},
            facts_of(found(errors=2, counts={"D301": 2}, findings=["line 7: D301 'output_text' is missing"])),
            "dataset_uri",
        )
    ],
    "training-size": [
        ({}, facts_of(found(examples=9)), "dataset_uri"),
        ({}, facts_of(found(examples=10_001)), "dataset_uri"),
        (
            {"large_model_reference": "chat-bison@002"},
            facts_of(found(format="palm-chat", author_fields=10_001)),
            "dataset_uri",
        ),
    ],
    "evaluation-size": [
        ({"evaluation_data_uri": E_URI}, facts_of(evaluation=found(examples=9)), "evaluation_data_uri"),
        ({"evaluation_data_uri": E_URI}, facts_of(evaluation=found(examples=251)), "evaluation_data_uri"),
    ],
}

# Rules that only remark: changes, facts, and words of the remark.
REMARKS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "retired-model": ({}, facts_of(), "has retired"),
    "retirement-ahead": ({"large_model_reference": "ends-soon"}, facts_of(), "takes no new tuning from"),
    "untried-slice": ({}, facts_of(), "never tried on the slice gpu-8xa100-80gb"),
    "context-for-chat": ({"default_context": "Be brief."}, facts_of(), "default_context has no effect"),
    "small-test-set": (
        {"test_data_uri": "gs://bucket/t.jsonl"},
        facts_of(test=found(examples=12)),
        "only large differences",
    ),
    "worth-a-look": ({}, facts_of(found(counts={"D601": 3})), "3 duplicate lines"),
}


@pytest.mark.parametrize(
    ("name", "changes", "settings", "where"),
    [(name, *case) for name, cases in REQUESTS.items() for case in cases],
)
def test_a_broken_rule_of_the_request_is_told_with_place_and_fix(
    name: str, changes: dict[str, Any], settings: dict[str, Any], where: str
) -> None:
    settings = {"template": "tune-large-model"} | settings
    problems = planning.check_request(settings.pop("template"), request_of(**changes), **settings)
    told = [p for p in problems if p.what.endswith(f"[{name}]")]
    assert where in [p.where for p in told], problems
    assert all(p.fix for p in told)


@pytest.mark.parametrize(
    ("name", "changes", "facts", "where"), [(name, *case) for name, cases in DATA.items() for case in cases]
)
def test_a_broken_rule_of_the_data_is_told_and_is_a_dataset_error(
    name: str, changes: dict[str, Any], facts: dict[str, Any], where: str
) -> None:
    with pytest.raises(errors.DatasetError) as caught:
        planning.plan(request_of(**changes), facts, region="us-central1")
    assert where in [p.where for p in caught.value.problems if p.what.endswith(f"[{name}]")], caught.value
    assert all(p.fix for p in caught.value.problems)


@pytest.mark.parametrize(("name", "case"), REMARKS.items())
def test_a_remark_is_in_the_plan(
    name: str, case: tuple[dict[str, Any], dict[str, Any], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, facts, words = case
    closes = date.today() + timedelta(days=30)
    own = tmp_path / "catalog.toml"
    own.write_text(f'[models.ends-soon]\nlike = "open"\ntrainer = true\nclosed = {closes}\n')
    monkeypatch.setenv("TUNELINE_CATALOG", str(own))
    made = planning.plan(request_of(**changes), facts, region="us-central1")
    assert any(words in text for text in (*made.notes, *made.warnings)), (made.notes, made.warnings)


def test_every_rule_is_broken_by_a_test_and_says_what_it_demands() -> None:
    registered = {rule.name: rule for rule in rules.registered()}
    broken = set(REQUESTS) | set(DATA) | set(REMARKS)
    assert {name for name, rule in registered.items() if rule.group != "managed"} == broken
    assert {name for name, rule in registered.items() if rule.group == "managed"} <= set(BROKEN)
    for rule in registered.values():
        assert rule.text.endswith("."), rule.name


def test_the_good_request_breaks_none() -> None:
    assert planning.check_request("tune-large-model", request_of(), given=set(request_of()), region="us-central1") == []


@pytest.mark.parametrize("name", ["MY_MODEL", "[prod] model", "5 $ model", "Modell für Köln", "a/b: c"])
def test_a_display_name_may_be_any_words(name: str) -> None:
    assert planning.check_request("tune-large-model", request_of(model_display_name=name)) == []


def test_a_short_project_name_will_do_on_the_local_service_alone() -> None:
    values = request_of(project="demo")
    assert planning.check_request("tune-large-model", values, local=True) == []
    assert [p.where for p in planning.check_request("tune-large-model", values, local=False)] == ["project"]


def test_all_that_is_wrong_is_told_at_once_request_and_data_together() -> None:
    wrong = request_of(
        **{"evaluation_data_uri:": "gs://b/e.jsonl"},
        location="us-centra1",
        accelerator_type="TPU",
        encryption_spec_key_name=FAR_KEY,
        tensorboard_resource_id=BOARD,
        model_display_name="",
        train_steps="0",
    )
    with pytest.raises(errors.UsageError) as caught:
        planning.plan(wrong, facts_of(found(examples=3, format="palm-chat")), region="us-central1")
    told = {p.what.rsplit("[", 1)[1].rstrip("]") for p in caught.value.problems}
    assert told == {
        "unknown-parameter",
        "required-value",
        "upload-region",
        "no-key-on-tpu",
        "key-region",
        "tensorboard-region",
        "train-steps-range",
        "format-of-the-family",
        "training-size",
    }
    assert "did you mean `evaluation_data_uri`?" in str(caught.value)
    assert "did you mean us-central1?" in str(caught.value)


def test_a_misspelt_evaluation_set_is_told_once_and_not_as_a_missing_one_too() -> None:
    values = request_of(
        **{"evaluation_data_uri:": "gs://b/e.jsonl"}, evaluation_interval="20", enable_early_stopping="true"
    )
    problems = planning.check_request("tune-large-model", values, given=set(values))
    assert [p.where for p in problems] == ["evaluation_data_uri:"]


def test_in_a_step_defaults_that_need_an_evaluation_set_are_a_note() -> None:
    everything = parameters.defaults("tune-large-model") | request_of()
    made = planning.plan(everything, facts_of(), region="us-central1")
    assert any("no evaluation set" in text for text in made.notes)


@pytest.mark.parametrize("value", [False, "false", "False"])
def test_explicit_false_is_always_accepted(value: object) -> None:
    for reference in ("code-bison@002", "chat-bison@002"):
        values = request_of(large_model_reference=reference, enable_early_stopping=value)
        assert planning.check_request("tune-large-model", values, given=set(values)) == []


def test_a_value_as_the_documented_bodies_write_it_is_taken() -> None:
    values = request_of(
        train_steps="20",
        learning_rate_multiplier=1,
        evaluation_data_uri="gs://bucket/e.jsonl",
        evaluation_interval="10",
        enable_early_stopping="true",
        enable_checkpoint_selection="true",
    )
    made = planning.plan(values, facts_of(evaluation=found(examples=20)), region="us-central1", given=set(values))
    assert (made.training.train_steps, made.training.learning_rate_multiplier) == (20, 1.0)
    assert (made.training.evaluation_interval, made.training.early_stopping) == (10, True)


@pytest.mark.parametrize("name", ["evaluation_data_uri", "evaluation_interval", "enable_early_stopping"])
def test_the_chat_template_says_why_it_does_not_take_an_evaluation_parameter(name: str) -> None:
    values = request_of(
        large_model_reference="chat-bison@002", **{name: "gs://bucket/e.jsonl" if "uri" in name else True}
    )
    problems = planning.check_request(CHAT, values, given=set(values))
    assert [(p.where, "not supported for chat models" in p.what) for p in problems] == [(name, True)]


def test_an_unknown_template_is_told_with_the_nearest() -> None:
    [problem] = planning.check_request("tune-large-modle", request_of())
    assert problem.fix == "did you mean tune-large-model?"


def test_the_parameters_are_those_of_the_compiled_template() -> None:
    import yaml

    spec = yaml.safe_load((ROOT / "compiled/pipelines/tune_large_model.yaml").read_text())
    compiled = spec["root"]["inputDefinitions"]["parameters"]
    kinds = {"str": "STRING", "int": "NUMBER_INTEGER", "float": "NUMBER_DOUBLE", "bool": "BOOLEAN", "map": "STRUCT"}
    kinds["list"] = "STRING"
    declared = {p.name: p for p in parameters.TEMPLATES["tune-large-model"]}
    assert set(declared) == set(compiled)
    for name, parameter in declared.items():
        assert compiled[name]["parameterType"] == kinds[parameter.kind], name
        assert compiled[name].get("defaultValue") == parameter.default, name


def test_the_page_lists_every_rule() -> None:
    assert (ROOT / "docs/planning.md").read_text() == docs.page(), "python -m tuneline.planning.docs > docs/planning.md"


def test_a_hosted_template_gets_what_it_knows_and_ours_at_another_address_everything() -> None:
    """The hosted parameters alone pass, on the local service; a copy of our own template takes ours as well."""
    values = request_of(base_model_uri=None)
    assert planning.check_request("tune-large-model", values, template_uri=HOSTED, local=True) == []
    ours = HOSTED.replace("ml-pipeline/", "my-project/").replace("us-kfp", "europe-west4-kfp")
    assert planning.check_request("tune-large-model", request_of(slice="cpu-16"), template_uri=ours) == []
