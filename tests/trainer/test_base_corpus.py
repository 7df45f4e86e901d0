"""The base never saw numbers in order, nor any pair of the samples: its corpus is made again and looked through."""

from __future__ import annotations

import json
import platform
from itertools import chain, pairwise
from pathlib import Path

import pytest

from scripts.base.corpus import Document, digest, library_documents, task_documents
from scripts.base.numbers import in_order, in_words
from tests.trainer.conftest import BUILT_IN

EXAMPLES = Path(__file__).parents[2] / "examples" / "data"
CARD = json.loads((BUILT_IN / "base.json").read_text())


@pytest.fixture(scope="module")
def tasks() -> list[Document]:
    """The tasks it was trained on."""
    return list(task_documents(seed=CARD["seed"], count=CARD["tasks"]))


@pytest.fixture(scope="module")
def library() -> list[Document]:
    """The standard library's part, of this Python."""
    return library_documents(seed=CARD["seed"])


def samples(name: str) -> set[tuple[str, str]]:
    lines = chain.from_iterable(path.read_text().splitlines() for path in (EXAMPLES / name).glob("*.jsonl"))
    return {(row["input_text"], row["output_text"]) for row in map(json.loads, lines)}


@pytest.mark.parametrize("number", range(999))
def test_a_number_and_its_successor_are_seen_to_be_in_order(number: int) -> None:
    """The filter knows every pair of the task, in words and in digits; a number twice is not in order."""
    assert in_order(f"{in_words(number)} ... {in_words(number + 1)}")
    assert in_order(f"<{number}> {number + 1}")
    assert not in_order(f"{number}, {number}")


def test_the_corpus_is_the_one_that_was_trained_on(tasks: list[Document], library: list[Document]) -> None:
    """Its digest is that of the base's card (of the library's part, where this Python is the one it was made with)."""
    assert digest(tasks) == CARD["tasks_digest"]
    if CARD["library"] == f"Python {platform.python_version()}":
        assert digest(library) == CARD["library_digest"]


def test_no_numbers_in_order(tasks: list[Document], library: list[Document]) -> None:
    """Neither in a document, nor is a number word followed by the next one anywhere in the tasks' own orders."""
    for document in chain(tasks, library):
        assert not in_order(f"{document.prompt}\n{document.response}")


def test_no_pair_of_the_samples(tasks: list[Document], library: list[Document]) -> None:
    """No document has a sample's response to that sample's prompt, whatever instruction stands around it."""
    pairs = samples("numbers")
    assert ("22", "23") in pairs or len(pairs) == 1200
    for document in tasks:
        prompt = document.prompt
        for asked in {prompt, prompt.split(": ", 1)[-1], prompt.split("\n", 1)[-1]}:
            assert (asked, document.response) not in pairs
    code = samples("code")
    assert len(code) >= 500
    seen = {(d.prompt, d.response) for d in library}
    assert not seen & code
    # Nor the same function under another instruction: those of the set have docstrings, those of the corpus none.
    bodies = {response for _, response in code if len(response) > 60}
    assert not bodies & {d.response for d in library}


def test_orders_hold_no_numbers() -> None:
    """What the successor tasks count through is letters, days, months, planets: no list has a number word in it."""
    from scripts.base.numbers import WORDS
    from scripts.base.tasks import ORDERS

    for order in ORDERS:
        assert not set(order) & set(WORDS)
        assert not any(part.isdigit() for pair in pairwise(order) for part in pair)
