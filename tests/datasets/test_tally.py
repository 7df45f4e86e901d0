"""Lengths are counted exactly, however many there are, whoever counts which of them."""

from __future__ import annotations

import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuneline.datasets.tally import SMALL, Tally

lengths = st.lists(st.one_of(st.integers(0, 300), st.integers(SMALL - 2, SMALL + 2), st.integers(0, 1 << 25)))


@given(st.lists(lengths, min_size=1, max_size=4))
def test_figures_are_those_of_all_numbers_in_order(parts: list[list[int]]) -> None:
    """Counted apart, sent to another process and joined, they give what sorting all of them gives."""
    whole = Tally()
    for part in parts:
        one = Tally()
        one.add(np.array(part, dtype=np.uint32))
        whole.merge(pickle.loads(pickle.dumps(one)))
    ordered = sorted(number for part in parts for number in part)
    assert (len(whole), whole.total, whole.max) == (len(ordered), sum(ordered), max(ordered, default=0))
    numbers, times = whole.distinct()
    assert np.repeat(numbers, times).tolist() == ordered
    if ordered:
        places = [0, 0.5, 0.9, 1]
        assert whole.quantiles(places) == [ordered[round(place * (len(ordered) - 1))] for place in places]
