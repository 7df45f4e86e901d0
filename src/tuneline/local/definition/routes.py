"""From a google.api.http path template to the method that answers it.

All templates live in one tree of path segments, so a request walks its own length whatever the number of routes (about
a thousand). Literal segments win over `*`, `*` over `**`. The grammar is in google/api/http.proto.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_PARTS = re.compile(r"\{([^=}]+)(?:=([^}]*))?\}|([^{}/]+)")


@dataclass(frozen=True, kw_only=True)
class Binding:
    """One way to reach a method over REST."""

    method: Any
    verb: str
    template: str
    body: str
    """`*`, a field of the request, or nothing."""
    variables: tuple[tuple[str, int, int], ...]
    """(field path, first segment, number of segments; -1 = all that is left but what follows)."""
    custom: str
    """The custom verb after the last colon, e.g. `cancel`."""


@dataclass(frozen=True, kw_only=True)
class Match:
    binding: Binding
    values: dict[str, str]
    """Field path → what stood in the path."""


@dataclass
class _Node:
    literal: dict[str, _Node] = field(default_factory=dict)
    one: _Node | None = None
    rest: _Node | None = None
    ends: dict[tuple[str, str], Binding] = field(default_factory=dict)
    """(HTTP verb, custom verb) → binding."""


class Routes:
    """The tree of all routes."""

    def __init__(self) -> None:
        self._root = _Node()
        self.count = 0

    def add(self, method: Any, verb: str, template: str, body: str) -> None:
        """Register one google.api.http binding."""
        path, _, custom = template.rpartition(":") if re.search(r":[A-Za-z]+$", template) else (template, "", "")
        segments: list[str] = []
        variables: list[tuple[str, int, int]] = []
        for found in _PARTS.finditer(path.lstrip("/")):
            name, pattern, plain = found.groups()
            if plain is not None:
                segments.append(plain)
                continue
            inner = (pattern or "*").split("/")
            variables.append((name, len(segments), -1 if "**" in inner else len(inner)))
            segments.extend(inner)
        binding = Binding(
            method=method, verb=verb, template=template, body=body, variables=tuple(variables), custom=custom
        )
        node = self._root
        for segment in segments:
            if segment == "**":
                node.rest = node = node.rest or _Node()
            elif segment == "*":
                node.one = node = node.one or _Node()
            else:
                node = node.literal.setdefault(segment, _Node())
        node.ends.setdefault((verb, custom), binding)
        self.count += 1

    def match(self, verb: str, path: str) -> Match | None:
        """The method for an HTTP verb and an unquoted path, or None."""
        segments = path.lstrip("/").split("/")
        if not all(segments):
            return None
        # A custom verb follows the last colon of the last segment; a resource id may hold a colon too (an API's own
        # ids do not, but publishers' model versions may), so the whole segment is tried second.
        last, colon, custom = segments[-1].rpartition(":")
        if colon and last:
            found = self._walk(self._root, [*segments[:-1], last], 0, verb, custom)
            if found:
                return self._bind(found, [*segments[:-1], last])
        found = self._walk(self._root, segments, 0, verb, "")
        return self._bind(found, segments) if found else None

    def verbs(self, path: str) -> list[str]:
        """The HTTP verbs this path answers to: what a 404 can suggest."""
        return [verb for verb in ("GET", "POST", "PATCH", "PUT", "DELETE") if self.match(verb, path)]

    def _walk(self, node: _Node, segments: list[str], at: int, verb: str, custom: str) -> Binding | None:
        if at == len(segments):
            return node.ends.get((verb, custom))
        follow = node.literal.get(segments[at])
        found = self._walk(follow, segments, at + 1, verb, custom) if follow else None
        if not found and node.one:
            found = self._walk(node.one, segments, at + 1, verb, custom)
        if not found and node.rest:
            for end in range(len(segments), at, -1):
                found = self._walk(node.rest, segments, end, verb, custom)
                if found:
                    break
        return found

    @staticmethod
    def _bind(binding: Binding, segments: list[str]) -> Match:
        values = {}
        shape_end = len(segments)
        for name, first, length in binding.variables:
            end = first + length if length > 0 else shape_end
            values[name] = "/".join(segments[first:end])
        return Match(binding=binding, values=values)
