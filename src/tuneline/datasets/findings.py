"""Findings and the collector that keeps a few of each kind and counts them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tuneline.datasets.catalogue import CHECKS, ERROR, SEVERITIES

KEPT = 100
"""Findings kept of each code by default; the rest are counted."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing found, at its place; `line` 0 means the whole file."""

    code: str
    severity: str
    line: int
    column: int
    """1-based character of the line; 0 where the whole line is meant."""
    path: str
    """Where in the example, e.g. `$.contents[0].role`."""
    message: str
    hint: str

    def to_dict(self) -> dict[str, object]:
        return {
            "code": self.code,
            "severity": self.severity,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
        }


def finding(
    code: str,
    message: str,
    *,
    line: int = 0,
    column: int = 0,
    path: str = "",
    hint: str = "",
    severity: str = "",
) -> Finding:
    """A finding with its check's own severity and hint, unless others are given."""
    check = CHECKS[code]
    return Finding(
        code=code,
        severity=severity or check.severity,
        line=line,
        column=column,
        path=path,
        message=message,
        hint=hint or check.hint,
    )


class Findings:
    """Keeps the first `kept` findings of each code and the true number of all."""

    def __init__(self, kept: int = KEPT) -> None:
        self.kept = kept
        self.counts: Counter[str] = Counter()
        self.errors = 0
        self._list: dict[str, list[Finding]] = {}

    def add(self, item: Finding) -> None:
        self.counts[item.code] += 1
        self.errors += item.severity == ERROR
        kept = self._list.setdefault(item.code, [])
        if len(kept) < self.kept:
            kept.append(item)

    def count(self, code: str, number: int, *, errors: int = 0) -> None:
        """Counts findings that are not kept."""
        if number:
            self.counts[code] += number
            self.errors += errors

    def wants(self, code: str) -> bool:
        """Whether another finding of this code would be kept: finding its column is not free."""
        return len(self._list.get(code, ())) < self.kept

    def merge(self, items: Iterable[Finding], counts: dict[str, int], errors: int, *, line_offset: int = 0) -> None:
        """Takes over what was found in a later range of the file, whose lines begin after `line_offset`."""
        for item in items:
            kept = self._list.setdefault(item.code, [])
            if len(kept) < self.kept:
                kept.append(replace(item, line=item.line + line_offset) if item.line else item)
        self.counts.update(counts)
        self.errors += errors

    def all(self) -> list[Finding]:
        """Worst first, then by place."""
        items = [item for kept in self._list.values() for item in kept]
        return sorted(items, key=lambda f: (SEVERITIES.index(f.severity), f.line, f.column, f.code, f.path))
