"""A base with an adapter worked into it, as a Hugging Face folder of its own that needs no adapter to be loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tuneline import objects
from tuneline.trainer.base_model import BaseModel, local_folder
from tuneline.trainer.stop import Stopped
from tuneline.trainer.tensors import Tensor, read_folder, write_file
from tuneline.trainer.weights import MODULES, tensor_names

SHARD_BYTES = 4 * 10**9
"""A file of weights is no larger, unless a single tensor is."""


def write_merged(
    base: BaseModel, adapter: Mapping[str, Any], scale: float, *, uri: str, told_to_stop: Callable[[], bool]
) -> None:
    """Write the merged model's folder, its numbers of the base's own types; one tensor at a time is in memory.

    The weights of shards that are there already are kept; `config.json` is written last, and without it there is no
    model there.

    Raises:
        Stopped: told to stop; the shards so far are complete.
    """
    with local_folder(base.reference) as folder:
        shards = _shards(read_folder(folder))
        updates = {
            pattern.format(layer): (name, layer)
            for name, pattern in tensor_names(base.architecture).items()
            if name in MODULES
            for layer in range(base.architecture.layers)
        }

        def merged(tensors: Mapping[str, Tensor]) -> Iterator[np.ndarray]:
            for tensor_name, tensor in tensors.items():
                numbers = tensor.read()
                if tensor_name in updates:
                    name, layer = updates[tensor_name]
                    a, b = (np.asarray(adapter[name][part][layer], np.float32) for part in ("a", "b"))
                    numbers = numbers.astype(np.float32) + scale * (a @ b).T
                yield numbers

        for name, tensors in shards.items():
            target = objects.join(uri, name)
            if objects.exists(target):
                continue
            if told_to_stop():
                raise Stopped(f"told to stop before writing {target}: run the same command again to go on")
            with tempfile.NamedTemporaryFile(prefix="tuneline-merged-") as stream:
                shapes = {name: (tensor.kind, tensor.shape) for name, tensor in tensors.items()}
                write_file(stream, shapes, merged(tensors))
                stream.flush()
                objects.upload_file(stream.name, target)
        if len(shards) > 1:
            objects.write_json(objects.join(uri, "model.safetensors.index.json"), _index(shards))
        for path in _others(folder):
            objects.upload_file(path, objects.join(uri, path.name))


def _shards(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The tensors by the file they go to, each file under SHARD_BYTES."""
    groups: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if groups[-1] and size + tensor.bytes > SHARD_BYTES:
            groups.append({})
            size = 0
        groups[-1][name] = tensor
        size += tensor.bytes
    if len(groups) == 1:
        return {"model.safetensors": groups[0]}
    return {f"model-{at:05d}-of-{len(groups):05d}.safetensors": group for at, group in enumerate(groups, 1)}


def _index(shards: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Any]:
    total = sum(tensor.bytes for group in shards.values() for tensor in group.values())
    where = {name: file for file, group in shards.items() for name in group}
    return {"metadata": {"total_size": total}, "weight_map": where}


def _others(folder: Path) -> list[Path]:
    """Configuration and tokenizer of a base's folder, `config.json` last."""
    left_out = ("model.safetensors.index.json", "base.json")
    found = [path for path in sorted(folder.iterdir()) if path.suffix in (".json", ".jinja")]
    found = [path for path in found if path.name not in left_out and not path.name.startswith("adapter")]
    return sorted(found, key=lambda path: path.name == "config.json")
