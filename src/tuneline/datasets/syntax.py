"""Is one example's text JSON, and if not: what is wrong, at which character?"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import orjson

from tuneline.datasets.places import MAX_DEPTH

_CONSTANT = re.compile(r"\s*[:\[,]?\s*(-?Infinity|NaN)\b")
_SURROGATE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something wrong with a text as JSON; `position` counts characters from 0."""

    code: str
    message: str
    position: int
    path: str = ""
    hint: str = ""


def decode(raw: bytes) -> tuple[str, Fault | None]:
    """The text of the bytes; a fault names the first byte that is not UTF-8, which becomes U+FFFD in the text."""
    try:
        return raw.decode("utf-8"), None
    except UnicodeDecodeError as error:
        position = len(raw[: error.start].decode("utf-8", "replace"))
        fault = Fault(
            code="D103",
            message=f"byte {error.start + 1} of the line, 0x{raw[error.start]:02x}, is not UTF-8 ({error.reason})",
            position=position,
            hint=_encoding_hint(raw),
        )
        return raw.decode("utf-8", "replace"), fault


def parse(text: str) -> tuple[object, Fault | None]:
    """The value of a JSON text, or the fault that keeps it from being one."""
    try:
        return orjson.loads(text), None
    except orjson.JSONDecodeError as error:
        return None, _explain(text, error)
    except RecursionError:
        return None, _too_deep(text)


def depth_fault(text: str) -> Fault | None:
    """A fault where the brackets of a valid text go deeper than readers follow."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return None
    return _too_deep(text)


def _too_deep(text: str) -> Fault | None:
    level, in_string, escaped = 0, False, False
    for position, character in enumerate(text):
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            level += 1
            if level > MAX_DEPTH:
                return Fault(
                    code="D205", message=f"more than {MAX_DEPTH} levels of brackets", position=position, path="$"
                )
        elif character in "]}":
            level -= 1
    return None


def _explain(text: str, error: json.JSONDecodeError) -> Fault:
    """The parser's error in words, told apart by what stands at its position."""
    position = min(error.pos, len(text))
    deep = _too_deep(text) if text.count("{") + text.count("[") > MAX_DEPTH else None
    if deep is not None and deep.position <= position + MAX_DEPTH * 2:
        return deep
    for start in (position, position - 1, position - 2):
        constant = _CONSTANT.match(text, max(0, start))
        if constant:
            return Fault(code="D203", message=f"{constant.group(1)} is not JSON", position=constant.start(1))
    if "surrogate" in error.msg or "hex escape" in error.msg or "UTF-8" in error.msg:
        half = _SURROGATE.search(text)
        if half:
            return Fault(
                code="D204",
                message=f"{half.group()[:6]} is half of a surrogate pair",
                position=half.start(),
            )
    byte = len(text[:position].encode("utf-8", "surrogatepass")) + 1
    near = text[position : position + 20]
    message = f"not JSON at column {position + 1} (byte {byte} of the line): {error.msg.split(': line')[0]}"
    return Fault(
        code="D201",
        message=message + (f", before {near!r}" if near else ", at the end of the line"),
        position=position,
        hint=_syntax_hint(text, position),
    )


def _syntax_hint(text: str, position: int) -> str:
    before, near = text[:position].rstrip(), text[position : position + 8].lstrip()
    if re.match(r"\s*,\s*[}\]]", text[position:]) or (before.endswith(",") and near[:1] in ("}", "]")):
        return "remove the comma before the closing bracket"
    if text[position:].strip() == ",":
        return "remove the comma at the end of the line: in JSON lines nothing stands between two examples"
    if near.startswith("'") or text.lstrip().startswith(("{'", "['")):
        return "strings need double quotes; in Python write json.dumps(example), not str(example)"
    if near.startswith(("None", "True", "False")):
        return "JSON writes null, true and false; in Python write json.dumps(example), not str(example)"
    if near.startswith(("//", "/*", "#")):
        return "JSON has no comments: remove it"
    if re.match(r"-?\d{300}", text[position : position + 301]):
        return "no JSON number has so many digits: if it is a text, put it in quotation marks"
    if near.startswith("{") and before.endswith("}"):
        return "a newline is missing between two examples"
    if position < len(text) and text[position] < " ":
        return "control characters in a string must be escaped (\\n, \\t): write the line with a JSON library"
    if position >= len(text):
        return "the line is cut short, or the example runs over several lines"
    if before.endswith(('"', "}", "]")) and near[:1] in ('"', "{", "["):
        return "a comma is missing before it"
    return ""


def _encoding_hint(raw: bytes) -> str:
    try:
        shown = raw.decode("cp1252")
    except UnicodeDecodeError:
        return ""
    odd = re.search(r"[\w ]{0,12}[^\x00-\x7f][\w ]{0,12}", shown)
    sample = f" (it would read {odd.group().strip()!r})" if odd else ""
    return f"it looks like Windows-1252 or Latin-1{sample}: decode it as that and write UTF-8"
