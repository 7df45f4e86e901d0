"""What a dataset is made of once read: examples of turns, the same whatever the file's format."""

from __future__ import annotations

from dataclasses import dataclass

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One message: who speaks (`system`, `user` or `assistant`) and the text."""

    role: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Example:
    """A conversation whose last turn, the assistant's, is the response to learn."""

    turns: tuple[Turn, ...]
    line: int
    """1-based line of the file where the example starts."""

    @property
    def response(self) -> str:
        """The text to learn."""
        return self.turns[-1].text

    @property
    def prompt(self) -> tuple[Turn, ...]:
        """Everything before the response."""
        return self.turns[:-1]


@dataclass(frozen=True, kw_only=True)
class Preference:
    """A prompt with two responses, of which one is preferred to the other."""

    prompt: tuple[Turn, ...]
    """Ends with the user's turn; begins with the system's where there is one."""
    preferred: str
    rejected: str
    line: int
    """1-based line of the file where the example starts."""
