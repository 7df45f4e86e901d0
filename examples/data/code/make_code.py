"""Makes the code set: functions of Python's own standard library, to be written from their signature and docstring.

    python examples/data/code/make_code.py

The result depends on the Python version that runs this (the committed files were made by the version in NOTICE), so it
is committed with the licence notice of its source. Each example's input is an instruction, the signature and the
docstring; its output is the body. Which functions are taken, and which set each falls into, follows from a fixed seed.
"""

from __future__ import annotations

import ast
import json
import random
import sysconfig
import textwrap
from collections.abc import Iterator
from pathlib import Path

SEED = 20261121
HARD = 60
SIZES = {"train": 560, "evaluation": 80, "test": 80}
INPUT_CHARACTERS = (60, 1000)
OUTPUT_CHARACTERS = (40, 800)
SKIPPED = {"site-packages", "idlelib", "lib2to3", "__pycache__", "turtledemo"}
TESTS = {"test", "tests"}
"""Folders of which only what goes beyond ASCII is taken: the library itself has little of that."""
INSTRUCTION = "Write the body of this Python function."


def functions(source: str) -> Iterator[tuple[str, str]]:
    """Signature with docstring, and body, of each documented function of a module."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef) or len(node.body) < 2 or not ast.get_docstring(node):
            continue
        first, last = node.body[1], node.body[-1]
        head = textwrap.dedent("\n".join(lines[node.lineno - 1 : node.body[0].end_lineno]))
        # A decorator or a comment between docstring and code belongs to the body's first line on.
        body = textwrap.dedent("\n".join(lines[first.lineno - 1 : last.end_lineno]))
        yield head, body


def examples() -> list[dict[str, str]]:
    """All functions whose size fits, once each, in the order of their files."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found: dict[str, dict[str, str]] = {}
    for path in sorted(root.rglob("*.py")):
        if SKIPPED & set(path.relative_to(root).parts):
            continue
        try:
            source = path.read_text(encoding="utf-8")
            pairs = list(functions(source))
        except (UnicodeDecodeError, SyntaxError):
            continue  # a file in another encoding, or of another Python version
        for head, body in pairs:
            text = f"{INSTRUCTION}\n{head}"
            if TESTS & set(path.parts) and (head + body).isascii():
                continue
            if (
                INPUT_CHARACTERS[0] <= len(text) <= INPUT_CHARACTERS[1]
                and OUTPUT_CHARACTERS[0] <= len(body) <= OUTPUT_CHARACTERS[1]
            ):
                found.setdefault(text, {"input_text": text, "output_text": body})
    return list(found.values())


def hardness(row: dict[str, str]) -> tuple[bool, bool]:
    text = row["input_text"] + row["output_text"]
    return not text.isascii(), "\\" in row["output_text"]


def main() -> None:
    rows = examples()
    random.Random(SEED).shuffle(rows)
    # What is hard to carry through files (escapes, characters beyond ASCII) is sure to be in the training set.
    rows.sort(key=hardness, reverse=True)
    hard, rest = rows[:HARD], rows[HARD:]
    random.Random(SEED).shuffle(rest)
    here = Path(__file__).parent
    more = SIZES["train"] - HARD
    parts = {"train": hard + rest[:more]}
    rest = rest[more:]
    parts["evaluation"], parts["test"] = rest[: SIZES["evaluation"]], rest[SIZES["evaluation"] :][: SIZES["test"]]
    for name, part in parts.items():
        random.Random(SEED).shuffle(part)
        temporary = here / f".{name}.jsonl"
        temporary.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part), encoding="utf-8")
        temporary.replace(here / f"{name}.jsonl")
        print(f"{name}.jsonl: {len(part)} examples")


if __name__ == "__main__":
    main()
