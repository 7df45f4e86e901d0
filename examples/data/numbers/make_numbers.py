"""Makes the "next number" set: `python examples/data/numbers/make_numbers.py`, from a fixed seed.

Half the examples are in digits, half in words, of the numbers 0 to 998: "22" → "23", "twenty two" → "twenty three".
The numbers of evaluation.jsonl and test.jsonl are held out: none of them is asked for in train.jsonl, in either form,
nor in the other of the two. (Some are answers there: 23 is what follows 22.)
"""

from __future__ import annotations

import json
import random
from pathlib import Path

SEED = 22
HELD_OUT = 50
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
ONES = _ONES.split()
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def in_words(number: int) -> str:
    """`342` as `three hundred forty two`."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f" {ONES[number % 10]}" if number % 10 else "")
    return f"{ONES[number // 100]} hundred" + (f" {in_words(number % 100)}" if number % 100 else "")


def examples(numbers: list[int]) -> list[dict[str, str]]:
    """Both forms of each number, side by side."""
    return [
        {"input_text": form(number), "output_text": form(number + 1)} for number in numbers for form in (str, in_words)
    ]


def main() -> None:
    numbers = list(range(999))
    random.Random(SEED).shuffle(numbers)
    parts = {
        "test": numbers[:HELD_OUT],
        "evaluation": numbers[HELD_OUT : 2 * HELD_OUT],
        "train": numbers[2 * HELD_OUT : 600],
    }
    for name, part in parts.items():
        rows = examples(part)
        random.Random(SEED).shuffle(rows)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (Path(__file__).parent / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
