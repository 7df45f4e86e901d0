"""Google's list filters (AIP-160): `display_name="a" AND (labels.team:* OR NOT state=JOB_STATE_FAILED)`.

Comparison follows the field's type: numbers as numbers, enums by name, timestamps as times, text as text with `*` at
either end. `:` asks whether a map has the key, a list the value, or a text the part.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tuneline.local.definition.codec import find_field
from tuneline.local.resources.errors import ApiError
from tuneline.local.resources.names import id_of

Test = Callable[[Any], bool]

_TOKEN = re.compile(r"""\s*(?:(\()|(\))|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(<=|>=|!=|=|<|>|:)|([^\s()<>=!:"']+))""")


def compile_filter(text: str) -> Test:
    """A test for a resource; raises ApiError INVALID_ARGUMENT where the text is no filter."""
    return _Parser(text).parse() if text.strip() else lambda resource: True


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if not found:
                raise self._refusal(f"unexpected '{text[at : at + 10].strip()}'")
            kind = ("open", "close", "text", "comparator", "word")[(found.lastindex or 1) - 1]
            self.tokens.append((kind, found.group(found.lastindex or 0)))
            at = found.end()
        self.at = 0

    def parse(self) -> Test:
        test = self._any()
        if self.at < len(self.tokens):
            raise self._refusal(f"unexpected '{self.tokens[self.at][1]}'")
        return test

    def _refusal(self, why: str) -> ApiError:
        what = f"Invalid filter '{self.text}': {why}."
        return ApiError("INVALID_ARGUMENT", what, violations=[("filter", what)])

    def _peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self.at += 1
        return token

    def _any(self) -> Test:
        tests = [self._all()]
        while self._peek() == ("word", "OR"):
            self._take()
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda resource: any(test(resource) for test in tests)

    def _all(self) -> Test:
        tests = [self._not()]
        while self._peek()[0] not in ("end", "close") and self._peek() != ("word", "OR"):
            if self._peek() == ("word", "AND"):
                self._take()
            tests.append(self._not())
        return tests[0] if len(tests) == 1 else lambda resource: all(test(resource) for test in tests)

    def _not(self) -> Test:
        if self._peek() == ("word", "NOT"):
            self._take()
            inner = self._not()
            return lambda resource: not inner(resource)
        if self._peek()[0] == "open":
            self._take()
            test = self._any()
            if self._take()[0] != "close":
                raise self._refusal("a ')' is missing")
            return test
        return self._comparison()

    def _comparison(self) -> Test:
        kind, path = self._take()
        negated = kind == "word" and path.startswith("-") and len(path) > 1
        path = path[1:] if negated else path
        if kind not in ("word", "text") or self._peek()[0] != "comparator":
            raise self._refusal(f"after '{path}' one of = != < > <= >= : is expected")
        _, comparator = self._take()
        kind, value = self._take()
        if kind == "word" and self._peek() == ("comparator", ":"):
            # An unquoted time such as 2026-01-01T00:00:00Z was cut at its colons.
            while self._peek() == ("comparator", ":"):
                self._take()
                value += ":" + self._take()[1]
        if kind not in ("word", "text"):
            raise self._refusal(f"after '{path}{comparator}' a value is expected")
        quoted = kind == "text"
        value = re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value
        segments = _segments(path)

        def test(resource: Any) -> bool:
            found = self._compare(resource, segments, comparator, value)
            return found != negated

        return test

    def _compare(self, resource: Any, segments: list[str], comparator: str, value: str) -> bool:
        at, field = resource, None
        for index, segment in enumerate(segments):
            if hasattr(at, "DESCRIPTOR"):
                field = find_field(at, segment)
                if field is None and at.DESCRIPTOR.full_name == "google.protobuf.Struct":
                    return segment in at.fields and _scalar(_plain(at.fields[segment]), comparator, value)
                if field is None and at is resource and segment.lower() == type(at).DESCRIPTOR.name.lower():
                    # `model=123` among models: the id.
                    return _scalar(id_of(at.name), comparator, value)
                if field is None:
                    raise self._refusal(f"there is no field '{'.'.join(segments)}'")
                has_value = field.is_repeated or not field.has_presence or at.HasField(field.name)
                at = getattr(at, field.name) if has_value else None
            elif field is not None and field.message_type and field.message_type.GetOptions().map_entry:
                key = ".".join(segments[index:])
                if comparator == ":" and value == "*":
                    return key in at
                return key in at and _scalar(at[key], comparator, value)
            if at is None:
                return comparator == "!=" and value != "*"
        if field is not None and field.is_repeated:
            return any(_scalar(item, ":" if comparator == ":" else comparator, value) for item in at)
        if field is not None and field.enum_type:
            at = field.enum_type.values_by_number[at].name
        if comparator == ":" and value == "*":
            return bool(at) or hasattr(at, "DESCRIPTOR")
        return _scalar(at, comparator, value)


def _segments(path: str) -> list[str]:
    if path[:1] in "\"'":
        return [path[1:-1]]
    return path.split(".")


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    return getattr(value, kind) if kind and kind != "null_value" else ""


def _scalar(have: Any, comparator: str, value: str) -> bool:
    left: Any
    right: Any
    if hasattr(have, "ToDatetime"):
        left, right = have.ToNanoseconds(), _nanoseconds(have, value)
    elif isinstance(have, bool):
        left, right = have, value.lower() == "true"
    elif isinstance(have, int | float):
        try:
            left, right = float(have), float(value)
        except ValueError:
            return comparator == "!="
    else:
        left, right = str(have), value
        if comparator == ":":
            return right in ("*", "") or right.strip("*").lower() in left.lower()
        if comparator in ("=", "!=") and "*" in right:
            pattern = ".*".join(re.escape(piece) for piece in right.split("*"))
            return (re.fullmatch(pattern, left, re.DOTALL) is not None) == (comparator == "=")
    return {
        "=": left == right,
        ":": left == right,
        "!=": left != right,
        "<": left < right,
        ">": left > right,
        "<=": left <= right,
        ">=": left >= right,
    }[comparator]


def _nanoseconds(like: Any, value: str) -> int:
    moment = type(like)()
    try:
        moment.FromJsonString(value)
    except ValueError as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid time '{value}' in the filter: {error}") from None
    return int(moment.ToNanoseconds())
