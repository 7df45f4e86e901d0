"""Rows that are neighbours, with their keys: in memory, or in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import numpy as np

KEY = 8
"""Bytes of a key."""
READ = 1 << 14
"""Rows read back at once."""


@dataclass(slots=True)
class Held:
    """Rows in memory, and their keys."""

    keys: np.ndarray
    rows: np.ndarray
    counted: bool = False
    """Whether their lengths are."""

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self) -> Iterator[np.ndarray]:
        """All rows."""
        yield self.rows

    def take(self, wanted: np.ndarray) -> list[np.ndarray]:
        """The rows at ascending indexes."""
        return [self.rows[wanted]]


@dataclass(slots=True)
class Stored:
    """Keys in a file, then their rows; what is added to the number of each one's line."""

    file: BinaryIO | None
    at: int
    count: int
    kind: np.dtype
    shift: int = 0

    def __len__(self) -> int:
        return self.count

    @property
    def keys(self) -> np.ndarray:
        """All keys."""
        import numpy as np

        return np.frombuffer(os.pread(self.file.fileno(), KEY * self.count, self.at), dtype="<u8")

    def batches(self) -> Iterator[np.ndarray]:
        """All rows, some at a time."""
        for low in range(0, self.count, READ):
            yield self._read(low, min(low + READ, self.count))

    def take(self, wanted: np.ndarray) -> list[np.ndarray]:
        """The rows at ascending indexes; few of many are read one by one."""
        import numpy as np

        if len(wanted) * 50 < self.count:
            fd, size, at = self.file.fileno(), self.kind.itemsize, self.at + KEY * self.count
            rows = np.frombuffer(
                bytearray().join([os.pread(fd, size, at + index * size) for index in wanted.tolist()]), dtype=self.kind
            )
            rows["line"] += self.shift
            return [rows]
        parts = []
        while len(wanted):
            first = int(wanted[0])
            rows = self._read(first, min(first + READ, self.count))
            here = np.searchsorted(wanted, first + len(rows))
            parts.append(rows[wanted[:here] - first])
            wanted = wanted[here:]
        return parts

    def _read(self, low: int, high: int) -> np.ndarray:
        import numpy as np

        size = self.kind.itemsize
        data = os.pread(self.file.fileno(), (high - low) * size, self.at + KEY * self.count + low * size)
        rows = np.frombuffer(bytearray(data), dtype=self.kind)
        rows["line"] += self.shift
        return rows
