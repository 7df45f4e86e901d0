"""A request and facts that no rule speaks against, from which each test departs by one thing."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _shipped_catalogue(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """No catalogue of the user's own, and the real service unless a test says otherwise."""
    monkeypatch.delenv("TUNELINE_CATALOG", raising=False)
    monkeypatch.delenv("TUNELINE_LOCAL_URL", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under the local service; nothing is sent there."""
    monkeypatch.setenv("TUNELINE_LOCAL_URL", "http://127.0.0.1:9")


def request_of(**changes: Any) -> dict[str, Any]:
    """A good request with these changes; None takes a parameter out."""
    values: dict[str, Any] = {
        "project": "my-project",
        "model_display_name": "my model",
        "large_model_reference": "code-bison@002",
        "dataset_uri": "gs://bucket/train.jsonl",
        "base_model_uri": "gs://bucket/models/qwen3-8b",
    }
    return {name: value for name, value in (values | changes).items() if value is not None}


def found(**changes: Any) -> dict[str, Any]:
    """The facts of a good dataset with these changes."""
    values: dict[str, Any] = {
        "uri": "gs://bucket/train.jsonl",
        "format": "palm-text",
        "container": "jsonl",
        "examples": 240,
        "valid": True,
        "errors": 0,
        "counts": {},
        "author_fields": 0,
        "tokens": {"total": 24000, "error": 0.1},
        "digest": "d" * 64,
        "crc32c": "AAAAAA==",
        "bytes": 9000,
        "findings": [],
    }
    return values | changes


def facts_of(train: dict[str, Any] | None = None, **others: dict[str, Any] | None) -> dict[str, Any]:
    """Facts of a training set and any others."""
    return {"train": train or found()} | {name: value for name, value in others.items() if value}
