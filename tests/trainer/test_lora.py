"""An adapter goes out in PEFT's layout and comes back the same; one that does not fit is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load

from tests.trainer.conftest import SHAPE
from tuneline.errors import UsageError
from tuneline.trainer.architecture import read_architecture
from tuneline.trainer.lora import adapter_files, initial_adapter, read_adapter

ARCHITECTURE = read_architecture(SHAPE, where="test")


def test_peft_layout() -> None:
    """Names, shapes (rank, in) and (out, rank), and a configuration that names all linear layers."""
    files = adapter_files(initial_adapter(ARCHITECTURE, 4, 0), base="gs://bucket/base", family="llama")
    tensors = load(files["adapter_model.safetensors"])
    assert len(tensors) == 2 * 7 * 2
    prefix = "base_model.model.model.layers.1.mlp.down_proj"
    assert tensors[f"{prefix}.lora_A.weight"].shape == (4, 48)
    assert tensors[f"{prefix}.lora_B.weight"].shape == (32, 4)
    config = json.loads(files["adapter_config.json"])
    assert (config["r"], config["lora_alpha"], config["peft_type"]) == (4, 8, "LORA")
    assert set(config["target_modules"]) == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip


def test_there_and_back() -> None:
    """The adapter read is the adapter written, bit by bit; the scale is alpha over rank."""
    adapter = initial_adapter(ARCHITECTURE, 8, 3)
    read, scale = read_adapter(adapter_files(adapter, base="b", family="llama"), ARCHITECTURE, where="here")
    assert scale == 2.0
    for name, pair in adapter.items():
        for part in ("a", "b"):
            np.testing.assert_array_equal(pair[part], read[name][part])


def test_another_base_is_refused() -> None:
    """The message names the layer and both shapes, and tensors that have no place."""
    files = adapter_files(initial_adapter(ARCHITECTURE, 4, 0), base="b", family="llama")
    wider = read_architecture({**SHAPE, "intermediate_size": 64, "num_hidden_layers": 1}, where="test")
    with pytest.raises(UsageError) as caught:
        read_adapter(files, wider, where="here")
    assert "mlp.gate_proj lora_B of layer 0 is (4, 48), not (4, 64)" in str(caught.value)
    assert "layers.1." in str(caught.value)
