"""Conditions of `If`, `Elif` and `Else`: the part of the Common Expression Language that the KFP compiler writes.

    expression   = disjunction
    disjunction  = conjunction { "||" conjunction }
    conjunction  = comparison { "&&" comparison }
    comparison   = unary [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") unary ]
    unary        = { "!" | "-" } primary
    primary      = literal | "(" expression ")" | ("int" | "double" | "string" | "bool") "(" expression ")"
                 | "inputs.parameter_values['name']" | "[" [ expression { "," expression } ] "]"

It is parsed, never given to Python's eval, so a value with a quote in it is just a value.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

TOKEN = re.compile(
    r"""\s*(?:
      (?P<input>inputs\.(?:parameter_values|parameters)\[(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")\](?:\.(?:string|int|double)_value)?)
    | (?P<number>\d+\.\d*(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\d+)
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<operator>\|\||&&|==|!=|<=|>=|<|>|!|-|\(|\)|\[|\]|,)
    | (?P<word>[A-Za-z_]\w*)
    )""",
    re.VERBOSE,
)
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda item, among: item in among,
}
CONVERT: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "double": float,
    "string": str,
    "bool": lambda value: value if isinstance(value, bool) else str(value).lower() == "true",
}
LITERALS = {"true": True, "false": False, "null": None}
ESCAPE = re.compile(r"\\(.)")


Evaluate = Callable[[Mapping[str, Any]], Any]


def holds(condition: str, parameters: Mapping[str, Any]) -> bool:
    """Whether the condition is true of these parameters; raises ValueError with what is wrong in it."""
    value = parse(condition)(parameters)
    if not isinstance(value, bool):
        raise ValueError(f"the condition {condition} is {value!r}, neither true nor false")
    return value


def parse(condition: str) -> Evaluate:
    """A function from parameters to the condition's value; raises ValueError where the text is not understood."""
    return _Parser(condition).whole()


class _Parser:
    """Recursive descent over the tokens; every method returns what evaluates its part."""

    def __init__(self, condition: str) -> None:
        self.condition = condition
        self.tokens = list(self._tokens())
        self.place = 0

    def _tokens(self) -> Iterator[re.Match[str]]:
        place, text = 0, self.condition.rstrip()
        while place < len(text):
            found = TOKEN.match(text, place)
            if found is None:
                raise self.error(f"is not understood at {text[place : place + 20]!r}")
            place = found.end()
            yield found

    def error(self, what: str) -> ValueError:
        return ValueError(f"the condition {self.condition} {what}")

    def whole(self) -> Evaluate:
        evaluate = self.disjunction()
        if self.place != len(self.tokens):
            raise self.error(f"goes on after its end: {self.peek()!r}")
        return evaluate

    def peek(self) -> str:
        return self.tokens[self.place][0].strip() if self.place < len(self.tokens) else ""

    def take(self) -> re.Match[str]:
        if self.place == len(self.tokens):
            raise self.error("ends too early")
        self.place += 1
        return self.tokens[self.place - 1]

    def expect(self, word: str) -> None:
        if (found := self.take()[0].strip()) != word:
            raise self.error(f"has {found!r} where {word!r} is expected")

    def disjunction(self) -> Evaluate:
        parts = [self.conjunction()]
        while self.peek() == "||":
            self.take()
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else lambda given: any(part(given) for part in parts)

    def conjunction(self) -> Evaluate:
        parts = [self.comparison()]
        while self.peek() == "&&":
            self.take()
            parts.append(self.comparison())
        return parts[0] if len(parts) == 1 else lambda given: all(part(given) for part in parts)

    def comparison(self) -> Evaluate:
        left = self.unary()
        if self.peek() not in COMPARE:
            return left
        compare = COMPARE[self.take()[0].strip()]
        right = self.unary()

        def evaluate(given: Mapping[str, Any]) -> Any:
            one, other = left(given), right(given)
            try:
                return compare(one, other)
            except TypeError:
                raise self.error(f"compares {one!r} with {other!r}") from None

        return evaluate

    def unary(self) -> Evaluate:
        if self.peek() not in ("!", "-"):
            return self.primary()
        symbol = self.take()[0].strip()
        inner = self.unary()
        return (lambda given: not inner(given)) if symbol == "!" else (lambda given: -inner(given))

    def primary(self) -> Evaluate:
        token = self.take()
        if token["input"]:
            name = token["single"] if token["single"] is not None else token["double"]
            return lambda given: self.parameter(name, given)
        if token["number"]:
            number = int(token["number"]) if token["number"].isdigit() else float(token["number"])
            return lambda given: number
        if token["text"]:
            text = ESCAPE.sub(lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), token["text"][1:-1])
            return lambda given: text
        if token["word"]:
            return self.word(token["word"])
        if token["operator"] == "(":
            inner = self.disjunction()
            self.expect(")")
            return inner
        if token["operator"] == "[":
            return self.items()
        raise self.error(f"has an unexpected {token[0].strip()!r}")

    def parameter(self, name: str, given: Mapping[str, Any]) -> Any:
        if name not in given:
            raise self.error(f"asks for {name}, which has no value")
        return given[name]

    def word(self, word: str) -> Evaluate:
        if word in LITERALS:
            return lambda given: LITERALS[word]
        if word not in CONVERT:
            raise self.error(f"uses {word}, which is not supported")
        self.expect("(")
        inner = self.disjunction()
        self.expect(")")

        def evaluate(given: Mapping[str, Any]) -> Any:
            value = inner(given)
            try:
                return CONVERT[word](value)
            except (TypeError, ValueError):
                raise self.error(f"makes {word} of {value!r}") from None

        return evaluate

    def items(self) -> Evaluate:
        found: list[Evaluate] = []
        while self.peek() != "]":
            found.append(self.disjunction())
            if self.peek() == ",":
                self.take()
        self.expect("]")
        return lambda given: [item(given) for item in found]
