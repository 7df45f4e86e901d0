"""Plain examples of each format as typed structures: known fields alone, in the usual roles. `shapes` reads them."""

from __future__ import annotations

from typing import Literal

import msgspec


class Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The base of all shapes. `gc=False`: no cycles, and the collector need not look at millions of them."""


class TextPart(Plain):
    """One part of text."""

    text: str


class UserContent(Plain):
    """A user's turn of one part."""

    role: Literal["user"]
    parts: tuple[TextPart]


class ModelContent(Plain):
    """A model's turn of one part."""

    role: Literal["model"]
    parts: tuple[TextPart]


class System(Plain):
    """A system instruction; its role is ignored, so that `system` is as good as none."""

    parts: tuple[TextPart]
    role: Literal["system"] | msgspec.UnsetType = msgspec.UNSET

    @property
    def quotes(self) -> int:
        """Quotation marks, its own key's included."""
        return 8 if self.role is msgspec.UNSET else 12


class GeminiPair(Plain):
    """A prompt and its answer."""

    contents: tuple[UserContent, ModelContent]


class GeminiSystemPair(Plain):
    """The same under a system instruction."""

    systemInstruction: System
    contents: tuple[UserContent, ModelContent]


class GeminiSystemPairSnake(Plain):
    """The same in the other spelling."""

    system_instruction: System
    contents: tuple[UserContent, ModelContent]


class Content(Plain):
    """A turn of several parts of text."""

    role: Literal["user", "model"]
    parts: list[TextPart]


class Gemini(Plain):
    """A conversation."""

    contents: list[Content]
    systemInstruction: System | None = None
    system_instruction: System | None = None


class Answer(Plain):
    """A response of a preference example."""

    role: Literal["model"]
    parts: list[TextPart]


class Scored(Plain):
    """A response with its score."""

    completion: Answer
    score: Literal[0, 1]


class Preferred(Plain):
    """A prompt with two scored responses."""

    contents: list[Content]
    completions: tuple[Scored, Scored]
    systemInstruction: System | None = None
    system_instruction: System | None = None


class PalmText(Plain):
    """`input_text` and `output_text`."""

    input_text: str
    output_text: str


class GeminiApi(Plain):
    """`text_input` and `output`."""

    text_input: str
    output: str


class PromptCompletion(Plain):
    """`prompt` and `completion`."""

    prompt: str
    completion: str


class AuthorMessage(Plain):
    """A message of palm-chat."""

    author: Literal["user", "assistant"]
    content: str


class PalmChat(Plain):
    """A palm-chat conversation."""

    messages: list[AuthorMessage]
    context: str = ""


class OpenaiMessage(Plain):
    """A message of openai-messages."""

    role: Literal["system", "user", "assistant"]
    content: str


class Openai(Plain):
    """An openai-messages conversation."""

    messages: list[OpenaiMessage]


class Gemini10Message(Plain):
    """A message of gemini-1.0-messages."""

    role: Literal["system", "user", "model"]
    content: str


class Gemini10(Plain):
    """A gemini-1.0-messages conversation."""

    messages: list[Gemini10Message]
