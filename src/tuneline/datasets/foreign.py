"""Formats that others use and no service here takes: told by their keys, and named with the way to a known one.

Those that say plainly what is asked and what is answered have a `kind`: `walk_foreign` reads them by it, so that their
content is checked like any other, and `tuneline convert` takes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """Somebody else's format."""

    name: str
    """What the examples are, in words."""
    way: str
    """How to write them in a format that is known."""
    kind: str = ""
    """How they are read; '' where they cannot be."""

    @property
    def preference(self) -> bool:
        """Whether each has an answer that is preferred to another."""
        return self.kind in ("chosen", "preferred")


Test = Callable[[dict], bool]


def _has(*keys: str) -> Test:
    return lambda value: value.keys() >= set(keys)


def _lists(*keys: str) -> Test:
    return lambda value: all(isinstance(value.get(key), list) for key in keys)


def _texts(value: dict) -> bool:
    """Whether an object maps texts to texts: many keys, and names of fields most of them are not."""
    named = sum(key.isidentifier() for key in value)
    return len(value) > 4 and named * 2 < len(value) and all(isinstance(text, str) for text in value.values())


PAIRS = (
    ("question", "answer"),
    ("question", "response"),
    ("question", "output"),
    ("q", "a"),
    ("query", "response"),
    ("query", "answer"),
    ("input", "output"),
    ("input", "response"),
    ("input", "target"),
    ("input", "label"),
    ("prompt", "response"),
    ("prompt", "output"),
    ("prompt", "answer"),
    ("prompt", "canonical_solution"),
    ("user", "assistant"),
    ("human", "assistant"),
    ("source", "target"),
    ("text", "label"),
    ("text", "summary"),
    ("sentence", "label"),
    ("document", "summary"),
    ("dialogue", "summary"),
    ("article", "summary"),
    ("article", "highlights"),
)
"""Keys of an input and its output, in small letters: in the order in which they are looked for."""


def pair(value: dict) -> tuple[str, str] | None:
    """The two keys, as the example spells them, of an input and its output; None where it has no such two."""
    spelt = {key.lower(): key for key in reversed(value) if isinstance(key, str)}
    return next(((spelt[a], spelt[b]) for a, b in PAIRS if a in spelt and b in spelt), None)


_PAIR = "write {'prompt', 'completion'}"
_MESSAGES = "write {'messages': [{'role', 'content'}]}"
_SPEAKERS = f"{_MESSAGES}: human as user, gpt as assistant, value as content"
_PREFERENCE = (
    "write contents (the prompt) and completions (the preferred one with score 1, the other with score 0): the "
    "preference format"
)


def _foreign(test: Test, name: str, way: str, kind: str = "") -> tuple[Test, Foreign]:
    return test, Foreign(name=name, way=way, kind=kind)


_KNOWN: tuple[tuple[Test, Foreign], ...] = (
    _foreign(
        _has("chosen", "rejected"),
        "preference pairs (prompt, chosen, rejected) as in TRL's DPO",
        _PREFERENCE,
        "chosen",
    ),
    _foreign(
        _has("preferred_output", "non_preferred_output"),
        "preference pairs (input, preferred_output, non_preferred_output) as OpenAI's DPO has them",
        _PREFERENCE,
        "preferred",
    ),
    _foreign(
        _has("instruction", "response"),
        "instruction records (instruction, context, response) as in Dolly",
        f"{_PAIR}: instruction and context joined as the prompt, response as the completion",
        "instruction",
    ),
    _foreign(
        _has("instruction", "output"),
        "instruction records (instruction, input, output) as in Alpaca",
        f"{_PAIR}: instruction and input joined as the prompt, output as the completion",
        "instruction",
    ),
    _foreign(
        _has("instruction", "answer"),
        "instruction records (instruction, input, answer)",
        f"{_PAIR}: instruction and input joined as the prompt, answer as the completion",
        "instruction",
    ),
    _foreign(
        _has("instruction", "instances"),
        "seed tasks (instruction, instances) as in Self-Instruct",
        f"{_PAIR} for every instance: instruction and input joined as the prompt, output as the completion",
    ),
    _foreign(
        _lists("conversations"), "conversations (from, value) as in ShareGPT", _SPEAKERS, "speakers:conversations"
    ),
    _foreign(
        lambda value: _lists("items")(value) and all(isinstance(i, dict) and "from" in i for i in value["items"]),
        "conversations (items of from, value) as in early ShareGPT",
        _SPEAKERS,
        "speakers:items",
    ),
    _foreign(
        _lists("prompt", "completion"),
        "prompts and completions that are lists of messages, as in TRL",
        "join the two lists as {'messages': [...]}",
        "lists",
    ),
    _foreign(
        _has("context", "question", "answers"),
        "reading comprehension (context, question, answers) as in SQuAD",
        f"{_PAIR}: context and question joined as the prompt, the first answer's text as the completion",
        "squad",
    ),
    _foreign(
        lambda value: pair(value) is not None and value.keys() & {"options", "choices"},
        "questions with answers to choose from",
        f"{_PAIR}: question and options, each with its letter, as the prompt, the answer as the completion",
    ),
    _foreign(
        _has("input", "ideal"),
        "samples for OpenAI's evals (input, ideal)",
        f"{_MESSAGES}: the input's messages, then ideal as the assistant's",
        "ideal",
    ),
    _foreign(
        _has("prompt", "canonical_solution"),
        "programming problems (prompt, canonical_solution) as in HumanEval",
        f"{_PAIR}: canonical_solution as the completion",
        "pair",
    ),
    _foreign(
        _has("text", "label"),
        "labelled texts (text, label)",
        f"{_PAIR}: the text, with what is asked of it, as the prompt, and the label as the completion",
        "pair",
    ),
    _foreign(
        _has("custom_id", "body"),
        "batch requests (custom_id, body), not training examples",
        "add each request's answer: {'messages': [..., {'role': 'assistant', 'content'}]}",
    ),
    _foreign(
        lambda value: isinstance(value.get("request"), dict) and "contents" in value["request"],
        "batch prediction requests (request), not training examples",
        "write the request's contents, with the model's answer as the last",
    ),
    _foreign(
        lambda value: isinstance(value.get("row"), dict) and "row_idx" in value,
        "rows of the Hugging Face dataset viewer (row_idx, row)",
        "write each row's own object, one a line",
    ),
    _foreign(
        _has("message_id", "parent_id", "text"),
        "single messages of trees (message_id, parent_id, text) as in OpenAssistant",
        f"follow the parents, and write each path as {_MESSAGES[6:]}",
    ),
    _foreign(
        lambda value: set(value) == {"text"},
        "plain texts (text) for continued pre-training",
        f"tuning needs what is asked and what is to be answered: {_PAIR}",
    ),
)


def foreign(value: object) -> Foreign | None:
    """Whose format an example is in; None where it is not known."""
    if not isinstance(value, dict):
        return None
    known = next((theirs for test, theirs in _KNOWN if test(value)), None)
    if known is not None:
        return known
    keys = pair(value)
    if keys is not None:
        first, second = keys
        way = f"{_PAIR}: {first} as the prompt, {second} as the completion"
        return Foreign(name=f"{first} and {second} records", way=way, kind="pair")
    if "label" in value and len(value) > 1:
        way = f"{_PAIR}: the other fields, with what is asked of them, as the prompt, and the label as the completion"
        return Foreign(name=f"labelled records ({', '.join(list(value)[:4])})", way=way)
    if _texts(value):
        return Foreign(
            name="texts under texts, all in one object", way=f"{_PAIR} for every key and its text, one a line"
        )
    return None
