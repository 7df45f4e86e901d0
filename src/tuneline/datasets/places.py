"""Where in a JSON text a value stands: the slow, exact scan that is made only of lines with something to say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
MAX_DEPTH = 500
"""Levels of brackets that are read. Readers give up between 100 (protobuf) and about 1,000 (Python)."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def step(path: str, key: str | int) -> str:
    """The path one level down, as in JSONPath: `$.contents[0]`, `$['a key']`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if _NAME.match(key) else f"{path}[{key!r}]"


@dataclass
class Places:
    """Character position of each value of a text, by path, and the keys that occur twice in one object."""

    at: dict[str, int] = field(default_factory=dict)
    duplicates: list[tuple[str, int]] = field(default_factory=list)
    """Path of the key and the character where it stands the second time."""

    def find(self, path: str) -> int:
        """The position of the value, or of its nearest parent that is there."""
        while path not in self.at and path:
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return self.at.get(path, 0)


def scan(text: str) -> Places:
    """Places of a valid JSON text. Iterative, so that no depth of brackets can exhaust the stack."""
    places = Places()
    # One frame an open bracket: [path, keys seen (None in an array), next index, path of the awaited value]
    stack: list[list] = []
    awaited: str | None = "$"
    key_next = False
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first == ",":
            frame = stack[-1] if stack else None
            if frame is None:
                break
            if frame[1] is None:
                frame[2] += 1
                awaited = step(frame[0], frame[2])
            else:
                key_next = True
        elif first == ":":
            continue
        elif first in "}]":
            if not stack:
                break
            stack.pop()
            key_next, awaited = False, None
        elif key_next and first == '"':
            key = _unescaped(token.group())
            frame = stack[-1]
            awaited = step(frame[0], key)
            if key in frame[1]:
                places.duplicates.append((awaited, token.start()))
            frame[1].add(key)
            key_next = False
        else:
            if awaited is not None:
                places.at[awaited] = token.start()
            if len(stack) >= MAX_DEPTH:
                # The paths below would grow with every level: too deep is told elsewhere.
                break
            if first == "{":
                stack.append([awaited or "", set(), 0])
                key_next = True
            elif first == "[":
                stack.append([awaited or "", None, 0])
                awaited = step(awaited or "", 0)
    return places


def _unescaped(token: str) -> str:
    if "\\" not in token:
        return token[1:-1]
    import json

    return json.loads(token, strict=False)
