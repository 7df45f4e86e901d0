"""Packing puts every example into a row of one of few shapes, whole and once."""

from __future__ import annotations

import numpy as np
import pytest

from tuneline.trainer.examples import EncodedExample
from tuneline.trainer.packing import RowShape, choose_shape, first_fit, pack


def example(size: int, prompt: int = 1, start: int = 10) -> EncodedExample:
    tokens = np.arange(start, start + size, dtype=np.int32)
    return EncodedExample(index=0, line=1, tokens=tokens, prompt=prompt, input="", expected="")


def test_rows_are_filled_in_the_order_of_examples() -> None:
    """Each goes into the first row with room."""
    assert first_fit([5, 4, 3, 2, 6], 8) == [[0, 2], [1, 3], [4]]


def test_every_example_is_there_once_with_its_targets() -> None:
    """Segments count from one, positions from zero; the target is the next token, counted in responses only."""
    examples = [example(5, prompt=2), example(4, prompt=3, start=50), example(6, prompt=1, start=80)]
    shape = RowShape(rows=1, length=9)
    batches = pack(examples, shape)
    assert [places for _, places in batches] == [[0, 1], [2]]
    first = batches[0][0].batch
    assert first["tokens"].tolist() == [[10, 11, 12, 13, 14, 50, 51, 52, 53]]
    assert first["segments"].tolist() == [[1] * 5 + [2] * 4]
    assert first["positions"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3]]
    assert first["targets"].tolist() == [[11, 12, 13, 14, 0, 51, 52, 53, 0]]
    assert first["counted"].tolist() == [[0, 1, 1, 1, 0, 0, 0, 1, 0]]
    assert batches[1][0].spans == ((0, 0, 6),)


@pytest.mark.parametrize("seed", range(5))
def test_the_chosen_shape_holds_the_longest(seed: int) -> None:
    """No row is shorter than the longest example, and batches stay within the memory allowed."""
    random = np.random.default_rng(seed)
    groups = [random.integers(4, 200, 8).tolist() for _ in range(20)]
    shape = choose_shape(groups, longest=231, largest=2048, attention_cost=0.003)
    assert shape.length >= 231
    assert shape.rows * shape.length <= 2048 or shape.rows == 1


def test_short_examples_share_a_row() -> None:
    """Eight examples of twenty tokens do not cost eight padded rows of the longest."""
    shape = choose_shape([[20] * 8] * 10, longest=60, largest=4096, attention_cost=0.001)
    assert shape.rows * shape.length < 8 * 64
