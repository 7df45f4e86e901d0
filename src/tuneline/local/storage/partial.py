"""Partial responses: the `fields` parameter of the JSON API.

https://cloud.google.com/storage/docs/json_api#partial-response: `items(name,size),nextPageToken`, `owner/entity`, `*`.
"""

from __future__ import annotations

import re
from typing import Any

from tuneline.local.storage.errors import invalid

Mask = dict[str, "Mask"]
"""Field → what is wanted of it; an empty mask means all of it."""

_TOKEN = re.compile(r"[A-Za-z0-9_.*$-]+|[(),/]")
_DEEPEST = 20


def parse(text: str) -> Mask:
    """The mask that a `fields` parameter describes; refuses one that is not well formed."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        raise _bad(text)
    mask, at = _list(tokens, 0, text, 0)
    if at != len(tokens):
        raise _bad(text)
    return mask


def select(value: Any, mask: Mask) -> Any:
    """The part of a value that a mask wants; lists are taken entry by entry."""
    if not mask:
        return value
    if isinstance(value, list):
        return [select(entry, mask) for entry in value]
    if not isinstance(value, dict):
        return value
    every = mask.get("*")
    chosen: dict[str, Any] = {}
    for key, inner in value.items():
        wanted = mask.get(key, every)
        if wanted is not None:
            chosen[key] = select(inner, wanted)
    return chosen


def _list(tokens: list[str], at: int, text: str, depth: int) -> tuple[Mask, int]:
    mask: Mask = {}
    while True:
        at = _path(tokens, at, mask, text, depth)
        if at >= len(tokens) or tokens[at] != ",":
            return mask, at
        at += 1


def _path(tokens: list[str], at: int, mask: Mask, text: str, depth: int) -> int:
    """Reads `a/b(c,d)` into a mask."""
    if at >= len(tokens) or tokens[at] in "(),/" or depth > _DEEPEST:
        raise _bad(text)
    inner = mask.setdefault(tokens[at], {})
    at += 1
    if at < len(tokens) and tokens[at] == "/":
        return _path(tokens, at + 1, inner, text, depth + 1)
    if at < len(tokens) and tokens[at] == "(":
        more, at = _list(tokens, at + 1, text, depth + 1)
        if at >= len(tokens) or tokens[at] != ")":
            raise _bad(text)
        inner.update(more)
        at += 1
    return at


def _bad(text: str) -> Exception:
    return invalid(f"Invalid field selection '{text[:80]}'.", location="fields")
