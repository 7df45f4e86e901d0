"""A dataset as tokens: prompt and response of each example, cut to length, with what was cut counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tuneline.datasets import Example
from tuneline.errors import DatasetError, Problem
from tuneline.trainer.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class EncodedExample:
    """An example as the model sees it."""

    index: int
    """0-based place in its dataset; examples that were skipped keep theirs."""
    line: int
    tokens: np.ndarray
    """Prompt, then response: int32."""
    prompt: int
    """Tokens of the prompt."""
    input: str
    """The text of the last turn before the response: what reports show."""
    expected: str

    @property
    def response(self) -> int:
        """Tokens of the response, its end token included."""
        return len(self.tokens) - self.prompt


@dataclass(frozen=True, kw_only=True)
class EncodedDataset:
    """The examples that fit, and how many did not."""

    examples: tuple[Any, ...]
    """EncodedExample each; EncodedPair in a preference set."""
    truncated: int = 0
    """Examples whose response was cut at `max_length`."""
    skipped: int = 0
    """Examples whose prompt alone fills `max_length`."""
    cut: int = 0
    """Examples whose prompt lost its beginning."""
    digest: str = ""
    lengths: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def tokens(self) -> int:
        """Tokens in all examples, prompts included."""
        return int(self.lengths.sum())


def encode(
    examples: Iterable[Example], tokenizer: Tokenizer, *, max_length: int, where: str, cut_prompts: bool = False
) -> EncodedDataset:
    """All examples of a dataset as tokens.

    An example of more than `max_length` tokens loses the end of its response, and with it the end token: what is left
    is still true. Where the prompt leaves no room for a response the example is skipped. With `cut_prompts` a prompt
    first loses its beginning, as much as the response needs, down to half of `max_length`.

    Raises:
        DatasetError: no example is left.
    """
    kept = list(examples)
    prompts = [tokenizer.prompt_text(example.prompt) for example in kept]
    responses = [tokenizer.response_text(e.turns, prompt) for e, prompt in zip(kept, prompts, strict=True)]
    encoded: list[EncodedExample] = []
    truncated = skipped = cut = 0
    tokens = zip(tokenizer.encode_all(prompts), tokenizer.encode_all(responses), strict=True)
    for index, (example, (prompt, response)) in enumerate(zip(kept, tokens, strict=True)):
        closed = tokenizer.close(response)
        room = max(max_length - len(closed), max_length // 2)
        if cut_prompts and len(prompt) > room:
            cut += 1
            prompt = prompt[-room:]
        if len(prompt) >= max_length:
            skipped += 1
            continue
        whole = prompt + closed
        truncated += len(whole) > max_length
        encoded.append(
            EncodedExample(
                index=index,
                line=example.line,
                tokens=np.asarray(whole[:max_length], np.int32),
                prompt=len(prompt),
                input=example.prompt[-1].text if example.prompt else "",
                expected=example.response,
            )
        )
    if not encoded:
        what = "it has no examples" if not kept else f"every prompt is {max_length} tokens or longer"
        raise DatasetError([Problem(where=where, what=what, fix="give shorter examples, or a larger max_length")])
    lengths = np.asarray([len(example.tokens) for example in encoded], np.int64)
    return EncodedDataset(
        examples=tuple(encoded), truncated=truncated, skipped=skipped, cut=cut, digest=_digest(encoded), lengths=lengths
    )


def _digest(examples: Iterable[EncodedExample]) -> str:
    import hashlib

    total = hashlib.sha256()
    for example in examples:
        total.update(np.asarray([example.index, example.prompt, len(example.tokens)], np.int64).tobytes())
        total.update(example.tokens.tobytes())
    return total.hexdigest()
