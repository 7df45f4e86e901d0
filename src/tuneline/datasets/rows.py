"""What is remembered of every example: 40 bytes in a temporary file, so that memory is flat in the size of the set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

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
READ = 1 << 14
"""Rows read back at once."""
PARTITION = 1 << 21
"""Keys that are sorted at once."""
OFTEN = ("kind", "inputs", "outputs")
"""Fields that every report looks at: they are read together."""


def dtype() -> Any:
    """The numpy type of a row."""
    import numpy as np

    return np.dtype(FIELDS)


@dataclass(slots=True)
class _Stored:
    """Rows in a file, one after the other; what is added to the number of each one's line."""

    file: BinaryIO | None
    at: int
    count: int
    shift: int = 0

    def __len__(self) -> int:
        return self.count

    def read(self, kind: np.dtype, low: int, high: int) -> np.ndarray:
        """Rows low to high."""
        import numpy as np

        rows = np.empty(high - low, dtype=kind)
        os.preadv(self.file.fileno(), [rows], self.at + low * kind.itemsize)
        rows["line"] += self.shift
        return rows

    def take(self, kind: np.dtype, wanted: np.ndarray) -> list[np.ndarray]:
        """The rows at ascending indexes; few of many are read one by one."""
        import numpy as np

        if len(wanted) * 50 < self.count:
            fd, size = self.file.fileno(), kind.itemsize
            found = [os.pread(fd, size, self.at + index * size) for index in wanted.tolist()]
            rows = np.frombuffer(bytearray().join(found), dtype=kind)
            rows["line"] += self.shift
            return [rows]
        parts = []
        while len(wanted):
            first = int(wanted[0])
            rows = self.read(kind, first, min(first + READ, self.count))
            here = np.searchsorted(wanted, first + len(rows))
            parts.append(rows[wanted[:here] - first])
            wanted = wanted[here:]
        return parts


class Rows:
    """Rows in the order of the file, appended in batches.

    Those that memory does not hold are in `file`, or in a temporary one. Several may write to one file, one after the
    other. Pickled, they stand for their places in the file: `found_in` says which file that was.
    """

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._dtype = dtype()
        self._file = file
        self._files = ExitStack()
        self._pieces: list[np.ndarray | _Stored] = []
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
        """A structured array of rows, which belongs to these from now on."""
        self._flush_pending()
        self.count += len(batch)
        self._hold(batch)

    def adopt(self, later: Rows, shift: int) -> None:
        """Takes over the rows of a later range, whose lines are counted from their own beginning, and its files."""
        self._flush_pending()
        later._flush_pending()
        for piece in later._pieces:
            if isinstance(piece, _Stored):
                piece.shift += shift
                self._pieces.append(piece)
            else:
                piece["line"] += shift
                self._hold(piece)
        self.count += later.count
        self._files.push(later._files.pop_all())
        later._pieces, later.count = [], 0

    def _flush_pending(self) -> None:
        if self._pending:
            import numpy as np

            batch = np.array(self._pending, dtype=self._dtype)
            self._pending = []
            self._hold(batch)

    def _hold(self, batch: np.ndarray) -> None:
        self._pieces.append(batch)
        self._held_count += len(batch)
        if self._held_count >= HELD:
            self.store()

    def store(self) -> None:
        """Moves what memory holds to the file."""
        self._flush_pending()
        if not self._held_count:
            return
        if self._file is None:
            import tempfile

            file = tempfile.TemporaryFile(prefix="tuneline-rows-")  # noqa: SIM115 (closed by `close`)
            self._file = self._files.enter_context(file)
        pieces: list[np.ndarray | _Stored] = []
        at, size = self._file.seek(0, os.SEEK_END), self._dtype.itemsize
        for piece in self._pieces:
            if isinstance(piece, _Stored):
                pieces.append(piece)
                continue
            self._file.write(piece.tobytes())
            last = pieces[-1] if pieces else None
            if (
                isinstance(last, _Stored)
                and not last.shift
                and last.file is self._file
                and last.at + last.count * size == at
            ):
                last.count += len(piece)
            else:
                pieces.append(_Stored(self._file, at, len(piece)))
            at += len(piece) * size
        self._file.flush()
        self._pieces, self._held_count = pieces, 0

    def batches(self, size: int = READ) -> Iterator[np.ndarray]:
        """All rows, in order, a batch at a time."""
        self._flush_pending()
        for piece in self._pieces:
            if isinstance(piece, _Stored):
                for low in range(0, piece.count, size):
                    yield piece.read(self._dtype, low, min(low + size, piece.count))
            else:
                yield piece

    def column(self, name: str) -> np.ndarray:
        """One field of all rows; read once, and kept until there are more rows."""
        import numpy as np

        known = self._columns.get(name)
        if known is not None and len(known) == self.count:
            return known
        names = OFTEN if name in OFTEN else (name,)
        columns = {field: np.empty(self.count, dtype=self._dtype[field]) for field in names}
        base = 0
        for batch in self.batches():
            for field, values in columns.items():
                values[base : base + len(batch)] = batch[field]
            base += len(batch)
        self._columns |= columns
        return columns[name]

    def take(self, indexes: np.ndarray) -> np.ndarray:
        """The rows at ascending indexes."""
        import numpy as np

        self._flush_pending()
        parts, base = [], 0
        for piece in self._pieces:
            low, high = np.searchsorted(indexes, [base, base + len(piece)])
            wanted = indexes[low:high] - base
            base += len(piece)
            if isinstance(piece, _Stored):
                parts += piece.take(self._dtype, wanted)
            elif high > low:
                parts.append(piece[wanted])
        return np.concatenate(parts) if parts else np.zeros(0, dtype=self._dtype)

    def partitions(self, of: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(keys, indexes of their rows), a part of the keys at a time, cut by their highest bits."""
        import numpy as np

        bits = ((of or self.count) // PARTITION).bit_length()
        if not bits:
            yield self.column("key"), np.arange(self.count)
            return
        for part in range(1 << bits):
            keys, indexes, base = [], [], 0
            for batch in self.batches():
                found = batch["key"]
                here = np.flatnonzero(found >> np.uint64(64 - bits) == part)
                keys.append(found[here])
                indexes.append(here + base)
                base += len(batch)
            yield np.concatenate(keys), np.concatenate(indexes)

    def keep(self, files: ExitStack) -> None:
        """Takes over files that hold rows of these, to close them in the end."""
        self._files.push(files)

    def found_in(self, file: BinaryIO) -> None:
        """Says which file holds the rows whose places were pickled; it stays its opener's."""
        self._file = file
        for piece in self._pieces:
            if isinstance(piece, _Stored):
                piece.file = file

    def __getstate__(self) -> list[tuple[int, int]]:
        """Places in the file: how a range's rows travel from one process to another."""
        self.store()
        return [(piece.at, piece.count) for piece in self._pieces if isinstance(piece, _Stored)]

    def __setstate__(self, places: list[tuple[int, int]]) -> None:
        self.__init__()
        self._pieces = [_Stored(None, at, count) for at, count in places]
        self.count = sum(count for _, count in places)

    def close(self) -> None:
        """Gives the temporary files back."""
        self._files.close()
        self._pieces = []
