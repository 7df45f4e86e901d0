"""Preconditions: generation, metageneration and etag, for reads and for writes.

https://cloud.google.com/storage/docs/request-preconditions. A missing object has generation 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuneline.local.storage.errors import NotModified, condition_not_met, invalid
from tuneline.local.storage.exchange import Request


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What must hold of the current object; None where nothing is asked."""

    generation: int | None = None
    not_generation: int | None = None
    metageneration: int | None = None
    not_metageneration: int | None = None
    etag: str = ""
    not_etag: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if value not in (None, "")}

    def check(self, current: Mapping[str, Any] | None, *, reading: bool = False) -> None:
        """Raises 412 where a condition does not hold; for reads, 304 where the caller has the object already."""
        generation = int(current.get("generation", 0)) if current else 0
        metageneration = int(current["metageneration"]) if current else None
        if self.generation is not None and self.generation != generation:
            raise condition_not_met("ifGenerationMatch")
        if self.metageneration is not None and self.metageneration != metageneration:
            raise condition_not_met("ifMetagenerationMatch")
        if self.etag and not (current and _matches(self.etag, current["etag"])):
            raise condition_not_met("If-Match")
        if self.not_generation is not None and self.not_generation == generation:
            raise NotModified if reading else condition_not_met("ifGenerationNotMatch")
        if self.not_metageneration is not None and self.not_metageneration == metageneration:
            raise NotModified if reading else condition_not_met("ifMetagenerationNotMatch")
        if self.not_etag and current and _matches(self.not_etag, current["etag"]):
            raise NotModified if reading else condition_not_met("If-None-Match")


def of_query(request: Request, prefix: str = "if") -> Conditions:
    """The conditions in a JSON request; `prefix` is `ifSource` for the source of a copy."""
    return Conditions(
        generation=request.number(f"{prefix}GenerationMatch"),
        not_generation=request.number(f"{prefix}GenerationNotMatch"),
        metageneration=request.number(f"{prefix}MetagenerationMatch"),
        not_metageneration=request.number(f"{prefix}MetagenerationNotMatch"),
        etag=request.headers.get("if-match", "") if prefix == "if" else "",
        not_etag=request.headers.get("if-none-match", "") if prefix == "if" else "",
    )


def of_headers(request: Request) -> Conditions:
    """The conditions in an XML request, which come as headers (signed URLs may carry them as parameters)."""

    def given(name: str) -> str:
        return request.headers.get(name, "") or request.first(name)

    return Conditions(
        generation=_number(given, "x-goog-if-generation-match"),
        metageneration=_number(given, "x-goog-if-metageneration-match"),
        etag=request.headers.get("if-match", ""),
        not_etag=request.headers.get("if-none-match", ""),
    )


def _number(given: Callable[[str], str], name: str) -> int | None:
    text = given(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise invalid(f"Invalid value for {name}: '{text[:40]}' is not a number.", location=name)
    return int(text)


def _matches(wanted: str, etag: str) -> bool:
    return any(tag.strip() == "*" or tag.strip().removeprefix("W/").strip('"') == etag for tag in wanted.split(","))
