"""Adapters: low-rank updates of every linear layer, kept and published in PEFT's layout."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from tuneline.errors import Problem, UsageError
from tuneline.trainer.architecture import Architecture
from tuneline.trainer.model import Adapter
from tuneline.trainer.weights import MODULES

ALPHA = 2
"""lora_alpha as a multiple of the rank: the update is scaled by it, whatever the rank."""


def initial_adapter(architecture: Architecture, rank: int, seed: int) -> dict[str, dict[str, Any]]:
    """An adapter that changes nothing yet: a is uniform (Kaiming, as PEFT draws it), b is zero; fp32."""
    random = np.random.default_rng((seed, 1))
    adapter: dict[str, dict[str, Any]] = {}
    for name, (rows, columns) in architecture.linear_shapes.items():
        bound = 1 / math.sqrt(rows)
        a = random.uniform(-bound, bound, (architecture.layers, rows, rank)).astype(np.float32)
        b = np.zeros((architecture.layers, rank, columns), np.float32)
        adapter[name] = {"a": jnp.asarray(a), "b": jnp.asarray(b)}
    return adapter


def adapter_files(adapter: Adapter, *, base: str, family: str) -> dict[str, bytes]:
    """The adapter as `adapter_model.safetensors` and `adapter_config.json`."""
    from safetensors.numpy import save

    prefix = "base_model.model.model.layers"
    tensors: dict[str, np.ndarray] = {}
    rank = 0
    for name, pair in adapter.items():
        a, b = np.asarray(pair["a"], np.float32), np.asarray(pair["b"], np.float32)
        rank = a.shape[2]
        for layer in range(a.shape[0]):
            tensors[f"{prefix}.{layer}.{MODULES[name]}.lora_A.weight"] = np.ascontiguousarray(a[layer].T)
            tensors[f"{prefix}.{layer}.{MODULES[name]}.lora_B.weight"] = np.ascontiguousarray(b[layer].T)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": ALPHA * rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "target_modules": [MODULES[name].split(".")[1] for name in adapter],
        "tuneline_family": family,
    }
    return {
        "adapter_model.safetensors": save(tensors, metadata={"format": "pt"}),
        "adapter_config.json": (json.dumps(config, indent=2) + "\n").encode(),
    }


def read_adapter(
    files: Mapping[str, bytes], architecture: Architecture, *, where: str
) -> tuple[dict[str, dict[str, Any]], float]:
    """Adapter and scale from PEFT files; linear layers that it leaves out stay untouched.

    Raises:
        UsageError: it is no LoRA adapter, or made for another architecture.
    """
    from safetensors.numpy import load

    config = json.loads(files["adapter_config.json"])
    tensors = load(files["adapter_model.safetensors"])
    rank = int(config.get("r", 0))
    if config.get("peft_type") != "LORA" or config.get("use_dora") or rank < 1:
        raise UsageError(
            [Problem(where=where, what="not a plain LoRA adapter", fix="name an adapter in PEFT's layout")]
        )
    adapter: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for name, (rows, columns) in architecture.linear_shapes.items():
        pair = {"a": np.zeros((architecture.layers, rows, rank), np.float32)}
        pair["b"] = np.zeros((architecture.layers, rank, columns), np.float32)
        for layer in range(architecture.layers):
            for part, key in (("a", "lora_A"), ("b", "lora_B")):
                tensor = tensors.pop(f"base_model.model.model.layers.{layer}.{MODULES[name]}.{key}.weight", None)
                if tensor is not None and tensor.T.shape != pair[part][layer].shape:
                    what = f"{MODULES[name]} {key} of layer {layer} is {tensor.T.shape}, not {pair[part][layer].shape}"
                    problems.append(Problem(where=where, what=what, fix="name the base that the adapter was made for"))
                elif tensor is not None:
                    pair[part][layer] = tensor.astype(np.float32).T
        adapter[name] = {part: jnp.asarray(value) for part, value in pair.items()}
    problems += [Problem(where=where, what=f"tensor {name} does not fit this base") for name in sorted(tensors)[:5]]
    if problems:
        raise UsageError(problems, title="the adapter is refused")
    root = math.sqrt(rank) if config.get("use_rslora") else rank
    return adapter, float(config.get("lora_alpha", rank)) / root


def read_scaled_adapter(
    files: Mapping[str, bytes], architecture: Architecture, *, where: str
) -> dict[str, dict[str, Any]]:
    """An adapter as training has it: scaled by ALPHA, whatever its files say; raises as `read_adapter` does."""
    adapter, scale = read_adapter(files, architecture, where=where)
    return {name: {"a": pair["a"], "b": pair["b"] * (scale / ALPHA)} for name, pair in adapter.items()}
