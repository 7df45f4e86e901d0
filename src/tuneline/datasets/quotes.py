"""Marks in a block of bytes: where its lines end, how many quotation marks it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneline.datasets.structure import unescaped

if TYPE_CHECKING:
    import numpy as np

QUOTE, BACKSLASH, NEWLINE = 0x22, 0x5C, 0x0A


def newlines(data: bytes, array: np.ndarray) -> np.ndarray:
    """Positions of the newlines. For long lines, searching from one to the next beats looking at every byte."""
    import numpy as np

    end = len(array)
    first = data.find(b"\n", 0, end)
    if 0 <= first < 1000:
        return np.flatnonzero(array == NEWLINE)
    found, find = [], data.find
    while first >= 0:
        found.append(first)
        first = find(b"\n", first + 1, end)
    return np.array(found, dtype=np.int64)


class Quotes:
    """Counts the quotation marks that no backslash escapes, in arrays of its own that are used again and again:
    fresh memory of this size costs more than the counting."""

    def __init__(self) -> None:
        import numpy as np

        self._arrays = [np.empty(0, dtype=bool) for _ in range(3)]

    def count(self, array: np.ndarray) -> int:
        """The number in an array of bytes."""
        import numpy as np

        size = len(array)
        if size > len(self._arrays[0]):
            self._arrays = [np.empty(size, dtype=bool) for _ in range(3)]
        quote, backslash, both = (spare[:size] for spare in self._arrays)
        np.equal(array, QUOTE, out=quote)
        np.equal(array, BACKSLASH, out=backslash)
        np.bitwise_and(backslash[1:], backslash[:-1], out=both[1:])
        if not both[1:].any():
            np.greater(quote[1:], backslash[:-1], out=both[1:])
            return int(quote[0]) + int(np.count_nonzero(both[1:]))
        # A quotation mark after two backslashes may not be escaped after all: those are told one by one.
        kept, _ = unescaped(np.flatnonzero(quote), np.flatnonzero(backslash), size, False)
        return len(kept)
