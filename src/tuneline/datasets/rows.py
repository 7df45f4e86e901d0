"""What is remembered of every example: 40 bytes in a temporary file, so that memory is flat in the size of the set."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

FIELDS = [
    ("key", "<u8"),  # hash of the input (of the whole record, where it could not be read as an example)
    ("offset", "<u8"),
    ("length", "<u4"),
    ("line", "<u4"),
    ("inputs", "<u4"),  # characters
    ("outputs", "<u4"),  # characters
    ("column", "<u4"),
    ("kind", "<u4"),
]
EXAMPLE, RAW = 0, 1
"""An example that was read; a record that only its bytes stand for."""
HELD = 1 << 15
"""Rows kept in memory before they are written out."""
PARTITION = 1 << 20
"""Keys that are sorted at once."""


def dtype() -> Any:
    """The numpy type of a row."""
    import numpy as np

    return np.dtype(FIELDS)


class Rows:
    """Rows in the order of the file, appended in batches."""

    def __init__(self) -> None:
        self._dtype = dtype()
        self._file: Any = None
        self._held: list[Any] = []
        self._pending: list[tuple[int, ...]] = []
        self._held_count = 0
        self._columns: dict[str, np.ndarray] = {}
        self.count = 0

    def append(self, *values: int) -> None:
        """One row, its fields in the order of `FIELDS`."""
        self._pending.append(values)
        self.count += 1
        if len(self._pending) >= HELD:
            self._flush_pending()

    def extend(self, batch: np.ndarray) -> None:
        """A structured array of rows."""
        self._flush_pending()
        self.count += len(batch)
        self._hold(batch)

    def _flush_pending(self) -> None:
        if self._pending:
            import numpy as np

            batch = np.array(self._pending, dtype=self._dtype)
            self._pending = []
            self._hold(batch)

    def _hold(self, batch: np.ndarray) -> None:
        self._held.append(batch)
        self._held_count += len(batch)
        if self._held_count >= HELD:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="tuneline-rows-")  # noqa: SIM115 - closed by close()
            for held in self._held:
                self._file.write(held.tobytes())
            self._held, self._held_count = [], 0

    def batches(self, size: int = 1 << 16) -> Iterator[np.ndarray]:
        """All rows, in order, a batch at a time."""
        import numpy as np

        self._flush_pending()
        if self._file is not None:
            self._file.flush()
            at, end = 0, self._file.tell()
            while at < end:
                self._file.seek(at)
                data = self._file.read(min(size * self._dtype.itemsize, end - at))
                at += len(data)
                yield np.frombuffer(data, dtype=self._dtype)
            self._file.seek(end)
        yield from self._held

    def column(self, name: str) -> np.ndarray:
        """One field of all rows; read once, and kept until there are more rows."""
        import numpy as np

        known = self._columns.get(name)
        if known is None or len(known) != self.count:
            parts = [batch[name].copy() for batch in self.batches()]
            known = np.concatenate(parts) if parts else np.zeros(0, dtype=self._dtype[name])
            self._columns[name] = known
        return known

    def take(self, indexes: np.ndarray) -> np.ndarray:
        """The rows at ascending indexes."""
        import numpy as np

        parts, base = [], 0
        for batch in self.batches():
            low, high = np.searchsorted(indexes, [base, base + len(batch)])
            if high > low:
                parts.append(batch[indexes[low:high] - base])
            base += len(batch)
        return np.concatenate(parts) if parts else np.zeros(0, dtype=self._dtype)

    def partitions(self, of: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(keys, indexes of their rows), a part of the keys at a time, cut by their highest bits."""
        import numpy as np

        bits = max(0, ((of or self.count) // PARTITION).bit_length())
        for part in range(1 << bits):
            keys, indexes, base = [], [], 0
            for batch in self.batches():
                found = batch["key"]
                if bits:
                    here = np.flatnonzero(found >> np.uint64(64 - bits) == part)
                    keys.append(found[here])
                    indexes.append(here + base)
                else:
                    keys.append(found.copy())
                    indexes.append(np.arange(base, base + len(batch)))
                base += len(batch)
            if keys:
                yield np.concatenate(keys), np.concatenate(indexes)

    def __getstate__(self) -> bytes:
        """All rows as bytes: how a range's rows travel from one process to another."""
        return b"".join(batch.tobytes() for batch in self.batches())

    def __setstate__(self, state: bytes) -> None:
        import numpy as np

        self.__init__()
        self.extend(np.frombuffer(state, dtype=self._dtype))

    def close(self) -> None:
        """Gives the temporary file back."""
        if self._file is not None:
            self._file.close()
