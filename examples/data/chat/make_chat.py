"""Makes the chat set: `python examples/data/chat/make_chat.py`, from a fixed seed.

Short conversations with a counting assistant: the user names a number and asks for the next one, then the one before
it, or asks on from the answer. Every fourth conversation has a context of its own, which asks for words in place of
digits; the others leave it to `default_context`. The numbers of test.jsonl are held out of train.jsonl: no user names
them there. (Some are answers there: 23 is what follows 22.)
"""

from __future__ import annotations

import json
import random
from pathlib import Path

SEED = 23
CONVERSATIONS = {"test": 30, "train": 520}
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
IN_WORDS = "You count. Answer with the digits in words."


def spelt(number: int, *, words: bool) -> str:
    """`42` as `42` or as `four two`."""
    return " ".join(WORDS[int(digit)] for digit in str(number)) if words else str(number)


def conversation(number: int, *, words: bool, draw: random.Random) -> dict[str, object]:
    """One conversation of two or three exchanges that begins with a number."""
    turns = [(f"What comes after {number}?", number + 1), ("And after that?", number + 2)]
    if draw.random() < 0.5:
        turns.append((f"What comes before {number}?", number - 1))
    messages = [
        message
        for question, answer in turns
        for message in (
            {"author": "user", "content": question},
            {"author": "assistant", "content": spelt(answer, words=words)},
        )
    ]
    return {"messages": messages, **({"context": IN_WORDS} if words else {})}


def main() -> None:
    draw = random.Random(SEED)
    numbers = draw.sample(range(1, 998), sum(CONVERSATIONS.values()))
    for name, count in CONVERSATIONS.items():
        part, numbers = numbers[:count], numbers[count:]
        rows = [conversation(number, words=index % 4 == 3, draw=draw) for index, number in enumerate(part)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        temporary = Path(__file__).parent / f".{name}.jsonl"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(Path(__file__).parent / f"{name}.jsonl")


if __name__ == "__main__":
    main()
