"""Duplicates, contradictions and leakage: equal 64-bit keys propose, the bytes themselves decide."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneline.datasets.findings import Findings, finding
from tuneline.datasets.model import Turn
from tuneline.datasets.rows import EXAMPLE, Rows, dtype
from tuneline.datasets.shapes import plain_turns
from tuneline.datasets.survey import input_key
from tuneline.datasets.syntax import decode, parse
from tuneline.datasets.walk import walk

if TYPE_CHECKING:
    import numpy as np


WINDOW = 1 << 18
"""Bytes read at once where records are near each other."""
TOGETHER = 1 << 14
"""Rows that are read back at once."""


@dataclass(kw_only=True)
class Repeats:
    """How often lines and inputs come again."""

    exact: int = 0
    """Lines beyond the first of each."""
    input: int = 0
    """Examples beyond the first of each input."""
    contradictions: int = 0
    """Inputs with differing outputs."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads records again by their rows."""

    fd: int
    form: str

    def data(self, row: Any) -> bytes:
        """The record's bytes."""
        return os.pread(self.fd, int(row["length"]), int(row["offset"])).rstrip(b"\r\n \t")

    def in_order(self, rows: np.ndarray) -> Iterator[bytes]:
        """The bytes of records that are in the order of the file: those of neighbours are read at once."""
        offsets, lengths = rows["offset"].tolist(), rows["length"].tolist()
        near = offsets[-1] + lengths[-1] - offsets[0] <= 4 * sum(lengths)
        start, window = 0, b""
        for offset, length in zip(offsets, lengths, strict=True):
            if not start <= offset <= offset + length <= start + len(window):
                start, window = offset, os.pread(self.fd, max(length, WINDOW if near else 0), offset)
            yield window[offset - start : offset - start + length].rstrip(b"\r\n \t")

    def example(self, row: Any) -> tuple[bytes, str, str]:
        """The record's bytes, the key of its input, and its output."""
        data = self.data(row)
        turns = self.turns(data)
        return data, input_key(turns), turns[-1].text

    def text(self, row: Any) -> str:
        """All texts of the record, a line each."""
        return "\n".join(turn.text for turn in self.turns(self.data(row)))

    def turns(self, data: bytes) -> list[Turn]:
        """The turns of a sound record."""
        plain = plain_turns(self.form, [data])
        if plain is not None:
            return plain[0]
        value, fault = parse(decode(data)[0])
        if fault is not None:
            raise ValueError(f"a record that was sound no longer is: {fault.message}")
        return walk(value, self.form).turns


def groups(rows: Rows) -> Iterator[Iterator[np.ndarray]]:
    """Rows of equal key, at least two, in the order of the file, some at a time; the groups ordered by their first."""
    import numpy as np

    for keys, indexes in rows.partitions():
        # Sorting alone is a tenth of sorting with places, and in most sets no key comes twice.
        ordered = np.sort(keys)
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        del ordered
        if not len(twice):
            continue
        at = np.searchsorted(twice, keys)
        at[at == len(twice)] = 0
        here = np.flatnonzero(twice[at] == keys)
        # By key, and those of one key as they were: in the order of the file.
        order = np.argsort(at[here], kind="stable")
        firsts = np.append(np.searchsorted(at[here], np.arange(len(twice)), sorter=order), len(here))
        places = indexes[here[order]]
        del keys, indexes, at, here, order
        yield from _taken(rows, places, firsts)


def _taken(rows: Rows, places: np.ndarray, firsts: np.ndarray) -> Iterator[Iterator[np.ndarray]]:
    """Takes the rows of small groups together, those of a large one in parts."""
    import numpy as np

    def together(held: list[np.ndarray]) -> Iterator[Iterator[np.ndarray]]:
        wanted = np.concatenate(held)
        ascending = np.argsort(wanted)
        found = np.empty(len(wanted), dtype=dtype())
        found[ascending] = rows.take(wanted[ascending])
        ends = np.cumsum([len(group) for group in held])
        for group in np.split(found, ends[:-1]):
            yield iter([group])

    held: list[np.ndarray] = []
    size = 0
    for group in np.argsort(places[firsts[:-1]], kind="stable").tolist():
        members = places[firsts[group] : firsts[group + 1]]
        if size + len(members) > TOGETHER and held:
            yield from together(held)
            held, size = [], 0
        if len(members) > TOGETHER:
            yield (rows.take(members[low : low + TOGETHER]) for low in range(0, len(members), TOGETHER))
            continue
        held.append(members)
        size += len(members)
    if held:
        yield from together(held)


@dataclass
class _Input:
    """One input seen: where first, with which output, and whether with others too."""

    place: str
    output: int
    contradicted: bool = False


def find_repeats(rows: Rows, read: Reader, findings: Findings) -> Repeats:
    """Counts and names every line and input that comes again."""
    repeats = Repeats()
    for group in groups(rows):
        seen = _Seen(read=read, repeats=repeats, findings=findings)
        for part in group:
            for row, data in zip(part, read.in_order(part), strict=True):
                seen.add(row, data)
    return repeats


@dataclass(kw_only=True)
class _Seen:
    """Records of one key, seen one after the other."""

    read: Reader
    repeats: Repeats
    findings: Findings
    inputs: dict[str, _Input] = field(default_factory=dict)
    firsts: dict[int, Any] = field(default_factory=dict)
    """Digest of a record → the row of the first."""
    last: tuple[int, bytes] = (-1, b"")
    """Digest and bytes of the first record that was compared last."""

    def add(self, row: Any, data: bytes) -> None:
        """Takes one more record in."""
        import xxhash

        is_example = int(row["kind"]) == EXAMPLE
        digest = xxhash.xxh3_128_intdigest(data)
        first = self.firsts.setdefault(digest, row)
        # Most repetitions are of the whole line, which need not be parsed to be known for one.
        if first is not row and self._bytes(digest, first) == data:
            self.repeats.exact += 1
            self.repeats.input += is_example
            self._tell("D601", "the same as {}", _place(first), row)
        elif is_example:
            self._compare(row, data)

    def _bytes(self, digest: int, row: Any) -> bytes:
        if self.last[0] != digest:
            self.last = digest, self.read.data(row)
        return self.last[1]

    def _compare(self, row: Any, data: bytes) -> None:
        import xxhash

        turns = self.read.turns(data)
        key, output = input_key(turns), xxhash.xxh3_64_intdigest(turns[-1].text.encode("utf-8", "surrogatepass"))
        seen = self.inputs.get(key)
        if seen is None:
            self.inputs[key] = _Input(place=_place(row), output=output)
            return
        self.repeats.input += 1
        if output != seen.output:
            self.repeats.contradictions += not seen.contradicted
            seen.contradicted = True
            self._tell("D603", "the same input as {}, with another output", seen.place, row)
        else:
            self._tell("D602", "the same input and output as {}", seen.place, row)

    def _tell(self, code: str, what: str, place: str, row: Any) -> None:
        if self.findings.wants(code):
            self.findings.add(finding(code, what.format(place), line=int(row["line"]), column=int(row["column"])))
        else:
            self.findings.count(code, 1)


def _place(row: Any) -> str:
    """Where a record stands: its line, and within an array its column."""
    column = f", column {int(row['column'])}" if int(row["column"]) > 1 else ""
    return f"line {int(row['line'])}{column}"


def find_leakage(rows: Rows, read: Reader, against: Rows, read_against: Reader, findings: Findings) -> int:
    """Examples of `rows` whose input is in `against` too; each is named with the line there."""
    import numpy as np

    leaked, most = 0, max(rows.count, against.count)
    for (keys, indexes), (others, places) in zip(rows.partitions(most), against.partitions(most), strict=False):
        unique, where = np.unique(others, return_index=True)
        at = np.searchsorted(unique, keys)
        at[at == len(unique)] = 0
        hits = np.flatnonzero(unique[at] == keys) if len(unique) else np.zeros(0, dtype=int)
        if not len(hits):
            continue
        mine = rows.take(indexes[hits])
        wanted = places[where[at[hits]]]
        distinct, back = np.unique(wanted, return_inverse=True)
        theirs = against.take(distinct)
        known: dict[int, str] = {}
        for row, which in zip(mine, back.tolist(), strict=True):
            other = theirs[which]
            if int(row["kind"]) != EXAMPLE or int(other["kind"]) != EXAMPLE:
                continue
            if which not in known:
                if len(known) > 1000:
                    known.clear()
                known[which] = read_against.example(other)[1]
            if read.example(row)[1] == known[which]:
                leaked += 1
                findings.add(
                    finding(
                        "D604",
                        f"the input is in the other set too, at its {_place(other)}",
                        line=int(row["line"]),
                        column=int(row["column"]),
                    )
                )
    return leaked
