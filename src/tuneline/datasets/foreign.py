"""Formats that others use and no service here takes: told by their keys, and named with the way to a known one."""

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


def _has(*keys: str) -> Callable[[dict], bool]:
    return lambda value: value.keys() >= set(keys)


def _lists(*keys: str) -> Callable[[dict], bool]:
    return lambda value: all(isinstance(value.get(key), list) for key in keys)


_PAIR = "write {'prompt', 'completion'}"
_PREFERENCE = (
    "write contents (the prompt) and completions (the preferred one with score 1, the other with score 0): the "
    "preference format"
)

_KNOWN: tuple[tuple[Callable[[dict], bool], str, str], ...] = (
    (
        _has("chosen", "rejected"),
        "preference pairs (prompt, chosen, rejected) as in TRL's DPO",
        _PREFERENCE,
    ),
    (
        _has("preferred_output", "non_preferred_output"),
        "preference pairs (input, preferred_output, non_preferred_output) as OpenAI's DPO has them",
        _PREFERENCE,
    ),
    (
        _has("instruction", "response"),
        "instruction records (instruction, context, response) as in Dolly",
        f"{_PAIR}: instruction and context joined as the prompt, response as the completion",
    ),
    (
        _has("instruction", "output"),
        "instruction records (instruction, input, output) as in Alpaca",
        f"{_PAIR}: instruction and input joined as the prompt, output as the completion",
    ),
    (
        _lists("conversations"),
        "conversations (from, value) as in ShareGPT",
        "write {'messages': [{'role', 'content'}]}: human as user, gpt as assistant, value as content",
    ),
    (
        lambda value: _lists("items")(value) and all(isinstance(i, dict) and "from" in i for i in value["items"]),
        "conversations (items of from, value) as in early ShareGPT",
        "write {'messages': [{'role', 'content'}]}: human as user, gpt as assistant, value as content",
    ),
    (
        _lists("prompt", "completion"),
        "prompts and completions that are lists of messages, as in TRL",
        "join the two lists as {'messages': [...]}",
    ),
    (
        _has("context", "question", "answers"),
        "reading comprehension (context, question, answers) as in SQuAD",
        f"{_PAIR}: context and question joined as the prompt, the first answer's text as the completion",
    ),
    (
        _has("question", "answer"),
        "question and answer records",
        f"{_PAIR}: question as the prompt, answer as the completion",
    ),
    (
        _has("input", "ideal"),
        "samples for OpenAI's evals (input, ideal)",
        "write {'messages': [...]}: the input's messages, then ideal as the assistant's",
    ),
    (
        _has("input", "output"),
        "input and output records",
        "write {'input_text', 'output_text'} or {'prompt', 'completion'}",
    ),
    (_has("prompt", "response"), "prompt and response records", f"{_PAIR}: rename response to completion"),
    (
        _has("text", "label"),
        "labelled texts (text, label)",
        f"{_PAIR}: the text, with what is asked of it, as the prompt, and the label as the completion",
    ),
    (
        _has("custom_id", "body"),
        "batch requests (custom_id, body), not training examples",
        "add each request's answer: {'messages': [..., {'role': 'assistant', 'content'}]}",
    ),
    (
        lambda value: isinstance(value.get("request"), dict) and "contents" in value["request"],
        "batch prediction requests (request), not training examples",
        "write the request's contents, with the model's answer as the last",
    ),
    (
        lambda value: isinstance(value.get("row"), dict) and "row_idx" in value,
        "rows of the Hugging Face dataset viewer (row_idx, row)",
        "write each row's own object, one a line",
    ),
    (
        _has("message_id", "parent_id", "text"),
        "single messages of trees (message_id, parent_id, text) as in OpenAssistant",
        "follow the parents, and write each path as {'messages': [{'role', 'content'}]}",
    ),
    (
        _has("prompt", "canonical_solution"),
        "programming problems (prompt, canonical_solution) as in HumanEval",
        f"{_PAIR}: canonical_solution as the completion",
    ),
    (
        lambda value: set(value) == {"text"},
        "plain texts (text) for continued pre-training",
        f"tuning needs what is asked and what is to be answered: {_PAIR}",
    ),
)


def foreign(value: object) -> Foreign | None:
    """Whose format an example is in; None where it is not known."""
    if not isinstance(value, dict):
        return None
    return next((Foreign(name=name, way=way) for test, name, way in _KNOWN if test(value)), None)
