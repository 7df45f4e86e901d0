"""Teacher-forced evaluation of a whole set, counted by token: each example's loss, and its tokens predicted right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneline.trainer.examples import EncodedExample
from tuneline.trainer.packing import RowShape, pack
from tuneline.trainer.program import Program


@dataclass(frozen=True, kw_only=True)
class ExampleScore:
    """Sums over the response tokens of one example."""

    index: int
    loss: float
    tokens: int
    correct: float
    """Tokens predicted right; of a preference pair 1 where it is right, else 0, or a half where nothing was gained."""

    def to_dict(self) -> dict[str, Any]:
        return {"index": self.index, "loss": self.loss, "tokens": self.tokens, "correct": self.correct}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A set as a whole: mean loss a token, share of tokens predicted right."""

    loss: float
    accuracy: float
    tokens: int
    examples: int

    def to_dict(self) -> dict[str, Any]:
        return {"loss": self.loss, "accuracy": self.accuracy, "tokens": self.tokens, "examples": self.examples}


def from_dict(value: Mapping[str, Any]) -> Evaluation:
    """An evaluation as it was written."""
    return Evaluation(
        loss=float(value["loss"]),
        accuracy=float(value["accuracy"]),
        tokens=int(value["tokens"]),
        examples=int(value["examples"]),
    )


def score(program: Program, adapter: Any, examples: Sequence[EncodedExample], shape: RowShape) -> list[ExampleScore]:
    """The score of each example, in their order."""
    scores: dict[int, ExampleScore] = {}
    for packed, places in pack(examples, shape):
        losses, correct = (np.asarray(x, np.float64) for x in program.evaluate(adapter, packed.batch))
        for (row, start, end), place in zip(packed.spans, places, strict=True):
            scores[place] = ExampleScore(
                index=examples[place].index,
                loss=float(losses[row, start:end].sum()),
                tokens=int(packed.batch["counted"][row, start:end].sum()),
                correct=int(correct[row, start:end].sum()),
            )
    return [scores[place] for place in range(len(examples))]


def summarise(scores: Iterable[ExampleScore]) -> Evaluation:
    """The evaluation that the scores of all examples make."""
    scores = list(scores)
    tokens = sum(score.tokens for score in scores)
    return Evaluation(
        loss=sum(score.loss for score in scores) / max(tokens, 1),
        accuracy=sum(score.correct for score in scores) / max(tokens, 1),
        tokens=tokens,
        examples=len(scores),
    )


def to_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
