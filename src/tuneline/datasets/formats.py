"""The formats by name, and how an example's own keys tell them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tuneline.datasets.foreign import foreign

PALM_TEXT, PALM_CHAT = "palm-text", "palm-chat"
GEMINI, GEMINI_1_0, GEMINI_API = "gemini", "gemini-1.0-messages", "gemini-api"
OPENAI, PROMPT_COMPLETION, PREFERENCE = "openai-messages", "prompt-completion", "preference"
UNKNOWN = "unknown"

FORMATS = (GEMINI, GEMINI_1_0, PALM_TEXT, PALM_CHAT, GEMINI_API, OPENAI, PROMPT_COMPLETION, PREFERENCE)

MARKS: dict[str, tuple[str, ...]] = {
    PALM_TEXT: ("input_text", "output_text"),
    GEMINI_API: ("text_input", "output"),
    PROMPT_COMPLETION: ("prompt", "completion"),
}
"""The flat formats and their two keys."""

WRAPPERS: tuple[tuple[str, ...], ...] = (
    ("training_examples",),
    ("trainingExamples",),
    ("examples", "examples"),
    ("examples",),
    ("tuning_task", "training_data", "examples", "examples"),
    ("tuningTask", "trainingData", "examples", "examples"),
    ("training_data", "examples", "examples"),
    ("trainingData", "examples", "examples"),
    ("data",),
    ("instances",),
    ("rows",),
)
"""Where a wrapping object keeps its list of examples."""


def of(value: object) -> str:
    """The format of one example by its keys and roles; `unknown` where none fits."""
    if not isinstance(value, dict):
        return UNKNOWN
    if "contents" in value:
        return PREFERENCE if "completions" in value else GEMINI
    if "completions" in value:
        return PREFERENCE
    if "messages" in value:
        return _of_messages(value)
    for name, keys in MARKS.items():
        if all(key in value for key in keys) and not all(isinstance(value[key], list) for key in keys):
            return name
    if "systemInstruction" in value or "system_instruction" in value:
        return GEMINI
    # Half of a pair still tells the format, so that the other half can be named as missing: but only where
    # the key is one that nobody else uses ("prompt" and "output" stand in many schemas).
    if "input_text" in value or "output_text" in value:
        return PALM_TEXT
    if "text_input" in value:
        return GEMINI_API
    if "completion" in value and foreign(value) is None:
        return PROMPT_COMPLETION
    return UNKNOWN


def _of_messages(value: dict) -> str:
    messages = value["messages"]
    items = [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []
    if any("author" in m for m in items):
        return PALM_CHAT
    roles = {m["role"].lower() for m in items if isinstance(m.get("role"), str)}
    if "model" in roles and "assistant" not in roles:
        return GEMINI_1_0
    if not roles and "context" in value:
        return PALM_CHAT
    return OPENAI


def vote(values: Iterable[object]) -> str:
    """The format of most of the values; `unknown` only where none has one."""
    votes = Counter(of(value) for value in values)
    votes.pop(UNKNOWN, None)
    return max(votes, key=lambda name: (votes[name], -FORMATS.index(name))) if votes else UNKNOWN
