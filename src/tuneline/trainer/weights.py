"""Weights in and out of Hugging Face folders: safetensors, one file or sharded, read tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tuneline.errors import Problem, UsageError
from tuneline.trainer.architecture import Architecture
from tuneline.trainer.tensors import FLOATS, Tensor, read_folder

MODULES = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
"""Our name of a linear layer → its place in a layer of a Hugging Face folder."""
ALIGNMENT = 64
"""Bytes; XLA's own for buffers of a CPU."""


def tensor_names(architecture: Architecture) -> dict[str, str]:
    """Every leaf of a layer → its tensor's name, with `{}` for the layer's number."""
    prefix = "model.layers.{}."
    names = {name: f"{prefix}{module}.weight" for name, module in MODULES.items()}
    names["attention_norm"] = f"{prefix}input_layernorm.weight"
    if architecture.gemma:
        names["attention_post_norm"] = f"{prefix}post_attention_layernorm.weight"
        names["mlp_norm"] = f"{prefix}pre_feedforward_layernorm.weight"
        names["mlp_post_norm"] = f"{prefix}post_feedforward_layernorm.weight"
    else:
        names["mlp_norm"] = f"{prefix}post_attention_layernorm.weight"
    if architecture.head_norm:
        names |= {f"{part}_norm": f"{prefix}self_attn.{part}_norm.weight" for part in ("q", "k")}
    if architecture.attention_bias:
        names |= {f"{part}_bias": f"{prefix}{MODULES[part]}.bias" for part in ("q", "k", "v")}
    return names


def load_weights(
    folder: Path, architecture: Architecture, dtype: Any, place: Callable[[str, np.ndarray], Any] | None = None
) -> dict[str, Any]:
    """The weight tree of a folder, in `dtype`; a kind's tensors are read one by one into their stack, so no more than
    a tensor, or one stack on its way to the devices, is in memory twice. `place(name, array)` puts each on its devices.

    Raises:
        UsageError: tensors that are missing, by name, or of another shape than `config.json` says.
    """
    put = place or (lambda _, array: jax.device_put(array, may_alias=True))
    tensors = read_folder(folder)
    names = tensor_names(architecture)
    singles = {"embed": "model.embed_tokens.weight", "norm": "model.norm.weight"}
    if not architecture.tied:
        singles["head"] = "lm_head.weight"
    _check(folder, tensors, architecture, singles, names)

    def single(name: str, tensor: str) -> np.ndarray:
        array = tensors[tensor].read()
        turned = array.T if name == "head" else array
        room = _room(turned.shape, dtype)
        room[...] = turned
        return room

    weights: dict[str, Any] = {name: put(name, single(name, tensor)) for name, tensor in singles.items()}
    layers: dict[str, Any] = {}
    for name, pattern in names.items():
        shape = tensors[pattern.format(0)].shape
        stacked = _room((architecture.layers, *(shape[::-1] if name in MODULES else shape)), dtype)
        for layer in range(architecture.layers):
            part = tensors[pattern.format(layer)].read()
            stacked[layer] = part.T if name in MODULES else part
        layers[name] = put(name, stacked)
    return weights | {"layers": layers}


def _room(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array to fill, aligned so that a CPU's jax takes it as it is instead of copying it."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def _check(
    folder: Path,
    tensors: Mapping[str, Tensor],
    architecture: Architecture,
    singles: Mapping[str, str],
    layered: Mapping[str, str],
) -> None:
    """UsageError with every tensor that is missing, or of another shape or kind than it should be."""
    vocabulary = (architecture.vocabulary, architecture.width)
    expected: dict[str, tuple[int, ...] | None] = {
        tensor: None if name == "norm" else vocabulary for name, tensor in singles.items()
    }
    for name, pattern in layered.items():
        shape = architecture.linear_shapes[name][::-1] if name in MODULES else None
        expected |= {pattern.format(layer): shape for layer in range(architecture.layers)}
    missing = [name for name in expected if name not in tensors]
    if missing:
        what = f"{len(missing)} tensors are missing: {', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}"
        raise UsageError([Problem(where=str(folder), what=what, fix="name the whole folder of the model")])
    problems = [
        Problem(
            where=str(folder),
            what=f"{name} is {tensors[name].shape}, and config.json makes it {shape}",
            fix="the folder's files do not belong together",
        )
        for name, shape in expected.items()
        if shape is not None and tensors[name].shape != shape
    ]
    problems += [
        Problem(where=str(folder), what=f"{name} is of type {tensors[name].kind}", fix="use the unquantised folder")
        for name in expected
        if tensors[name].kind not in FLOATS
    ]
    if problems:
        raise UsageError(problems[:5], title=f"{len(problems)} tensors do not fit")


def hf_tensors(architecture: Architecture, weights: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The weight tree as the tensors of a Hugging Face folder."""
    tensors = {
        "model.embed_tokens.weight": np.asarray(weights["embed"]),
        "model.norm.weight": np.asarray(weights["norm"]),
    }
    if not architecture.tied:
        tensors["lm_head.weight"] = np.ascontiguousarray(np.asarray(weights["head"]).T)
    for name, pattern in tensor_names(architecture).items():
        stacked = np.asarray(weights["layers"][name])
        for layer in range(architecture.layers):
            part = stacked[layer].T if name in MODULES else stacked[layer]
            tensors[pattern.format(layer)] = np.ascontiguousarray(part)
    return tensors
