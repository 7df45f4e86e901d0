"""All default checks over a range of JSON lines, at close to the parser's speed.

A block of whole lines is decoded in one call into the typed structures of `shapes`. Only what these do not take is
looked at line by line (`Survey.add`): a block with one bad line is halved until the line stands alone. That no key is
named twice is told by counting: the structures say how many quotation marks a line has outside of its texts.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import xxhash

from tuneline.datasets.lines import Lines, LongLine, blocks
from tuneline.datasets.quotes import NEWLINE, Quotes, newlines
from tuneline.datasets.record import Record
from tuneline.datasets.rows import EXAMPLE, Rows, dtype
from tuneline.datasets.shapes import Batch, NotPlain, Shape, shapes
from tuneline.datasets.survey import SHORT, Survey, key_bytes

if TYPE_CHECKING:
    import numpy as np

BLOCK = 3 << 17
"""Bytes of lines decoded at once: they, their structures and their arrays stay in the processor's cache."""
ALONE = 4
"""Lines of a block that failed which are not worth halving further."""
SELDOM = 100_000
"""New objects after which garbage is collected: more than a block makes."""
RETURN, OPENING, CLOSING = 0x0D, 0x7B, 0x7D

Observe = Callable[[int, memoryview], None]
"""Is given each block's offset and bytes: the checksums of the same pass."""


class Scan:
    """Reads lines in order. What becomes of them is for the subclass to say: the survey here, a copy elsewhere."""

    def __init__(self, fd: int, form: str, quotes: Quotes | None = None) -> None:
        self.fd = fd
        self.shapes: list[Shape] = list(shapes(form))
        self.quotes = quotes or Quotes()
        self.lines = self.crlf = self.blank = self.first_blank = self.walked = 0
        self.walks = 0
        """Blocks to come that are walked at once, since the last ones had to be."""

    def plain(self, batch: Batch, offsets: np.ndarray, lengths: np.ndarray, line: int) -> None:
        """Takes plain lines, the first of which has the number `line`."""
        raise NotImplementedError

    def single(self, record: Record) -> None:
        """Takes a line that may be anything."""
        raise NotImplementedError

    def run(self, start: int, end: int, observe: Observe | None = None) -> None:
        """Reads the lines that begin in [start, end)."""
        with _collected_seldom():
            self._run(start, end, observe)

    def _run(self, start: int, end: int, observe: Observe | None) -> None:
        for block in blocks(self.fd, start, end, block=BLOCK):
            if isinstance(block, LongLine):
                self.lines += 1
                self.single(Record(data=b"", offset=block.offset, line=self.lines, too_long=block.length))
                continue
            if observe is not None:
                observe(block.offset, memoryview(block.data)[: block.length])
            self._block(block)

    def _block(self, block: Lines) -> None:
        import numpy as np

        array = np.frombuffer(block.data, dtype=np.uint8, count=block.length)
        ends = newlines(block.data, array)
        if array[-1] != NEWLINE:
            ends = np.append(ends, block.length)
        starts = np.empty_like(ends)
        starts[0], starts[1:] = 0, ends[:-1] + 1
        if not self.shapes or self.walks:
            self.walks = max(0, self.walks - 1)
            self._walk(block, starts, ends, 0, len(ends))
        else:
            before = self.walked
            self._some(block, array, starts, ends, 0, len(ends))
            if (self.walked - before) * 2 > len(ends):
                self.walks = 8
        self.lines += len(ends)

    def _some(self, block: Lines, array: np.ndarray, starts: np.ndarray, ends: np.ndarray, low: int, high: int) -> None:
        """Lines low to high of the block: at once if they are plain, else in halves, else one by one."""
        if self._at_once(block, array, starts, ends, low, high):
            return
        if high - low <= ALONE:
            self._walk(block, starts, ends, low, high)
            return
        middle = (low + high) // 2
        self._some(block, array, starts, ends, low, middle)
        self._some(block, array, starts, ends, middle, high)

    def _walk(self, block: Lines, starts: np.ndarray, ends: np.ndarray, low: int, high: int) -> None:
        for line in range(low, high):
            at = int(starts[line])
            data = block.data[at : int(ends[line])]
            number = self.lines + line + 1
            if data.endswith(b"\r"):
                self.crlf += 1
            if not data or data.isspace():
                self.first_blank = self.first_blank or number
                self.blank += 1
                continue
            self.walked += 1
            self.single(Record(data=data, offset=block.offset + at, line=number))

    def _at_once(
        self, block: Lines, array: np.ndarray, starts: np.ndarray, ends: np.ndarray, low: int, high: int
    ) -> bool:
        import numpy as np

        starts, ends = starts[low:high], ends[low:high]
        # Two values on one line and one value on two would cancel out in the count below, if a newline could stand
        # within a value. Between a closing and an opening brace it cannot: JSON needs a comma there.
        if not np.all(array[starts] == OPENING):
            return False
        last = array[ends - 1]
        crlf = int(np.count_nonzero(last == RETURN))
        if crlf:
            last = array[ends - 1 - (last == RETURN)]
        if not np.all(last == CLOSING):
            return False
        first, after = int(starts[0]), int(ends[-1])
        data = memoryview(block.data)[first:after]
        for position, shape in enumerate(self.shapes):
            try:
                examples = shape.decoder.decode_lines(data)
                if len(examples) != len(ends):
                    return False
                batch = shape.take(examples)
            except (msgspec.DecodeError, NotPlain, UnicodeDecodeError, RecursionError):
                continue
            if batch.quotes != self.quotes.count(array[first:after]):
                return False
            if position:
                self.shapes.insert(0, self.shapes.pop(position))
            self.plain(batch, starts + block.offset, ends - starts, self.lines + low + 1)
            self.crlf += crlf
            return True
        return False


class Surveying(Scan):
    """Gathers a survey."""

    def __init__(self, fd: int, form: str, kept: int, rows: Rows | None = None, quotes: Quotes | None = None) -> None:
        super().__init__(fd, form, quotes)
        self.survey = Survey(form, kept=kept, rows=rows)
        self._row = dtype()

    def single(self, record: Record) -> None:
        self.survey.add(record)

    def plain(self, batch: Batch, offsets: np.ndarray, lengths: np.ndarray, line: int) -> None:
        import numpy as np

        n = len(offsets)
        self._take(batch, offsets, lengths, np.arange(line, line + n), np.ones(n, dtype=np.uint32))

    def values(self, records: list[Record]) -> None:
        """Takes values that stand anywhere: at once if they are plain, else in halves, else one by one."""
        import numpy as np

        data = b"\n".join([record.data for record in records])
        for shape in self.shapes:
            try:
                batch = shape.take(shape.decoder.decode_lines(data))
            except (msgspec.DecodeError, NotPlain, UnicodeDecodeError, RecursionError):
                continue
            if len(batch.keys) != len(records):
                break
            if batch.quotes == self.quotes.count(np.frombuffer(data, dtype=np.uint8)):
                places = np.array([(r.offset, len(r.data), r.line, r.column) for r in records], dtype=np.int64)
                self._take(batch, *places.T)
                return
            break
        if len(records) <= ALONE or not self.shapes:
            for record in records:
                self.single(record)
            return
        self.values(records[: len(records) // 2])
        self.values(records[len(records) // 2 :])

    def _take(
        self, batch: Batch, offsets: np.ndarray, lengths: np.ndarray, lines: np.ndarray, columns: np.ndarray
    ) -> None:
        import numpy as np

        survey, n = self.survey, len(offsets)
        rows = np.empty(n, dtype=self._row)
        sizes = np.fromiter(map(len, batch.keys), np.uint32, n)
        # The same as key_hash, with as few calls of our own as can be.
        encoded = map(str.encode, batch.keys) if int(sizes.max()) <= SHORT else map(key_bytes, batch.keys)
        keys = np.frombuffer(b"".join(map(xxhash.xxh3_64_digest, encoded)), dtype=">u8").astype("<u8")
        rows["offset"], rows["length"] = offsets, lengths
        rows["line"] = lines
        rows["inputs"] = sizes if batch.input_characters is None else batch.input_characters
        rows["outputs"] = np.fromiter(map(len, batch.outputs), np.uint32, n)
        rows["column"], rows["kind"] = columns, EXAMPLE
        survey.rows.extend(keys, rows)
        survey.records += n
        survey.turns += batch.turns
        survey.with_system += batch.with_system
        survey.authors += batch.authors
        survey.count_classes(batch.outputs)


def scan(
    fd: int,
    start: int,
    end: int,
    *,
    form: str,
    kept: int,
    observe: Observe | None = None,
    rows: Rows | None = None,
    quotes: Quotes | None = None,
) -> Survey:
    """Surveys the lines that begin in [start, end); they are numbered from 1 at `start`."""
    reading = Surveying(fd, form, kept, rows, quotes)
    reading.run(start, end, observe)
    survey = reading.survey
    survey.lines, survey.crlf, survey.walked = reading.lines, reading.crlf, reading.walked
    survey.blank, survey.first_blank = reading.blank, reading.first_blank
    return survey


def scan_values(fd: int, found: Iterable[Record], *, form: str, kept: int) -> Survey:
    """Surveys values that are not one a line, as `containers.records` finds them."""
    reading = Surveying(fd, form, kept)
    held: list[Record] = []
    size = 0
    for record in found:
        odd = record.stray or record.too_long
        if held and (odd or size + len(record.data) > BLOCK):
            reading.values(held)
            held, size = [], 0
        if odd:
            reading.single(record)
        else:
            held.append(record)
            size += len(record.data)
    if held:
        reading.values(held)
    return reading.survey


@contextmanager
def _collected_seldom() -> Iterator[None]:
    """A block's structures go with it: the garbage collector, woken by their number, would look at each in vain."""
    usual = gc.get_threshold()
    gc.set_threshold(max(usual[0], SELDOM) if usual[0] else 0, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
