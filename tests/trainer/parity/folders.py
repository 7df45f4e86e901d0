"""Small random models of every family, the same wherever made: each tensor is drawn from its name's checksum."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

COMMON: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
GEMMA = {"hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 16, "sliding_window": 6}
SLIDING = ["sliding_attention", "full_attention", "sliding_attention"]
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", "tie_word_embeddings": True, "rope_theta": 10000.0},
    "llama3": {
        "model_type": "llama",
        "tie_word_embeddings": False,
        "rope_theta": 500000.0,
        "rope_scaling": LLAMA3,
    },
    "qwen2": {"model_type": "qwen2", "tie_word_embeddings": False, "rope_theta": 1000000.0},
    "qwen3": {"model_type": "qwen3", "tie_word_embeddings": True, "rope_theta": 1000000.0},
    "gemma2": {
        "model_type": "gemma2",
        **GEMMA,
        "tie_word_embeddings": True,
        "rope_theta": 10000.0,
        "layer_types": SLIDING,
        "attn_logit_softcapping": 5.0,
        "final_logit_softcapping": 3.0,
    },
    "gemma3": {
        "model_type": "gemma3_text",
        **GEMMA,
        "tie_word_embeddings": True,
        "layer_types": SLIDING,
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
    },
}
TOKENS = [[1, *((7 * at + 5 * at * at) % 61 + 3 for at in range(19))]]
"""Longer than the windows and than the context from which llama3 scaling starts."""


def config(family: str) -> dict[str, Any]:
    """The `config.json` of a family."""
    return {**COMMON, **CONFIGS[family]}


def tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The values of a tensor, fp32: norms near one, everything else of a size that lets all of it matter."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    values = random.standard_normal(shape).astype(np.float32)
    return 1 + 0.1 * values if "norm" in name else values * (0.3 if len(shape) == 2 else 0.1)


def write(folder: Path, family: str, shapes: dict[str, tuple[int, ...]], *, shards: int = 1) -> Path:
    """The Hugging Face folder of a family whose tensors have these shapes."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config(family)))
    tensors = {name: tensor(name, shape) for name, shape in shapes.items()}
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    places = {name: f"model-{at % shards + 1:05}-of-{shards:05}.safetensors" for at, name in enumerate(sorted(tensors))}
    for file in set(places.values()):
        save_file({name: value for name, value in tensors.items() if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder
