"""Predictions over a held-out set, each beside what was expected, with its teacher-forced score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuneline.trainer.evaluation import score
from tuneline.trainer.examples import EncodedExample
from tuneline.trainer.generation import Generator
from tuneline.trainer.packing import RowShape
from tuneline.trainer.program import Program
from tuneline.trainer.tokenizer import Tokenizer

LARGEST_DEFAULT = 256


def default_length(examples: Sequence[EncodedExample], *, most: int = LARGEST_DEFAULT) -> int:
    """Tokens a prediction may have where nothing is asked for: a quarter more than the longest response learned from,
    rounded up to 8, and at most `most`."""
    longest = max(example.response for example in examples)
    return min(most, -(-(longest + longest // 4) // 8) * 8)


def predict(
    generator: Generator,
    program: Program,
    tokenizer: Tokenizer,
    adapter: Any,
    examples: Sequence[EncodedExample],
    *,
    shape: RowShape,
    max_new_tokens: int,
    batch_size: int = 32,
) -> list[dict[str, Any]]:
    """One row an example: index, input, expected, prediction, loss, tokens, correct, finish."""
    prompts = [example.tokens[: example.prompt].tolist() for example in examples]
    generated = generator.generate(adapter, prompts, max_new_tokens=max_new_tokens, batch_size=batch_size)
    scores = score(program, adapter, examples, shape)
    return [
        {
            "index": example.index,
            "input": example.input,
            "expected": example.expected,
            "prediction": tokenizer.decode(out.tokens),
            "loss": scored.loss,
            "tokens": scored.tokens,
            "correct": scored.correct,
            "finish": out.finish,
        }
        for example, out, scored in zip(examples, generated, scores, strict=True)
    ]
