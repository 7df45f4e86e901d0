"""Weights in and out of Hugging Face folders: safetensors, one file or sharded, read tensor by tensor."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from tuneline.errors import Problem, UsageError
from tuneline.trainer.architecture import Architecture

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
    """The weight tree of a folder, in `dtype`; a layer's tensors are stacked one kind at a time, so no more than one
    kind is in memory twice. `place(name, array)` puts each on its devices.

    Raises:
        UsageError: tensors that are missing, by name, or of another shape than `config.json` says.
    """
    put = place or (lambda _, array: jnp.asarray(array))
    with ExitStack() as stack:
        read = _reader(folder, stack)
        names = tensor_names(architecture)
        singles = {"embed": "model.embed_tokens.weight", "norm": "model.norm.weight"}
        if not architecture.tied:
            singles["head"] = "lm_head.weight"
        wanted = [*singles.values(), *(n.format(i) for n in names.values() for i in range(architecture.layers))]
        missing = [name for name in wanted if name not in read.files]
        if missing:
            what = f"{len(missing)} tensors are missing: {', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}"
            raise UsageError([Problem(where=str(folder), what=what, fix="name the whole folder of the model")])

        def single(name: str, tensor: str) -> np.ndarray:
            array = read(tensor).astype(dtype)
            return np.ascontiguousarray(array.T) if name == "head" else array

        weights: dict[str, Any] = {name: put(name, single(name, tensor)) for name, tensor in singles.items()}
        layers: dict[str, Any] = {}
        for name, pattern in names.items():
            parts = [read(pattern.format(layer)) for layer in range(architecture.layers)]
            shape = parts[0].T.shape if name in MODULES else parts[0].shape
            stacked = np.empty((len(parts), *shape), dtype)
            for layer, part in enumerate(parts):
                stacked[layer] = part.T if name in MODULES else part
            expected = architecture.linear_shapes.get(name, shape)
            if shape != expected:
                what = f"{pattern.format(0)} is {shape}, and config.json makes it {expected} (in, out)"
                raise UsageError(
                    [Problem(where=str(folder), what=what, fix="the folder's files do not belong together")]
                )
            layers[name] = put(name, stacked)
    return weights | {"layers": layers}


class _Reader:
    """Tensors by name, over one or many files."""

    def __init__(self, files: Mapping[str, Any]) -> None:
        self.files = files

    def __call__(self, name: str) -> np.ndarray:
        return np.asarray(self.files[name].get_tensor(name))


def _reader(folder: Path, stack: ExitStack) -> _Reader:
    # numpy knows bfloat16 only once ml_dtypes, which jax brings, has been imported.
    from safetensors import safe_open

    index = folder / "model.safetensors.index.json"
    if index.exists():
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        shards = sorted(path.name for path in folder.glob("*.safetensors") if not path.name.startswith("adapter"))
    if not shards:
        fix = "name a Hugging Face folder with *.safetensors"
        raise UsageError([Problem(where=str(folder), what="no safetensors file in it", fix=fix)])
    absent = [name for name in shards if not (folder / name).exists()]
    if absent:
        raise UsageError(
            [Problem(where=str(folder), what=f"shards are missing: {', '.join(absent)}", fix="copy the whole folder")]
        )
    files: dict[str, Any] = {}
    for shard in shards:
        opened = stack.enter_context(safe_open(str(folder / shard), framework="np"))
        # Multimodal Gemma 3 folders carry the text model under another prefix.
        files |= dict.fromkeys(opened.keys(), opened)
    return _Reader(files)


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
