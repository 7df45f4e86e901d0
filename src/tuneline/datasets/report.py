"""The result of a check, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuneline.datasets.findings import Finding


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that was found about a dataset. `to_dict()` is what `tuneline validate --report json` prints."""

    uri: str
    valid: bool
    """No finding is an error."""
    format: str
    container: str
    examples: int
    counts: dict[str, int]
    """Finding code → how many there are, kept or not."""
    errors: int
    """Findings that are errors, kept or not."""
    findings: tuple[Finding, ...]
    """Worst first; of each code the first few."""
    duplicates: dict[str, int]
    contradictions: int
    leakage: dict[str, int]
    statistics: dict[str, Any]
    tokens: dict[str, Any]
    cost: dict[str, Any]
    digest: str
    """sha256 of the bytes as stored; '' where it was not asked for, nor known already."""
    crc32c: str
    """As Cloud Storage gives it."""
    bytes: int
    """Size as stored."""
    author_fields: int
    """`author` fields over all messages of all examples, for chat."""

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values, with the documented keys."""
        return {
            "valid": self.valid,
            "format": self.format,
            "container": self.container,
            "examples": self.examples,
            "counts": self.counts,
            "findings": [item.to_dict() for item in self.findings],
            "duplicates": self.duplicates,
            "contradictions": self.contradictions,
            "leakage": self.leakage,
            "statistics": self.statistics,
            "tokens": self.tokens,
            "cost": self.cost,
            "digest": self.digest,
            "crc32c": self.crc32c,
            "bytes": self.bytes,
            "author_fields": self.author_fields,
        }
