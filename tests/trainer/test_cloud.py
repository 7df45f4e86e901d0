"""Everything of a run may live in Cloud Storage: configuration, a sharded base, data, adapters and what is written."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.conftest import SHAPE, finish, json_lines, make_base
from tuneline import objects
from tuneline.google import rest
from tuneline.trainer import base_model, merging

Start = Callable[..., Any]
Write = Callable[..., str]


@pytest.fixture
def bucket(storage_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh bucket of the local service."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_url)
    monkeypatch.delenv("TUNELINE_LOCAL_URL", raising=False)
    name = f"test-{uuid.uuid4().hex}"
    rest.call("POST", "storage", "/storage/v1/b", params={"project": "tuneline-local"}, body={"name": name})
    return f"gs://{name}"


def test_a_run_from_bucket_to_bucket(
    bucket: str,
    storage_url: str,
    start: Start,
    write_config: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trained on a sharded base at gs:// into an output there, the merged model included: the same bytes as on disk.
    The adapter is then predicted with from where it lies."""
    whole = make_base(tmp_path / "whole", {**SHAPE, "tie_word_embeddings": False})
    monkeypatch.setattr(merging, "SHARD_BYTES", 60_000)
    loaded = base_model.load(base_model.resolve(str(whole), stand_in=""), dtype="float32")
    nothing = {name: {"a": [[[0.0]]] * 2, "b": [[[0.0]]] * 2} for name in loaded.architecture.linear_shapes}
    sharded = tmp_path / "sharded"
    merging.write_merged(loaded, nothing, 0.0, uri=str(sharded), told_to_stop=lambda: False)
    assert len(list(sharded.glob("*.safetensors"))) > 2
    local = json.loads(Path(write_config(base_model=str(sharded), train_steps=4, export_merged=True)).read_text())
    there = {**local, "base_model": f"{bucket}/base"}
    for path in sharded.iterdir():
        objects.upload_file(path, f"{bucket}/base/{path.name}")
    for name in ("train_data", "evaluation_data", "prediction_data"):
        there[name] = f"{bucket}/{Path(local[name]).name}"
        objects.upload_file(local[name], there[name])
    objects.write_json(f"{bucket}/config.json", there)
    finish(start(f"{bucket}/config.json", f"{bucket}/output", STORAGE_EMULATOR_HOST=storage_url))
    finish(start(str(tmp_path / "config.json"), tmp_path / "output"))
    compared = 0
    for path in (tmp_path / "output").rglob("*"):
        if path.suffix == ".safetensors" or path.parent.name in ("evaluations", "predictions"):
            stored = f"{bucket}/output/{path.relative_to(tmp_path / 'output')}"
            assert objects.read_bytes(stored) == path.read_bytes(), stored
            compared += 1
    assert compared >= 6
    models = [{"name": "tuned", "adapter": f"{bucket}/output/checkpoints/step-000004"}]
    config = {"version": 1, "mode": "predict", "base_model": f"{bucket}/base", "data": there["prediction_data"]}
    objects.write_json(f"{bucket}/predict.json", {**config, "models": models, "max_new_tokens": 4})
    finish(start(f"{bucket}/predict.json", f"{bucket}/predicted", STORAGE_EMULATOR_HOST=storage_url))
    rows = [json.loads(line) for line in objects.read_text(f"{bucket}/predicted/predictions/tuned.jsonl").splitlines()]
    expected = json_lines(tmp_path / "output" / "predictions" / "step-000004.jsonl")
    assert [row["prediction"] for row in rows] == [row["prediction"] for row in expected]
