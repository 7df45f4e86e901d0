"""Safetensors files tensor by tensor, in and out: no more than one of them is in memory, and no file is mapped.

The format (github.com/huggingface/safetensors, "Format"): eight bytes with the length of the header, the header as JSON
(name → dtype, shape, place in the data), the data. The library itself maps whole files, so that a folder read once
counts twice in the memory of a process until it is closed, and writes a file from tensors that are all there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tuneline.errors import Problem, UsageError

LONGEST_HEADER = 100_000_000
"""The format's own limit."""
FLOATS = ("F64", "F32", "F16", "BF16")
_NUMPY = {"F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "U8": "uint8"}


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor in a file: what it is, and where."""

    path: Path
    kind: str
    """Its type as the format names it: `F32`, `BF16`, …"""
    shape: tuple[int, ...]
    offset: int
    """In bytes, from the beginning of the file."""

    @property
    def count(self) -> int:
        """Numbers in it."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.count * number_type(self.kind).itemsize

    def read(self) -> np.ndarray:
        """Its numbers."""
        numbers = np.fromfile(self.path, number_type(self.kind), self.count, offset=self.offset)
        if len(numbers) < self.count:
            raise _broken(self.path, "ends before its last tensor")
        return numbers.reshape(self.shape)


def number_type(kind: str) -> np.dtype[Any]:
    """The numpy type of a type of the format; KeyError for one that no weights have."""
    if kind == "BF16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(_NUMPY[kind])


def read_folder(folder: Path) -> dict[str, Tensor]:
    """Every tensor of a Hugging Face folder by name, over one file or many.

    Raises:
        UsageError: there is none, a shard is missing, or a file is broken.
    """
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
    return {name: tensor for shard in shards for name, tensor in read_file(folder / shard).items()}


def read_file(path: Path) -> dict[str, Tensor]:
    """Every tensor of a file by name; UsageError where it is none of the format."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = stream.read(length) if 0 < length <= LONGEST_HEADER else b""
    try:
        if not header or len(header) < length:
            raise ValueError("it has no header")
        return {
            name: Tensor(
                path=path,
                kind=str(entry["dtype"]),
                shape=tuple(entry["shape"]),
                offset=8 + length + int(entry["data_offsets"][0]),
            )
            for name, entry in json.loads(header).items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise _broken(path, f"is no safetensors file: {error}") from error


def write_file(stream: BinaryIO, tensors: Mapping[str, tuple[str, Sequence[int]]], data: Iterable[np.ndarray]) -> None:
    """Write a file of tensors given by name, type and shape, whose numbers come one after another in that order."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (kind, shape) in tensors.items():
        size = int(np.prod(shape, dtype=np.int64)) * number_type(kind).itemsize
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the data is aligned
    stream.write(len(text).to_bytes(8, "little") + text)
    for (kind, _), numbers in zip(tensors.values(), data, strict=True):
        stream.write(np.ascontiguousarray(numbers, number_type(kind)).tobytes())


def _broken(path: Path, what: str) -> UsageError:
    return UsageError([Problem(where=str(path), what=what, fix="copy the folder again")])
