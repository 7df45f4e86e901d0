"""Examples side by side in rows, each in a segment of its own; in few shapes, so that little is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuneline.trainer.examples import EncodedExample

MOST_SEGMENTS = 32
"""Examples in a row at most: what attention kernels set memory aside for."""
FIELDS = ("tokens", "positions", "segments", "targets", "counted")
Batch = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class RowShape:
    """Rows of a batch and tokens of a row: what is compiled for."""

    rows: int
    length: int


@dataclass(frozen=True, kw_only=True)
class Packed:
    """Rows of examples: `batch` has an array (rows, length) for each of FIELDS, `spans` (row, start, end) an example.

    `targets[r, t]` is the token after `tokens[r, t]`, `counted[r, t]` whether it belongs to a response.
    """

    batch: Batch
    spans: tuple[tuple[int, int, int], ...]


def first_fit(lengths: Sequence[int], length: int) -> list[list[int]]:
    """Places of the given lengths, distributed over rows: each goes into the first row with room, MOST_SEGMENTS at
    most into one."""
    rows: list[list[int]] = []
    room: list[int] = []
    for place, size in enumerate(lengths):
        for row, left in enumerate(room):
            if size <= left and len(rows[row]) < MOST_SEGMENTS:
                rows[row].append(place)
                room[row] -= size
                break
        else:
            rows.append([place])
            room.append(length - size)
    return rows


def pack(examples: Sequence[EncodedExample], shape: RowShape) -> list[tuple[Packed, list[int]]]:
    """The examples in one or more batches of the shape, each with the places in `examples` of its spans."""
    rows = first_fit([len(example.tokens) for example in examples], shape.length)
    out = []
    for at in range(0, len(rows), shape.rows):
        part = rows[at : at + shape.rows]
        out.append((fill(examples, part, shape), [place for row in part for place in row]))
    return out


def fill(examples: Sequence[EncodedExample], rows: list[list[int]], shape: RowShape) -> Packed:
    """One batch whose rows hold the examples at the given places, in segments from 1 on."""
    batch: Batch = {name: np.zeros((shape.rows, shape.length), np.int32) for name in FIELDS}
    batch["counted"] = np.zeros((shape.rows, shape.length), np.float32)
    spans = []
    for row, places in enumerate(rows):
        start = 0
        for segment, place in enumerate(places, 1):
            example = examples[place]
            size = len(example.tokens)
            end = start + size
            batch["tokens"][row, start:end] = example.tokens
            batch["positions"][row, start:end] = np.arange(size)
            batch["segments"][row, start:end] = segment
            batch["targets"][row, start : end - 1] = example.tokens[1:]
            batch["counted"][row, start + example.prompt - 1 : end - 1] = 1.0
            spans.append((row, start, end))
            start = end
    return Packed(batch=batch, spans=tuple(spans))


def choose_shape(
    groups: Sequence[Sequence[int]],
    *,
    longest: int,
    largest: int,
    attention_cost: float,
    devices: int = 1,
    unit: int = 0,
) -> RowShape:
    """The cheapest shape for groups of examples (a step's each), given by their lengths.

    Args:
        groups: lengths of the examples of some typical steps.
        longest: the longest example there is; no row is shorter.
        largest: most tokens in a batch, for memory (a single row may exceed it).
        attention_cost: cost of looking back one token, as a share of the cost of everything else in a token.
        devices: how many share the rows evenly.
        unit: what the length is a multiple of; 0: 16, or 64 where examples are long.

    The cost of a batch is its tokens, times one plus the attention; plus 100 tokens for starting it.
    """
    unit = unit or (16 if longest <= 256 else 64)
    shortest = -(-longest // unit) * unit
    best: tuple[float, int, int] | None = None
    for length in sorted({shortest * times for times in (1, 2, 3, 4, 6, 8)}):
        counts = [len(first_fit(group, length)) for group in groups]
        each = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32} | {-(-max(counts) // devices)}
        for rows in sorted(devices * count for count in each):
            if rows * length > largest and rows > devices:
                continue
            batches = sum(-(-count // rows) for count in counts)
            cost = batches * (rows * length * (1 + attention_cost * length) + 100)
            if best is None or cost < best[0]:
                best = (cost, rows, length)
    if best is None:
        raise ValueError("no groups to choose a shape for")
    return RowShape(rows=best[1], length=best[2])
