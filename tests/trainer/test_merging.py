"""A merged model is the base with its adapter: loaded alone, it computes what the two do together."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from tests.trainer.conftest import SHAPE, make_base
from tuneline.trainer import base_model, merging
from tuneline.trainer.lora import initial_adapter
from tuneline.trainer.model import hidden, logits
from tuneline.trainer.stop import Stopped

TOKENS = np.arange(3, 23, dtype=np.int32)[None]


def scores(base: base_model.BaseModel, adapter: Any, scale: float) -> np.ndarray:
    positions, rows = np.arange(20, dtype=np.int32)[None], np.ones((1, 20), np.int32)
    states = hidden(base.architecture, base.weights, adapter, scale, TOKENS, positions, rows)
    return np.asarray(logits(base.architecture, base.weights, states))


def load(folder: Path | str) -> base_model.BaseModel:
    return base_model.load(base_model.resolve(str(folder), stand_in=""), dtype=jnp.float32)


@pytest.fixture
def tuned(tmp_path: Path) -> tuple[base_model.BaseModel, Any]:
    """An untied base, and an adapter that changes something."""
    base = load(make_base(tmp_path / "base", {**SHAPE, "tie_word_embeddings": False}))
    random = np.random.default_rng(1)
    adapter = initial_adapter(base.architecture, 4, 0)
    for pair in adapter.values():
        pair["b"] = jnp.asarray(random.standard_normal(pair["b"].shape, np.float32) * 0.1)
    return base, adapter


def test_one_file_or_many(
    tuned: tuple[base_model.BaseModel, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits within 1e-4 of base and adapter, from a single file and from shards; others may read every file."""
    base, adapter = tuned
    expected = scores(base, adapter, 2.0)
    assert not np.allclose(expected, scores(base, None, 2.0), atol=1e-2)
    merging.write_merged(base, adapter, 2.0, uri=str(tmp_path / "one"), told_to_stop=lambda: False)
    monkeypatch.setattr(merging, "SHARD_BYTES", 50_000)
    merging.write_merged(base, adapter, 2.0, uri=str(tmp_path / "many"), told_to_stop=lambda: False)
    assert (tmp_path / "one" / "model.safetensors").exists()
    shards = sorted((tmp_path / "many").glob("model-*.safetensors"))
    index = json.loads((tmp_path / "many" / "model.safetensors.index.json").read_text())
    assert {path.name for path in shards} == set(index["weight_map"].values())
    assert len(shards) > 3
    umask = os.umask(0)
    os.umask(umask)
    for folder in (tmp_path / "one", tmp_path / "many"):
        np.testing.assert_allclose(scores(load(folder), None, 1.0), expected, atol=1e-4)
        assert json.loads((folder / "config.json").read_text()) == {**SHAPE, "tie_word_embeddings": False}
        for path in folder.iterdir():
            assert path.stat().st_mode & 0o044 == 0o044 & ~umask


def test_told_to_stop_it_goes_on_behind_what_is_there(
    tuned: tuple[base_model.BaseModel, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop between shards leaves no model that could be loaded; going on does not write a shard again."""
    base, adapter = tuned
    monkeypatch.setattr(merging, "SHARD_BYTES", 50_000)
    folder = tmp_path / "merged"
    asked: list[bool] = []

    def at_the_third() -> bool:
        asked.append(True)
        return len(asked) == 3

    with pytest.raises(Stopped):
        merging.write_merged(base, adapter, 2.0, uri=str(folder), told_to_stop=at_the_third)
    assert not (folder / "config.json").exists()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(before) == 2
    merging.write_merged(base, adapter, 2.0, uri=str(folder), told_to_stop=lambda: False)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    np.testing.assert_allclose(scores(load(folder), None, 1.0), scores(base, adapter, 2.0), atol=1e-4)
