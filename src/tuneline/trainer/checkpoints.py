"""Checkpoints: written piece by piece, complete once `checkpoint.json` is there; each a PEFT adapter of its own.

The newest also holds `training_state.safetensors` (the optimizer's state), from which a run goes on bit by bit as if it
had not been stopped: its adapter is kept in fp32, and everything else is a function of seed and step.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuneline import objects

_COMPLETE = re.compile(r"checkpoints/step-(\d{6,})/checkpoint\.json$")
STATE = "training_state.safetensors"
ADAPTER = ("adapter_model.safetensors", "adapter_config.json")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A complete checkpoint."""

    step: int
    uri: str
    """Its folder."""
    record: Mapping[str, Any]
    """Its `checkpoint.json`: step, epoch, evaluation, whether it was made on being stopped, evaluations so far."""


def folder(output: str, step: int) -> str:
    """Where the checkpoint of a step is."""
    return objects.join(output, "checkpoints", f"step-{step:06d}")


def write(output: str, *, step: int, files: Mapping[str, bytes], state: bytes, record: Mapping[str, Any]) -> Checkpoint:
    """A new complete checkpoint; afterwards no older one holds training state, and stopped-at ones are gone."""
    uri = folder(output, step)
    for name, data in {**files, STATE: state}.items():
        objects.write_bytes(objects.join(uri, name), data)
    objects.write_json(objects.join(uri, "checkpoint.json"), record)
    for other in complete(output):
        if other.step != step and other.record["stopped"]:
            remove(other)
        elif other.step != step and objects.exists(objects.join(other.uri, STATE)):
            objects.delete(objects.join(other.uri, STATE))
    return Checkpoint(step=step, uri=uri, record=record)


def complete(output: str) -> list[Checkpoint]:
    """All complete checkpoints, by step."""
    found = []
    for info in objects.list(objects.join(output, "checkpoints") + "/"):
        match = _COMPLETE.search(info.uri)
        if match:
            uri = info.uri.removesuffix("/checkpoint.json")
            found.append(Checkpoint(step=int(match[1]), uri=uri, record=objects.read_json(info.uri)))
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def newest_with_state(output: str) -> Checkpoint | None:
    """The checkpoint to resume from."""
    for checkpoint in reversed(complete(output)):
        if objects.exists(objects.join(checkpoint.uri, STATE)):
            return checkpoint
    return None


def sweep(output: str) -> None:
    """Delete what is left of checkpoints whose writing or removal was cut off: they do not count, and never will."""
    prefix = objects.join(output, "checkpoints") + "/"
    whole = {checkpoint.uri for checkpoint in complete(output)}
    for info in list(objects.list(prefix)):
        if info.uri.rpartition("/")[0] not in whole:
            objects.delete(info.uri)


def read_adapter_files(uri: str) -> dict[str, bytes]:
    """The files of the adapter in a folder, by name; NotFound where one is missing."""
    return {part: objects.read_bytes(objects.join(uri, part)) for part in ADAPTER}


def remove(checkpoint: Checkpoint) -> None:
    """Take a checkpoint away, first of all its mark of completeness."""
    objects.delete(objects.join(checkpoint.uri, "checkpoint.json"))
    for info in list(objects.list(checkpoint.uri + "/")):
        objects.delete(info.uri)
