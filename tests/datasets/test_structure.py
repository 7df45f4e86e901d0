"""Values are cut out of any layout at their exact bytes, lines and columns, wherever the blocks of the file end."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneline.datasets import lines, structure
from tuneline.datasets.lines import Lines, LongLine, blocks, bounds
from tuneline.datasets.places import scan

objects = st.dictionaries(
    st.sampled_from(["a", 'b"', "c\\", "[", "é"]),
    st.recursive(
        st.one_of(st.integers(), st.text(alphabet='\\"{}[]\n,:aé', max_size=6)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=2)),
        max_leaves=6,
    ),
    max_size=3,
)


@contextmanager
def _file(body: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        yield file.fileno()


@settings(max_examples=200, deadline=None)
@given(st.lists(objects, max_size=6), st.integers(1, 40), st.sampled_from([None, 1]), st.sampled_from(["", "\n", " "]))
def test_spans_are_the_values(values: list[Any], block: int, indent: int | None, between: str) -> None:
    """However small the blocks, each span parses to its value, and begins at the line and column that it says."""
    body = between.join(json.dumps(value, indent=indent, ensure_ascii=False) for value in values).encode()
    with pytest.MonkeyPatch.context() as patch, _file(body) as fd:
        patch.setattr(structure, "BLOCK", block)
        found = list(structure.spans(fd, 0))
    assert [json.loads(body[span.offset : span.offset + span.length]) for span in found] == values
    for span in found:
        assert span.closed
        before = body[: span.offset]
        assert span.line == before.count(b"\n") + 1
        assert span.column == len(before) - (before.rfind(b"\n") + 1) + 1


def test_an_open_value_is_told() -> None:
    """A value that the file ends in is given with all that is there of it."""
    with _file(b'{"a": 1} {"b": [1, 2') as fd:
        first, last = structure.spans(fd, 0)
    assert first.closed
    assert not last.closed
    assert (last.offset, last.length) == (9, 11)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"x")), max_size=12),
    st.integers(1, 64),
    st.booleans(),
)
def test_blocks_are_whole_lines(parts: list[bytes], block: int, ended: bool) -> None:
    """Blocks of any size hold every byte once, cut only after newlines; too long lines are told, not held."""
    body = b"\n".join(parts) + b"\n" * ended
    with pytest.MonkeyPatch.context() as patch, _file(body) as fd:
        patch.setattr(lines, "MAX_LINE", max(block, 20))
        found = list(blocks(fd, 0, len(body), block=block))
    at = 0
    for piece in found:
        assert piece.offset == at
        data = body[at : at + piece.length]
        if isinstance(piece, Lines):
            assert piece.data[: piece.length] == data
        else:
            assert isinstance(piece, LongLine)
            assert data.count(b"\n") <= 1
        at += piece.length
        assert data.endswith(b"\n") or at == len(body)
    assert at == len(body)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(1, 8), st.integers(1, 50))
def test_ranges_cover_the_file_and_begin_with_lines(lengths: list[int], processes: int, least: int) -> None:
    """Every byte is in one range, and no range begins within a line."""
    body = b"".join(b"x" * length + b"\n" for length in lengths)
    with _file(body) as fd:
        found = bounds(fd, 0, os.fstat(fd).st_size, processes, least=least, most=10 * least)
    assert [found[0][0], found[-1][1]] == [0, len(body)]
    for (_, end), (start, _) in pairwise(found):
        assert end == start
        assert body[start - 1 : start] == b"\n"


@settings(max_examples=200, deadline=None)
@given(objects)
def test_places_point_at_their_values(value: dict[str, Any]) -> None:
    """From each path's place on, the text goes on with that value."""
    text = json.dumps(value, ensure_ascii=False)
    places = scan(text)
    assert not places.duplicates
    decoder = json.JSONDecoder()

    def follow(item: Any, path: str) -> None:
        from tuneline.datasets.places import step

        assert decoder.raw_decode(text, places.at[path])[0] == item
        inner = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        for key, child in inner:
            follow(child, step(path, key))

    follow(value, "$")
