"""A stand-in reads what the model it stands in for would have read, as far as its own context goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import pytest

from tests.trainer.conftest import write_rows
from tuneline.trainer.base_model import Reference, load
from tuneline.trainer.config import Config, read_config
from tuneline.trainer.preparation import read_set


@pytest.mark.parametrize(("stand_in", "kept"), [(True, 2), (False, 1)])
def test_a_stand_in_skips_no_long_prompt(
    tmp_path: Path, small_base: Path, write_config: Callable[..., str], stand_in: bool, kept: int
) -> None:
    """Its prompts lose their beginning where they are longer than its context; a model of one's own skips them."""
    long = {"input_text": "so it went on and on, " * 200, "output_text": "the end"}
    data = write_rows(tmp_path / "long.jsonl", [long, {"input_text": "short", "output_text": "the end"}])
    path = write_config(train_data=data)
    config = read_config(json.loads(Path(path).read_text()), where=path)
    assert isinstance(config, Config)
    reference = Reference(requested="gs://models/llama", used=str(small_base), stand_in=stand_in)
    dataset = read_set(config, load(reference, dtype=jnp.float32), data)
    assert [len(dataset.examples), dataset.cut, dataset.skipped] == [kept, kept - 1, 2 - kept]
    assert all(len(example.tokens) <= 128 for example in dataset.examples)
