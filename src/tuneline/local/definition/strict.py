"""JSON text that is not JSON: which line, which column, and what to do, since the documentation's own bodies have it.

Python's parser stops where it can go no further; a person has to mend an earlier place. That place is found from the
indentation and from the brackets still open.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tuneline.local.resources.errors import ApiError

_TOKEN = re.compile(r'"((?:[^"\\\n]|\\.)*)"(\s*:)?|[{}\[\]]')
_NEXT_KEY = re.compile(r'\s*"((?:[^"\\\n]|\\.)*)"\s*:')


def parse_body(body: bytes) -> Any:
    """The value of a request body; raises ApiError naming line, column and fix where it is not strict JSON."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. It is not UTF-8: {error}") from None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        line, column, what = explain(text, error)
        said = f"line {line}, column {column}: {what}"
        raise ApiError(
            "INVALID_ARGUMENT", f"Invalid JSON payload received. At {said}", violations=[("", said)]
        ) from None
    except (ValueError, RecursionError) as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value: leave the field out or send a string.")


def explain(text: str, error: json.JSONDecodeError) -> tuple[int, int, str]:
    """(line, column, what is wrong and the fix), counted from 1."""
    place, what = _diagnose(text, error)
    return text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place), what


def _diagnose(text: str, error: json.JSONDecodeError) -> tuple[int, str]:
    at, rest, before = error.pos, text[error.pos :], text[: error.pos].rstrip()
    if not text.strip():
        return 0, "the body is empty."
    opened = _left_open(text, at)
    if not rest.strip() and opened:
        return opened.at, f"{opened} is never closed: add {opened.closing!r}."
    if error.msg.startswith("Illegal trailing comma") or (before.endswith(",") and rest.lstrip()[:1] in ("}", "]")):
        comma = at if rest.startswith(",") else len(before) - 1
        return comma, f"trailing comma{_after(text, comma)}: remove it."
    if error.msg.startswith("Expecting ',' delimiter"):
        key = _NEXT_KEY.match(rest)
        if key and opened and opened.indent >= _indent(text, at + key.start(1)) and "\n" in text[opened.at : at]:
            return opened.at, f"{opened} is not closed before {key.group(1)!r}: add '}},' after its last value."
        if key:
            return len(before), f"missing comma before {key.group(1)!r}: add ',' here."
        return at, f"expected a comma or the end of the object or list, found {rest.strip()[:1]!r}."
    if error.msg.startswith("Expecting property name"):
        return at, 'expected a name in double quotes, such as "displayName".'
    if error.msg.startswith("Extra data"):
        return (
            at,
            "the value ends before this, yet more follows: one closing bracket too many, or an opening one missing.",
        )
    if error.msg.startswith("Unterminated string") or error.msg.startswith("Invalid control character"):
        start = text.rfind('"', 0, at) if not rest.startswith('"') else at
        return start, "the string that begins here does not end on its line: close it with a double quote."
    if rest.startswith("'"):
        return at, "strings take double quotes in JSON, not single ones."
    return at, error.msg[0].lower() + error.msg[1:] + "."


@dataclass(frozen=True)
class _Bracket:
    at: int
    bracket: str
    key: str
    indent: int

    @property
    def closing(self) -> str:
        return "}" if self.bracket == "{" else "]"

    def __str__(self) -> str:
        what = "object" if self.bracket == "{" else "list"
        return f"the {what} {self.key!r}" if self.key else f"the {what} that begins here"


def _left_open(text: str, end: int) -> _Bracket | None:
    """The bracket that somebody forgot to close before `end`.

    The first one whose block is left by indentation (a key or a closing bracket that stands no further right than the
    line which opened it, without closing it); else the innermost that is open.
    """
    stack: list[_Bracket] = []
    key = ""
    for token in _TOKEN.finditer(text, 0, end):
        sign = token.group()
        first_on_line = not text[text.rfind("\n", 0, token.start()) + 1 : token.start()].strip()
        indent = _indent(text, token.start())
        if sign in ("{", "["):
            stack.append(_Bracket(token.start(), sign, key, indent))
            key = ""
            continue
        spread = stack and first_on_line and "\n" in text[stack[-1].at : token.start()]
        if sign in ("}", "]"):
            if spread and stack[-1].indent > indent:
                return stack[-1]
            if stack:
                stack.pop()
        elif token.group(2):
            if spread and len(stack) > 1 and stack[-1].indent >= indent:
                return stack[-1]
            key = token.group(1)
    return stack[-1] if stack else None


def _indent(text: str, at: int) -> int:
    line = text[text.rfind("\n", 0, at) + 1 :]
    return len(line) - len(line.lstrip(" \t"))


def _after(text: str, comma: int) -> str:
    """The key whose value stands before the comma, for the message."""
    depth = 0
    for token in reversed(list(_TOKEN.finditer(text, 0, comma))):
        if token.group() in ("}", "]"):
            depth += 1
        elif token.group() in ("{", "["):
            depth -= 1
        elif token.group(2) and depth == 0:
            return f" after {token.group(1)!r}"
    return ""
