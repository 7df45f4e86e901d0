"""What is remembered of every example: 40 bytes in a temporary file, so that memory is flat in the size of the set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO

from tuneline.datasets.pieces import Held, Stored
from tuneline.datasets.tally import Lengths

if TYPE_CHECKING:
    import numpy as np

FIELDS = [
    ("offset", "<u8"),
    ("length", "<u4"),
    ("line", "<u4"),
    ("inputs", "<u4"),  # characters
    ("outputs", "<u4"),  # characters
    ("column", "<u4"),
    ("kind", "<u4"),
]
"""Of a row. Its key, a hash of the input (of the whole record, where it could not be read as an example), stands apart
with those of its neighbours."""
EXAMPLE, RAW = 0, 1
"""An example that was read; a record that only its bytes stand for."""
HELD = 1 << 15
"""Rows kept in memory before they are written out."""
PARTITION = 1 << 21
"""Keys that are sorted at once."""


def dtype() -> Any:
    """The numpy type of a row."""
    import numpy as np

    return np.dtype(FIELDS)


class Rows:
    """Rows in the order of the file, appended in batches.

    Those that memory does not hold are in `file`, or in a temporary one. Several may write to one file, one after the
    other. Pickled, they stand for their places in the file: `found_in` says which file that was.
    """

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._dtype = dtype()
        self._file = file
        self._files = ExitStack()
        self._pieces: list[Held | Stored] = []
        self._pending: list[tuple[int, ...]] = []
        self._held_count = 0
        self._lengths = Lengths()
        self.count = 0

    def append(self, key: int, *values: int) -> None:
        """One row: its key, and its fields in the order of `FIELDS`."""
        self._pending.append((key, *values))
        self.count += 1
        if len(self._pending) >= HELD:
            self._flush_pending()

    def extend(self, keys: np.ndarray, rows: np.ndarray) -> None:
        """Keys and a structured array of rows, which belong to these from now on."""
        self._flush_pending()
        self.count += len(rows)
        self._hold(Held(keys, rows))

    def adopt(self, later: Rows, shift: int) -> None:
        """Takes over the rows of a later range, whose lines are counted from their own beginning, and its files."""
        self._flush_pending()
        later._flush_pending()
        self._lengths.merge(later._lengths)
        for piece in later._pieces:
            if isinstance(piece, Stored):
                piece.shift += shift
                self._pieces.append(piece)
            else:
                piece.rows["line"] += shift
                self._hold(piece)
        self.count += later.count
        self._files.push(later._files.pop_all())
        later._pieces, later.count = [], 0

    def _flush_pending(self) -> None:
        if self._pending:
            import numpy as np

            keys = np.array([row[0] for row in self._pending], dtype="<u8")
            rows = np.array([row[1:] for row in self._pending], dtype=self._dtype)
            self._pending = []
            self._hold(Held(keys, rows))

    def _hold(self, piece: Held) -> None:
        self._pieces.append(piece)
        self._held_count += len(piece)
        if self._held_count >= HELD:
            self.store()

    def store(self) -> None:
        """Moves what memory holds to the file."""
        self._flush_pending()
        if not self._held_count:
            return
        self._count_lengths()
        if self._file is None:
            import tempfile

            file = tempfile.TemporaryFile(prefix="tuneline-rows-")  # noqa: SIM115 (closed by `close`)
            self._file = self._files.enter_context(file)
        pieces: list[Held | Stored] = []
        run: list[Held] = []
        for piece in self._pieces:
            if isinstance(piece, Held):
                run.append(piece)
                continue
            pieces += self._written(run)
            pieces.append(piece)
            run = []
        self._pieces = pieces + self._written(run)
        self._file.flush()
        self._held_count = 0

    def _written(self, run: list[Held]) -> list[Stored]:
        """Neighbours as one piece in the file."""
        if not run:
            return []
        at = self._file.seek(0, os.SEEK_END)
        self._file.writelines([piece.keys.tobytes() for piece in run])
        self._file.writelines([piece.rows.tobytes() for piece in run])
        return [Stored(self._file, at, sum(map(len, run)), self._dtype)]

    def _count_lengths(self) -> None:
        import numpy as np

        fresh = [piece for piece in self._pieces if isinstance(piece, Held) and not piece.counted]
        if not fresh:
            return
        kinds, inputs, outputs = (
            np.concatenate([piece.rows[name] for piece in fresh]) for name in ("kind", "inputs", "outputs")
        )
        if kinds.any():
            inputs, outputs = inputs[kinds == EXAMPLE], outputs[kinds == EXAMPLE]
        self._lengths.add(inputs, outputs)
        for piece in fresh:
            piece.counted = True

    @property
    def lengths(self) -> Lengths:
        """How long the examples are."""
        self._flush_pending()
        self._count_lengths()
        return self._lengths

    def batches(self) -> Iterator[np.ndarray]:
        """All rows, in order, some at a time."""
        self._flush_pending()
        for piece in self._pieces:
            yield from piece.batches()

    def key_batches(self) -> Iterator[np.ndarray]:
        """All keys, in order, some at a time."""
        self._flush_pending()
        for piece in self._pieces:
            yield piece.keys

    def take(self, indexes: np.ndarray) -> np.ndarray:
        """The rows at ascending indexes."""
        import numpy as np

        self._flush_pending()
        parts, base = [], 0
        for piece in self._pieces:
            low, high = np.searchsorted(indexes, [base, base + len(piece)])
            if high > low:
                parts += piece.take(indexes[low:high] - base)
            base += len(piece)
        return np.concatenate(parts) if parts else np.zeros(0, dtype=self._dtype)

    def examples(self, places: np.ndarray) -> np.ndarray:
        """The rows of examples at ascending places among the examples."""
        import numpy as np

        if len(self.lengths) == self.count:
            return self.take(places)
        parts, base = [], 0
        for batch in self.batches():
            here = batch[batch["kind"] == EXAMPLE]
            low, high = np.searchsorted(places, [base, base + len(here)])
            parts.append(here[places[low:high] - base])
            base += len(here)
        return np.concatenate(parts) if parts else np.zeros(0, dtype=self._dtype)

    def partitions(self, of: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(keys, indexes of their rows), a part of the keys at a time, cut by their highest bits."""
        import numpy as np

        bits = ((of or self.count) // PARTITION).bit_length()
        for part in range(1 << bits):
            found, indexes, base = [], [], 0
            for keys in self.key_batches():
                here = np.flatnonzero(keys >> np.uint64(64 - bits) == part) if bits else np.arange(len(keys))
                found.append(keys[here] if bits else keys)
                indexes.append(here + base)
                base += len(keys)
            yield np.concatenate(found or [np.zeros(0, dtype="<u8")]), np.concatenate(indexes or [np.arange(0)])

    def keep(self, files: ExitStack) -> None:
        """Takes over files that hold rows of these, to close them in the end."""
        self._files.push(files)

    def found_in(self, file: BinaryIO) -> None:
        """Says which file holds the rows whose places were pickled; it stays its opener's."""
        self._file = file
        for piece in self._pieces:
            if isinstance(piece, Stored):
                piece.file = file

    def __getstate__(self) -> tuple[list[tuple[int, int]], Lengths]:
        """Places in the file: how a range's rows travel from one process to another."""
        self.store()
        return [(piece.at, piece.count) for piece in self._pieces if isinstance(piece, Stored)], self._lengths

    def __setstate__(self, state: tuple[list[tuple[int, int]], Lengths]) -> None:
        self.__init__()
        places, self._lengths = state
        self._pieces = [Stored(None, at, count, self._dtype) for at, count in places]
        self.count = sum(count for _, count in places)

    def close(self) -> None:
        """Gives the temporary files back."""
        self._files.close()
        self._pieces = []
