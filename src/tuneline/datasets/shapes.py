"""Plain, correct examples of each format as typed structures, decoded many lines at a call.

A shape takes only what needs no second look: known fields, each once, the usual order of roles, no blank text. Whatever
it does not take goes to `walk`, line by line, which says what is wrong, or that nothing is. Checked by a test: what a
shape takes, `walk` finds sound, and both read the same turns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from tuneline.datasets import formats
from tuneline.datasets.model import ASSISTANT, SYSTEM, USER, Turn
from tuneline.datasets.typed import (
    Gemini,
    Gemini10,
    GeminiApi,
    GeminiPair,
    GeminiSystemPair,
    GeminiSystemPairSnake,
    ModelContent,
    Openai,
    PalmChat,
    PalmText,
    Preferred,
    PromptCompletion,
    System,
    TextPart,
    UserContent,
)


@dataclass(slots=True)
class Batch:
    """What a shape read from some lines; the lists have one entry a line."""

    keys: list[str]
    """As `survey.input_key` makes them."""
    outputs: list[str]
    input_characters: list[int] | None
    """None where it is the length of the keys."""
    quotes: int
    """Quotation marks that the lines hold outside of texts, if no key is named twice."""
    turns: int
    with_system: int = 0
    authors: int = 0


class NotPlain(Exception):
    """Some line of the batch needs a second look."""


Take = Callable[[list[Any]], Batch]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A decoder of lines and what to make of the structures it gives."""

    decoder: msgspec.json.Decoder
    take: Take


def _blank(texts: list[str]) -> bool:
    return "" in texts or any(map(str.isspace, texts))


def _pairs(inputs: list[str], outputs: list[str], quotes: int) -> Batch:
    if _blank(inputs) or _blank(outputs):
        raise NotPlain
    n = len(inputs)
    return Batch(
        keys=inputs, outputs=outputs, input_characters=None, quotes=quotes * n, turns=2 * n, with_system=0, authors=0
    )


# Quotation marks: two for each key and each text. A Gemini pair has 7 keys and 4 texts.


def _gemini_pairs(examples: list[GeminiPair]) -> Batch:
    contents = [example.contents for example in examples]
    return _pairs([user.parts[0].text for user, _ in contents], [model.parts[0].text for _, model in contents], 22)


def _with_system(given: list[System], contents: list[tuple[UserContent, ModelContent]]) -> Batch:
    inputs = [user.parts[0].text for user, _ in contents]
    batch = _pairs(inputs, [model.parts[0].text for _, model in contents], 22)
    systems = [system.parts[0].text for system in given]
    batch.quotes += sum([system.quotes for system in given])
    if _blank(systems):
        raise NotPlain
    batch.keys = [f"system\x1f{s}\x1euser\x1f{u}" for s, u in zip(systems, inputs, strict=True)]
    batch.input_characters = [len(s) + len(u) for s, u in zip(systems, inputs, strict=True)]
    batch.with_system = len(inputs)
    return batch


def _gemini_system_pairs(examples: list[GeminiSystemPair]) -> Batch:
    return _with_system([e.systemInstruction for e in examples], [e.contents for e in examples])


def _gemini_system_pairs_snake(examples: list[GeminiSystemPairSnake]) -> Batch:
    return _with_system([e.system_instruction for e in examples], [e.contents for e in examples])


def _conversations(read: list[tuple[str, list[tuple[str, str]], int]], authors: bool) -> Batch:
    """From (system text, [(role, text)], quotes) of each example."""
    keys, outputs, characters, quotes, turns, systems = [], [], [], 0, 0, 0
    for system, said, marks in read:
        if not said or len(said) % 2 or said[-1][0] != ASSISTANT:
            raise NotPlain
        expected = USER
        for role, text in said:
            if role != expected or not text or text.isspace():
                raise NotPlain
            expected = ASSISTANT if role == USER else USER
        quotes += marks
        turns += len(said)
        prompt = said[:-1]
        if system:
            systems += 1
            prompt = [(SYSTEM, system), *prompt]
        if len(prompt) == 1:
            keys.append(prompt[0][1])
        else:
            keys.append("\x1e".join([f"{role}\x1f{text}" for role, text in prompt]))
        characters.append(sum([len(text) for _, text in prompt]))
        outputs.append(said[-1][1])
    return Batch(
        keys=keys,
        outputs=outputs,
        input_characters=characters,
        quotes=quotes,
        turns=turns,
        with_system=systems,
        authors=turns if authors else 0,
    )


_ROLE = {"user": USER, "model": ASSISTANT, "assistant": ASSISTANT, "system": SYSTEM}


def _prompted(example: Gemini | Preferred) -> tuple[str, list[tuple[str, str]], int]:
    """(system text, [(role, text)], quotes) of what stands in contents and system instruction."""
    system, marks = "", 2
    for given in (example.systemInstruction, example.system_instruction):
        if given is not None:
            if system or not given.parts[0].text.strip():
                raise NotPlain
            system, marks = given.parts[0].text, marks + given.quotes
    said = []
    for content in example.contents:
        text, more = _joined(content.parts)
        marks += more
        said.append((_ROLE[content.role], text))
    return system, said, marks


def _joined(parts: list[TextPart]) -> tuple[str, int]:
    """The text of a turn's parts, and its quotes."""
    texts = [part.text for part in parts]
    if not texts or _blank(texts):
        raise NotPlain
    return "\n".join(texts), 6 + 4 * len(texts)


def _gemini(examples: list[Gemini]) -> Batch:
    return _conversations([_prompted(example) for example in examples], False)


def _preferences(examples: list[Preferred]) -> Batch:
    read = []
    for example in examples:
        system, said, marks = _prompted(example)
        one, other = example.completions
        (text, quotes), (second, more) = _joined(one.completion.parts), _joined(other.completion.parts)
        if one.score == other.score or text == second:
            raise NotPlain
        # Two quotation marks for each of the keys completions, completion and score.
        read.append((system, [*said, (ASSISTANT, text if one.score else second)], marks + 10 + quotes + more))
    return _conversations(read, False)


def _palm_chat(examples: list[PalmChat]) -> Batch:
    read = []
    for example in examples:
        if example.context.isspace():
            raise NotPlain
        said = [(message.author, message.content) for message in example.messages]
        read.append((example.context, said, 2 + 8 * len(said) + (4 if example.context else 0)))
    return _conversations(read, True)


def _messages(examples: list[Any]) -> Batch:
    read = []
    for example in examples:
        said = [(_ROLE[message.role], message.content) for message in example.messages]
        marks = 2 + 8 * len(said)
        system = ""
        if said and said[0][0] == SYSTEM:
            system = said.pop(0)[1]
            if not system or system.isspace():
                raise NotPlain
        read.append((system, said, marks))
    return _conversations(read, False)


def _flat(first: str, second: str) -> Take:
    from operator import attrgetter

    prompt, response = attrgetter(first), attrgetter(second)
    return lambda examples: _pairs(list(map(prompt, examples)), list(map(response, examples)), 8)


@cache
def shapes(form: str) -> tuple[Shape, ...]:
    """The shapes of a format, the most common first; none for formats that are always walked."""
    types: dict[str, list[tuple[type, Take]]] = {
        formats.GEMINI: [
            (GeminiPair, _gemini_pairs),
            (GeminiSystemPair, _gemini_system_pairs),
            (GeminiSystemPairSnake, _gemini_system_pairs_snake),
            (Gemini, _gemini),
        ],
        formats.PALM_TEXT: [(PalmText, _flat("input_text", "output_text"))],
        formats.GEMINI_API: [(GeminiApi, _flat("text_input", "output"))],
        formats.PROMPT_COMPLETION: [(PromptCompletion, _flat("prompt", "completion"))],
        formats.PALM_CHAT: [(PalmChat, _palm_chat)],
        formats.OPENAI: [(Openai, _messages)],
        formats.GEMINI_1_0: [(Gemini10, _messages)],
        formats.PREFERENCE: [(Preferred, _preferences)],
    }
    return tuple(Shape(decoder=msgspec.json.Decoder(kind), take=take) for kind, take in types.get(form, []))


def plain_turns(form: str, records: list[bytes]) -> list[list[Turn]] | None:
    """The turns of each record, if all are one prompt and its answer, and nothing else; else None."""
    for shape in shapes(form)[:1]:
        try:
            batch = shape.take(shape.decoder.decode_lines(b"\n".join(records)))
        except (msgspec.DecodeError, NotPlain):
            return None
        if batch.input_characters is None and len(batch.keys) == len(records):
            return [
                [Turn(role=USER, text=asked), Turn(role=ASSISTANT, text=answer)]
                for asked, answer in zip(batch.keys, batch.outputs, strict=True)
            ]
    return None
