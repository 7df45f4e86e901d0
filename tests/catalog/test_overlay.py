"""A user's TOML is laid over the shipped catalogue key by key, and a slip in it is told with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tuneline import catalog, errors
from tuneline.catalog import docs

PRICE = "[slices.gpu-8xa100-80gb.price]\nusd_per_hour = 40\n"


@pytest.fixture
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "catalog.toml"
    path.write_text(PRICE)
    monkeypatch.setenv("TUNELINE_CATALOG", str(path))
    return path


def test_a_price_is_added_and_all_else_stays(overlay: Path) -> None:
    found = catalog.slice("gpu-8xa100-80gb")
    assert found.price is not None
    assert (found.price.usd_per_hour, found.price.source.kind) == (40.0, "user")
    assert found.machine_spec["machineType"] == "a2-ultragpu-8g"


def test_a_changed_file_is_read_again(overlay: Path) -> None:
    assert catalog.slice("gpu-8xa100-80gb").price is not None
    overlay.write_text("[models.qwen3-8b]\nuri = 'gs://mine/qwen3-8b'\n")
    assert catalog.slice("gpu-8xa100-80gb").price is None
    assert catalog.model("qwen3-8b").uri == "gs://mine/qwen3-8b"


def test_the_example_in_the_documentation_works(overlay: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", docs.page(catalog.current()), re.DOTALL)
    assert example is not None
    overlay.write_text(example[1])
    assert catalog.model("my-model").uri == "gs://my-bucket/models/my-model"
    assert catalog.slice("gpu-8xa100-80gb").speeds["qwen3-8b"].high == 45000


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[models\n", "line 1"),
        ("[model.x]\n", "model"),
        ("[models.qwen3-8b]\nmax_token = 1\n", "max_token"),
        ("[slices.mine]\nregion = 'us-central1'\n", "accelerator_type"),
        ("[models.qwen3-8b]\nretired = '2027-01-01'\n", "without quotes"),
    ],
)
def test_a_slip_is_told_with_its_place(overlay: Path, text: str, told: str) -> None:
    overlay.write_text(text)
    with pytest.raises(errors.UsageError, match=re.escape(told)) as caught:
        catalog.models()
    assert str(overlay) in str(caught.value)


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNELINE_CATALOG", str(tmp_path / "none.toml"))
    with pytest.raises(errors.UsageError, match="does not exist"):
        catalog.models()


def test_without_any_file_the_shipped_catalogue_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNELINE_CATALOG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert catalog.slice("gpu-8xa100-80gb").price is None
