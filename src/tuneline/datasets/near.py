"""Near duplicates: texts that share most of their runs of words. Opt-in: it costs some ten times the parsing.

MinHash over runs of three words proposes pairs (16 bands of 4: a pair that shares four fifths is missed once in ten
thousand), the runs themselves decide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import xxhash

if TYPE_CHECKING:
    import numpy as np

SIMILAR = 0.8
"""Share of the runs of words, of those that either text has, from which two texts are near duplicates."""
RUN, BANDS, ROWS = 3, 16, 4
_WORD = re.compile(r"\w+")


def runs(text: str) -> frozenset[int]:
    """Hashes of the text's runs of three words, in lower case."""
    words = _WORD.findall(text.lower())
    if len(words) < RUN:
        return frozenset()
    digest = xxhash.xxh3_64_intdigest
    return frozenset(digest(" ".join(words[n : n + RUN]).encode()) for n in range(len(words) - RUN + 1))


class NearDuplicates:
    """Finds, for each text, an earlier one that is almost the same."""

    def __init__(self) -> None:
        import numpy as np

        rng = np.random.default_rng(97)
        self._multipliers = rng.integers(1, 1 << 63, size=(BANDS * ROWS, 1), dtype=np.uint64) | np.uint64(1)
        self._offsets = rng.integers(0, 1 << 63, size=(BANDS * ROWS, 1), dtype=np.uint64)
        self._seen: list[dict[bytes, int]] = [{} for _ in range(BANDS)]

    def candidates(self, number: int, grams: frozenset[int]) -> list[int]:
        """Earlier texts that may be near this one, which is then remembered under `number`."""
        if not grams:
            return []
        signature = self._signature(grams).reshape(BANDS, ROWS)
        found = set()
        for band, seen in zip(signature, self._seen, strict=True):
            found.add(seen.setdefault(band.tobytes(), number))
        found.discard(number)
        return sorted(found)

    def _signature(self, grams: frozenset[int]) -> np.ndarray:
        import numpy as np

        values = np.fromiter(grams, np.uint64, len(grams))
        return (values * self._multipliers + self._offsets).min(axis=1)


def similarity(one: frozenset[int], other: frozenset[int]) -> float:
    """Jaccard's: the share of common runs among all that either has."""
    union = len(one | other)
    return len(one & other) / union if union else 0.0
