"""Duplicates, contradictions and leakage: equal 64-bit keys propose, the bytes themselves decide."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneline.datasets.findings import Findings, finding
from tuneline.datasets.rows import EXAMPLE, Rows, dtype
from tuneline.datasets.survey import input_key
from tuneline.datasets.syntax import decode, parse
from tuneline.datasets.walk import walk

if TYPE_CHECKING:
    import numpy as np


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

    def example(self, row: Any) -> tuple[bytes, str, str]:
        """The record's bytes, the key of its input, and its output."""
        data = self.data(row)
        turns = self.turns(data)
        return data, input_key(turns), turns[-1].text

    def text(self, row: Any) -> str:
        """All texts of the record, a line each."""
        return "\n".join(turn.text for turn in self.turns(self.data(row)))

    def turns(self, data: bytes) -> list:
        """The turns of a sound record."""
        value, fault = parse(decode(data)[0])
        if fault is not None:
            raise ValueError(f"a record that was sound no longer is: {fault.message}")
        return walk(value, self.form).turns


def groups(rows: Rows) -> Iterator[np.ndarray]:
    """Rows of equal key, at least two, ordered by their place; the groups ordered by their first."""
    import numpy as np

    for keys, indexes in rows.partitions():
        # Sorting alone is a tenth of sorting with places, and in most sets no key comes twice.
        ordered = np.sort(keys)
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if not len(twice):
            continue
        at = np.searchsorted(twice, keys)
        at[at == len(twice)] = 0
        here = np.flatnonzero(twice[at] == keys)
        keys, indexes = keys[here], indexes[here]
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        sizes = np.diff(np.concatenate((first, [len(ordered)])))
        place = indexes[order]
        ascending = np.argsort(place, kind="stable")
        taken = np.empty(len(place), dtype=dtype())
        taken[ascending] = rows.take(place[ascending])
        for g in np.argsort(place[first], kind="stable"):
            yield taken[first[g] : first[g] + sizes[g]]


@dataclass
class _Input:
    """One input seen: where first, with which output, and whether with others too."""

    line: int
    output: int
    contradicted: bool = False


def find_repeats(rows: Rows, read: Reader, findings: Findings) -> Repeats:
    """Counts and names every line and input that comes again."""
    import xxhash

    repeats = Repeats()
    for group in groups(rows):
        inputs: dict[str, _Input] = {}
        lines: dict[int, Any] = {}
        for row in group:
            is_example, line = int(row["kind"]) == EXAMPLE, int(row["line"])
            data = read.data(row)
            digest = xxhash.xxh3_128_intdigest(data)
            same = lines.setdefault(digest, row)
            # Most repetitions are of the whole line, which need not be parsed to be known for one.
            if same is not row and read.data(same) == data:
                repeats.exact += 1
                repeats.input += is_example
                if findings.wants("D601"):
                    findings.add(finding("D601", f"the same as line {int(same['line'])}", line=line, column=1))
                else:
                    findings.count("D601", 1)
                continue
            if not is_example:
                continue
            turns = read.turns(data)
            key, output = input_key(turns), turns[-1].text
            answered = xxhash.xxh3_64_intdigest(output.encode("utf-8", "surrogatepass"))
            seen = inputs.get(key)
            if seen is None:
                inputs[key] = _Input(line=line, output=answered)
                continue
            repeats.input += 1
            if answered != seen.output:
                repeats.contradictions += not seen.contradicted
                seen.contradicted = True
                findings.add(
                    finding("D603", f"the same input as line {seen.line}, with another output", line=line, column=1)
                )
            else:
                findings.add(finding("D602", f"the same input and output as line {seen.line}", line=line, column=1))
    return repeats


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
                        f"the input is in the other set too, at its line {int(other['line'])}",
                        line=int(row["line"]),
                        column=1,
                    )
                )
    return leaked
