"""Finds numbers, in words and in digits, and tells whether two of them follow each other in order."""

from __future__ import annotations

import re
from itertools import pairwise

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
ONES = _ONES.split()
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
WORDS = {word: value for value, word in enumerate(ONES)} | {word: 20 + 10 * i for i, word in enumerate(TENS)}
_TOKEN = re.compile(r"[A-Za-z]+|\d+")
_PIECE = re.compile(r"[a-z]+|\d+|[^a-z\d \-]+")


def in_words(number: int) -> str:
    """`342` as `three hundred forty two`; 0 to 999."""
    if number < 20:
        return ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens - 2] + (f" {ONES[ones]}" if ones else "")
    hundreds, rest = divmod(number, 100)
    return f"{ONES[hundreds]} hundred" + (f" {in_words(rest)}" if rest else "")


def in_order(text: str) -> bool:
    """Whether anywhere in a text a number is followed, as the next number, by its successor.

    Three readings are tried, so that nothing slips through: single words (`four ... five`, `twenty ... thirty`), whole
    numbers in words (`forty two ... forty three`), and numerals (`7 ... 8`).
    """
    tokens = [token.lower() for token in _TOKEN.findall(text)]
    words = [token for token in tokens if token in WORDS]
    steps = {(ONES[i], ONES[i + 1]) for i in range(19)} | {(TENS[i], TENS[i + 1]) for i in range(7)}
    if any(pair in steps for pair in pairwise(words)):
        return True
    numerals = [int(token) for token in tokens if token.isdigit() and len(token) < 10]
    if any(after == before + 1 for before, after in pairwise(numerals)):
        return True
    values = _values(text)
    return any(after == before + 1 for before, after in pairwise(values))


def _values(text: str) -> list[int]:
    """The whole numbers in words of a text; punctuation and new lines end a number."""
    values: list[int] = []
    parts: list[int] = []  # of the number being read: `forty two` is [40, 2], `three hundred ten` [300, 10]

    def end() -> None:
        if parts:
            values.append(sum(parts))
            parts.clear()

    for token in _PIECE.findall(text.lower()):
        value = WORDS.get(token)
        if token == "hundred" and parts and 0 < parts[-1] < 10:
            ones = parts.pop()
            end()  # "two hundred one | hundred": the one belongs to what follows
            parts.append(ones * 100)
        elif value is None or not parts or not 0 < value < _room(parts[-1]):
            end()
            parts += [] if value is None else [value]
        else:
            parts.append(value)
    end()
    return values


def _room(part: int) -> int:
    """What may be added after a part of a number is below this."""
    return 100 if part >= 100 else 10 if part >= 20 else 0
