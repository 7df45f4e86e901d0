"""Every family's logits agree with transformers to 1e-4, and those of our adapters with what peft makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from tests.trainer.parity import folders
from tuneline.errors import UsageError
from tuneline.trainer.architecture import Architecture, read_architecture
from tuneline.trainer.generation import build_generator
from tuneline.trainer.lora import ALPHA, adapter_files, initial_adapter, read_adapter
from tuneline.trainer.model import hidden, logits
from tuneline.trainer.weights import load_weights

GOLDEN = Path(__file__).parent / "parity.json"
LAST = 4


def adapter_of(architecture: Architecture) -> dict[str, Any]:
    """An adapter that changes every linear layer."""
    adapter = initial_adapter(architecture, 2, 0)
    random = np.random.default_rng(5)
    for pair in adapter.values():
        pair["b"] = jnp.asarray(random.standard_normal(pair["b"].shape, np.float32) * 0.1)
    return adapter


@pytest.fixture(params=sorted(folders.CONFIGS))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def shapes(family: str) -> dict[str, tuple[int, ...]]:
    entry = json.loads(GOLDEN.read_text())["families"][family]
    return {name: tuple(shape) for name, shape in entry["shapes"].items()}


def test_logits_agree_with_transformers_and_peft(family: str, tmp_path: Path) -> None:
    """The base, then the base with an adapter that went out and came back; one of the folders is sharded."""
    folder = folders.write(tmp_path / "base", family, shapes(family), shards=3 if family == "qwen2" else 1)
    architecture = read_architecture(folders.config(family), where=family)
    weights = load_weights(folder, architecture, np.float32)
    adapter, scale = read_adapter(
        adapter_files(adapter_of(architecture), base="b", family=family), architecture, where="adapter"
    )
    assert scale == ALPHA
    tokens = jnp.asarray(folders.TOKENS, jnp.int32)
    positions = jnp.arange(tokens.shape[1])[None]
    golden = json.loads(GOLDEN.read_text())["families"][family]
    for key, used in (("logits", None), ("adapter_logits", adapter)):
        h = hidden(architecture, weights, used, scale, tokens, positions, jnp.ones_like(tokens))
        found = logits(architecture, weights, h)[0, -LAST:]
        np.testing.assert_allclose(found, np.asarray(golden[key]), atol=1e-4)
    assert architecture.parameters == sum(int(np.prod(shape)) for shape in shapes(family).values())
    # The cache computes the same as the whole row: its greedy first token is the best of the golden logits.
    generator = build_generator(architecture, weights, scale=scale, ends=[2], pad=0)
    (out,) = generator.generate(adapter, [folders.TOKENS[0]], max_new_tokens=1)
    best = int(np.argmax(golden["adapter_logits"][-1]))
    assert list(out.tokens) == ([] if best == 2 else [best])


def test_missing_tensors_and_shards_are_named(tmp_path: Path) -> None:
    """A folder without one tensor, and one without a shard, are refused by that name."""
    wanted = shapes("qwen2")
    architecture = read_architecture(folders.config("qwen2"), where="qwen2")
    lacking = {name: shape for name, shape in wanted.items() if name != "model.layers.1.self_attn.q_proj.bias"}
    folder = folders.write(tmp_path / "lacking", "qwen2", lacking)
    with pytest.raises(UsageError, match=r"1 tensors are missing: model\.layers\.1\.self_attn\.q_proj\.bias"):
        load_weights(folder, architecture, np.float32)
    sharded = folders.write(tmp_path / "sharded", "qwen2", wanted, shards=3)
    (sharded / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(UsageError, match="model-00002-of-00003"):
        load_weights(sharded, architecture, np.float32)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_type": "mamba"}, "model_type 'mamba' is not supported"),
        ({"hidden_act": "relu"}, "activation 'relu'"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4}}, "rope scaling 'yarn'"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
        ({"hidden_size": None}, "hidden_size is missing"),
    ],
)
def test_what_is_not_computed_is_refused_by_name(change: dict[str, Any], told: str) -> None:
    """Nothing is guessed: an unknown detail would give a model that is subtly another."""
    with pytest.raises(UsageError, match=told):
        read_architecture({**folders.config("llama"), **change}, where="config.json")
