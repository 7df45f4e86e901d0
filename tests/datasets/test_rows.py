"""What is remembered of the examples comes back as it was, from memory or from the file, whoever wrote it."""

from __future__ import annotations

import pickle
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneline.datasets import pieces, rows
from tuneline.datasets.rows import EXAMPLE, RAW, Rows

row = st.tuples(
    st.integers(0, 2**64 - 1), st.integers(1, 100), st.integers(0, 2000), st.integers(0, 70_000), st.booleans()
)


def _filled(given_rows: list[tuple], into: Rows, line: int) -> list[tuple]:
    """Appends them; what they are expected to be, with lines counted from `line`."""
    expected = []
    for number, (key, length, inputs, outputs, raw) in enumerate(given_rows, 1):
        into.append(key, 7 * number, length, number, inputs, outputs, 1, RAW if raw else EXAMPLE)
        expected.append((key, 7 * number, length, number + line, inputs, outputs, 1, RAW if raw else EXAMPLE))
    return expected


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are many."""
    for where, name, value in ((rows, "HELD", 5), (pieces, "READ", 3), (rows, "PARTITION", 4)):
        monkeypatch.setattr(where, name, value)


@given(st.lists(st.lists(row, max_size=20), max_size=4), st.data())
def test_rows_of_several_ranges_come_back_in_order(parts: list[list[tuple]], data: st.DataObject) -> None:
    """Batches, keys, single rows, examples, partitions and lengths are those of the ranges one after the other."""
    total, expected, line = Rows(), [], 0
    with tempfile.TemporaryFile() as file:
        for part in parts:
            later = Rows(file) if data.draw(st.booleans()) else Rows()
            expected += _filled(part, later, line)
            if later._file is file:
                later = pickle.loads(pickle.dumps(later))
                later.found_in(file)
            total.adopt(later, line)
            line += 100
        n = len(expected)
        assert total.count == n
        keys = [int(key) for keys in total.key_batches() for key in keys]
        found = [tuple(map(int, row)) for batch in total.batches() for row in batch]
        assert [(key, *row) for key, row in zip(keys, found, strict=True)] == expected
        wanted = sorted(data.draw(st.sets(st.integers(0, n - 1)))) if n else []
        taken = total.take(np.array(wanted, dtype=np.int64))
        assert [tuple(map(int, row)) for row in taken] == [expected[place][1:] for place in wanted]
        sound = [row for row in expected if row[-1] == EXAMPLE]
        assert len(total.lengths) == len(sound)
        assert total.lengths.both.total == sum(row[4] + row[5] for row in sound)
        wanted = sorted(data.draw(st.sets(st.integers(0, len(sound) - 1)))) if sound else []
        found = total.examples(np.array(wanted, dtype=np.int64))
        assert [tuple(map(int, row)) for row in found] == [sound[place][1:] for place in wanted]
        parted = [pair for part in total.partitions() for pair in zip(*map(np.ndarray.tolist, part), strict=True)]
        assert sorted(parted, key=lambda pair: pair[1]) == [(row[0], at) for at, row in enumerate(expected)]
        total.close()
