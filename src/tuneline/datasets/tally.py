"""How often each length occurs in a set: exact totals and quantiles in memory that does not grow with the set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SMALL = 1 << 16
"""Lengths below which are counted in an array; few are longer, and they are counted one by one."""


class Tally:
    """Counts of whole numbers from 0 up."""

    def __init__(self) -> None:
        import numpy as np

        self._small = np.zeros(0, dtype=np.int64)
        self._large: Counter[int] = Counter()

    def add(self, numbers: np.ndarray) -> None:
        """Takes numbers in."""
        import numpy as np

        if not len(numbers):
            return
        if int(numbers.max()) >= SMALL:
            self._large.update(numbers[numbers >= SMALL].tolist())
            numbers = numbers[numbers < SMALL]
        self._join(np.bincount(numbers))

    def merge(self, other: Tally) -> None:
        """Takes the numbers of another one in."""
        self._join(other._small)
        self._large.update(other._large)

    def _join(self, counts: np.ndarray) -> None:
        import numpy as np

        if len(counts) > len(self._small):
            more = np.zeros(len(counts), dtype=np.int64)
            more[: len(self._small)] = self._small
            self._small = more
        self._small[: len(counts)] += counts

    def __len__(self) -> int:
        return int(self._small.sum()) + sum(self._large.values())

    @property
    def total(self) -> int:
        """The sum of all numbers."""
        import numpy as np

        return int(self._small @ np.arange(len(self._small))) + sum(
            number * times for number, times in self._large.items()
        )

    @property
    def max(self) -> int:
        """The largest number; 0 where there is none."""
        return max(self._large, default=max(0, len(self._small) - 1))

    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers that occur, ascending, and how often each does."""
        import numpy as np

        small = np.flatnonzero(self._small)
        large = sorted(self._large)
        times = [self._small[small], np.array([self._large[number] for number in large], dtype=np.int64)]
        return np.concatenate([small, np.array(large, dtype=np.int64)]), np.concatenate(times)

    def quantiles(self, shares: Sequence[float]) -> list[int]:
        """For each share, the number at that place of all in order; there must be one."""
        import numpy as np

        numbers, times = self.distinct()
        ends = np.cumsum(times)
        places = [round(share * (int(ends[-1]) - 1)) for share in shares]
        return numbers[np.searchsorted(ends, places, side="right")].tolist()


class Lengths:
    """Characters of the inputs, of the outputs, and of both, of all that could be read as examples."""

    def __init__(self) -> None:
        self.inputs, self.outputs, self.both = Tally(), Tally(), Tally()

    def add(self, inputs: np.ndarray, outputs: np.ndarray) -> None:
        """Takes some examples in."""
        self.inputs.add(inputs)
        self.outputs.add(outputs)
        self.both.add(inputs + outputs)

    def merge(self, other: Lengths) -> None:
        """Takes the examples of another one in."""
        self.inputs.merge(other.inputs)
        self.outputs.merge(other.outputs)
        self.both.merge(other.both)

    def __len__(self) -> int:
        return len(self.both)
