"""The catalogue holds everything that the specification names, each figure with its source, and invents nothing."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from tuneline import catalog, errors
from tuneline.catalog import docs
from tuneline.catalog.load import FILES, load_own

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 20)


def test_every_model_of_the_specification_is_there_the_retired_too() -> None:
    names = {model.name for model in catalog.models()}
    assert names >= {
        *("code-bison@002", "text-bison@002", "codechat-bison@002", "chat-bison@002"),
        *("text-bison-32k", "chat-bison-32k", "code-bison-32k", "codechat-bison-32k"),
        *("gemini-1.0-pro-002", "gemini-1.5-pro-002", "gemini-1.5-flash-002", "gemini-2.0-flash-001"),
        *("gemini-2.0-flash-lite-001", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-pro"),
        *("gemini-3.1-flash-lite", "gemini-3.5-flash", "gemini-3.5-flash-lite"),
        *("gemma-3-1b-it", "gemma-3-4b-it", "gemma-3-12b-it", "gemma-3-27b-it", "llama-3.1-8b"),
        *("llama-3.1-8b-instruct", "llama-3.2-1b-instruct", "llama-3.2-3b-instruct", "llama-3.3-70b-instruct"),
        *("llama-4-scout-17b-16e-instruct", "qwen3-4b", "qwen3-8b", "qwen3-14b", "qwen3-32b"),
        *("tuneline-tiny",),
    }


@pytest.mark.parametrize(
    ("name", "family", "context"),
    [
        ("code-bison@002", "generation", "8k"),
        ("text-bison@002", "generation", "8k"),
        ("codechat-bison@002", "chat", "8k"),
        ("chat-bison@002", "chat", "8k"),
        ("text-bison-32k", "generation", "32k"),
        ("chat-bison-32k", "chat", "32k"),
        ("code-bison-32k", "generation", "32k"),
        ("codechat-bison-32k", "chat", "32k"),
    ],
)
def test_the_bison_models_have_their_family_their_context_and_an_open_model_in_their_place(
    name: str, family: str, context: str
) -> None:
    model = catalog.model(name)
    assert (model.family, model.context, model.engine) == (family, context, "custom_training")
    assert (model.closed, model.retired) == (date(2024, 10, 9), date(2025, 4, 9))
    assert not model.takes_tuning(TODAY)
    replacement = catalog.model(model.replacement)
    assert replacement.takes_tuning(TODAY)
    assert replacement.trainer
    assert replacement.family in ("both", family)
    assert (replacement.max_tokens or 0) >= {"8k": 8192, "32k": 32768}[context]


@pytest.mark.parametrize(
    ("name", "sizes", "default"),
    [
        ("gemini-1.5-pro-002", (1, 4), 4),
        ("gemini-1.5-flash-002", (1, 4, 8, 16), 8),
        ("gemini-2.5-flash", (1, 2, 4, 8, 16), None),
        ("gemini-2.5-pro", (1, 2, 4, 8), None),
        ("gemini-3.5-flash-lite", (), None),
    ],
)
def test_adapter_sizes_are_by_model_and_unknown_where_none_were_seen(
    name: str, sizes: tuple[int, ...], default: int | None
) -> None:
    assert (catalog.model(name).adapter_sizes, catalog.model(name).default_adapter_size) == (sizes, default)


def test_a_gemini_model_takes_no_new_tuning_from_a_month_before_it_retires() -> None:
    model = catalog.model("gemini-3.1-flash-lite")
    assert (model.retired, model.closes) == (date(2027, 5, 7), date(2027, 4, 7))
    assert model.takes_tuning(date(2027, 4, 6))
    assert not model.takes_tuning(date(2027, 4, 7))
    assert "until 2027-04-07" in model.state(TODAY)


def test_a_day_after_which_a_model_may_be_gone_is_told() -> None:
    model = catalog.model("gemini-2.5-flash")
    assert "retires not before 2026-10-16" in model.state(date(2026, 10, 15))
    assert "may have retired since 2026-10-16" in model.state(TODAY)


@pytest.mark.parametrize(
    "reference",
    [
        "publishers/google/models/text-bison@002",
        "text-bison@002",
        "projects/p/locations/l/publishers/google/models/text-bison@002",
    ],
)
def test_a_model_is_found_under_its_resource_name_too(reference: str) -> None:
    assert catalog.model(reference).name == "text-bison@002"


def test_a_model_is_found_under_its_alias() -> None:
    assert catalog.model("code-bison-32k@002").name == "code-bison-32k"


@pytest.mark.parametrize(
    ("word", "meant"),
    [("code-bison@02", "code-bison@002"), ("codebison@002", "code-bison@002"), ("Qwen3-8B", "qwen3-8b")],
)
def test_an_unknown_model_is_told_with_what_was_probably_meant(word: str, meant: str) -> None:
    with pytest.raises(errors.UsageError, match=f"did you mean {meant}"):
        catalog.model(word)


def test_the_thirteen_regions() -> None:
    assert len(catalog.regions()) == len(set(catalog.regions())) == 13
    assert {"us-central1", "europe-west4", "asia-northeast3"} <= set(catalog.regions())


def test_gpu_and_tpu_mean_the_two_slices_of_the_specification() -> None:
    gpu, tpu = catalog.default_slice("GPU"), catalog.default_slice("TPU")
    assert gpu is not None
    assert tpu is not None
    assert (gpu.region, gpu.machine_spec) == (
        "us-central1",
        {"machineType": "a2-ultragpu-8g", "acceleratorType": "NVIDIA_A100_80GB", "acceleratorCount": 8},
    )
    assert (tpu.region, tpu.machine_spec["acceleratorType"], tpu.machine_spec["acceleratorCount"]) == (
        "europe-west4",
        "TPU_V3",
        64,
    )
    assert gpu.quota is not None
    assert gpu.quota.hosted == "Restricted image training Nvidia A100 80 GB GPUs per region"
    assert gpu.quota.custom != gpu.quota.hosted
    assert catalog.default_slice("CPU") is None


def test_nothing_claims_to_have_been_tried() -> None:
    assert [entry.name for entry in catalog.slices() if entry.tried] == []


@pytest.mark.parametrize(
    ("accelerator", "context", "size"), [("GPU", "8k", 8), ("GPU", "32k", 8), ("TPU", "8k", 24), ("TPU", "32k", 8)]
)
def test_batch_sizes_are_those_of_the_specification(accelerator: str, context: str, size: int) -> None:
    assert catalog.batch_size(accelerator, context) == size


def test_every_entry_names_a_source_and_every_source_the_day_it_was_read() -> None:
    shipped = load_own()
    for entry in [*shipped.models.values(), *shipped.slices.values()]:
        assert entry.source, entry.name
        assert all(source.key != "user" for source in entry.source), entry.name
    assert all(source.read for source in shipped.sources.values() if source.key != "user")


def test_no_price_is_given_that_no_source_gives() -> None:
    shipped = load_own()
    assert [entry.name for entry in shipped.slices.values() if entry.price or entry.speeds] == []
    assert {m.price.source.kind for m in shipped.models.values() if m.price} == {"second-hand"}


def test_what_the_trainer_is_said_to_load_is_what_it_loads() -> None:
    from tuneline.trainer.architecture import FAMILIES

    said = {model.name: model.trainer for model in catalog.models() if model.architecture}
    assert said == {model.name: model.architecture in FAMILIES for model in catalog.models() if model.architecture}
    assert {model.kind for model in catalog.models() if not model.architecture} == {"bison", "gemini"}


def test_every_replacement_is_in_the_catalogue() -> None:
    for model in catalog.models():
        assert not model.replacement or catalog.find_model(model.replacement), model.name


def test_the_data_files_are_shipped_with_the_package() -> None:
    for name in FILES:
        assert tomllib.loads((resources.files("tuneline.catalog") / "data" / f"{name}.toml").read_text())


def test_the_page_is_what_the_data_says() -> None:
    assert (ROOT / "docs/catalog.md").read_text() == docs.page(load_own()), (
        "python -m tuneline.catalog.docs > docs/catalog.md"
    )
