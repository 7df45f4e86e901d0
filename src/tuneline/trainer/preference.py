"""Direct preference optimisation: of two responses to a prompt, the preferred one becomes likelier than the other.

The loss of a pair is -log σ(β (m - m₀)): m is log p(preferred) - log p(rejected) under the adapter, m₀ the same under
the adapter the run began with, which changes nothing unless the run goes on from another's (Rafailov et al. 2023,
https://arxiv.org/abs/2305.18290, equation 7). m₀ is computed once, before the first step. Counted by pair: a pair is
right when its m is above its m₀; where the two are equal it is half right, which is what a coin would be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tuneline.datasets import Example, Preference, Turn
from tuneline.trainer.architecture import Architecture
from tuneline.trainer.evaluation import ExampleScore
from tuneline.trainer.examples import EncodedDataset, EncodedExample, encode
from tuneline.trainer.loss import token_losses
from tuneline.trainer.model import Adapter, Weights
from tuneline.trainer.packing import Batch, Packed, RowShape, fill, first_fit
from tuneline.trainer.preparation import Run
from tuneline.trainer.program import Program
from tuneline.trainer.tokenizer import Tokenizer
from tuneline.trainer.training import Loop

MOST_PAIRS = 16
"""Pairs in a row at most, each in two segments."""
PAIRS, REFERENCE = "pairs", "reference"
"""What a batch holds beside `packing.FIELDS`, both (rows, MOST_PAIRS): whether there is a pair, and its m₀."""


@dataclass(frozen=True, kw_only=True)
class EncodedPair:
    """One example of a preference set, as the model sees it: its prompt twice, each time with a response."""

    preferred: EncodedExample
    rejected: EncodedExample
    reference: float = 0.0
    """m₀."""

    @property
    def index(self) -> int:
        """0-based place in the dataset."""
        return self.preferred.index

    @property
    def line(self) -> int:
        return self.preferred.line

    @property
    def response(self) -> int:
        """Tokens of the preferred response: what predictions are as long as."""
        return self.preferred.response

    @property
    def tokens(self) -> np.ndarray:
        """All tokens of both, which is what the pair takes up in a row."""
        return np.concatenate([self.preferred.tokens, self.rejected.tokens])


def encode_pairs(
    examples: Iterable[Preference], tokenizer: Tokenizer, *, max_length: int, cut_prompts: bool, where: str
) -> EncodedDataset:
    """All pairs of a preference set as tokens; one is skipped where its prompt fills `max_length`, as `encode` says.

    Raises:
        DatasetError: no example is left.
    """
    kept = list(examples)

    def side(response: Callable[[Preference], str]) -> EncodedDataset:
        whole = (
            Example(turns=(*each.prompt, Turn(role="assistant", text=response(each))), line=each.line) for each in kept
        )
        return encode(whole, tokenizer, max_length=max_length, cut_prompts=cut_prompts, where=where)

    preferred, rejected = side(lambda each: each.preferred), side(lambda each: each.rejected)
    pairs = tuple(
        EncodedPair(preferred=one, rejected=other)
        for one, other in zip(preferred.examples, rejected.examples, strict=True)
    )
    return EncodedDataset(
        examples=pairs,
        truncated=preferred.truncated + rejected.truncated,
        skipped=preferred.skipped,
        cut=preferred.cut,
        digest=f"{preferred.digest}-{rejected.digest}",
        lengths=preferred.lengths + rejected.lengths,
    )


def pack_pairs(pairs: Sequence[EncodedPair], shape: RowShape) -> list[tuple[Packed, list[int]]]:
    """The pairs in one or more batches of the shape, each with the places in `pairs` of its pairs, row by row."""
    fitted = first_fit([len(pair.tokens) for pair in pairs], shape.length)
    rows = [row[at : at + MOST_PAIRS] for row in fitted for at in range(0, len(row), MOST_PAIRS)]
    out = []
    for at in range(0, len(rows), shape.rows):
        part = rows[at : at + shape.rows]
        sides = [side for pair in pairs for side in (pair.preferred, pair.rejected)]
        packed = fill(sides, [[2 * place + side for place in row for side in (0, 1)] for row in part], shape)
        packed.batch[PAIRS] = np.zeros((shape.rows, MOST_PAIRS), np.float32)
        packed.batch[REFERENCE] = np.zeros((shape.rows, MOST_PAIRS), np.float32)
        for row, places in enumerate(part):
            packed.batch[PAIRS][row, : len(places)] = 1.0
            packed.batch[REFERENCE][row, : len(places)] = [pairs[place].reference for place in places]
        out.append((packed, [place for row in part for place in row]))
    return out


def margins(
    architecture: Architecture, weights: Weights, adapter: Adapter, scale: float, batch: Batch, **how: Any
) -> jax.Array:
    """m of each pair (rows, MOST_PAIRS), fp32."""
    losses, _ = token_losses(architecture, weights, adapter, scale, batch, **how)
    sides = jax.nn.one_hot(batch["segments"] - 1, 2 * MOST_PAIRS, dtype=jnp.float32)
    likely = -jnp.einsum("rt,rts->rs", losses, sides).reshape(losses.shape[0], MOST_PAIRS, 2)
    return likely[..., 0] - likely[..., 1]


def objective(run: Run, *, scale: float) -> dict[str, Any]:
    """What `program.build` has to know: how (loss, correct) of each pair (rows, MOST_PAIRS) come about."""

    def losses(weights: Weights, adapter: Adapter, batch: Batch, **how: Any) -> tuple[jax.Array, jax.Array]:
        gained = margins(run.base.architecture, weights, adapter, scale, batch, **how) - batch[REFERENCE]
        right = (jnp.sign(gained) + 1) / 2
        return -jax.nn.log_sigmoid(run.config.beta * gained) * batch[PAIRS], right * batch[PAIRS]

    return {"losses": losses, "counts": PAIRS}


def with_references(run: Run, adapter: Adapter, evaluation_shape: RowShape | None, *, scale: float) -> Run:
    """The run, each pair of its sets with its m₀ under the adapter that it begins with."""
    base = run.base

    @jax.jit
    def of(adapter: Adapter, weights: Weights, batch: Any) -> jax.Array:
        found = margins(base.architecture, weights, adapter, scale, batch, placement=base.placement)
        return base.placement.gathered(found)

    def referred(dataset: EncodedDataset, shape: RowShape) -> EncodedDataset:
        found: dict[int, float] = {}
        for packed, places in pack_pairs(dataset.examples, shape):
            rows = base.placement.rows(packed.batch)
            values = np.asarray(of(adapter, base.weights, rows))[packed.batch[PAIRS] > 0]
            found.update(zip(places, values.tolist(), strict=True))
        pairs = tuple(dataclasses.replace(pair, reference=found[place]) for place, pair in enumerate(dataset.examples))
        return dataclasses.replace(dataset, examples=pairs)

    evaluation = run.evaluation
    if evaluation is not None and evaluation_shape is not None:
        evaluation = referred(evaluation, evaluation_shape)
    return dataclasses.replace(run, train=referred(run.train, run.train_shape), evaluation=evaluation)


def score_pairs(program: Program, adapter: Any, pairs: Sequence[EncodedPair], shape: RowShape) -> list[ExampleScore]:
    """The loss of each pair and whether it is right, in their order; each counts as one prediction."""
    scores: dict[int, ExampleScore] = {}
    for packed, places in pack_pairs(pairs, shape):
        there = packed.batch[PAIRS] > 0
        losses, correct = (np.asarray(x, np.float64)[there] for x in program.evaluate(adapter, packed.batch))
        for place, loss, right in zip(places, losses.tolist(), correct.tolist(), strict=True):
            scores[place] = ExampleScore(index=pairs[place].index, loss=loss, tokens=1, correct=right)
    return [scores[place] for place in range(len(pairs))]


class PreferenceLoop(Loop):
    """The loop of training over pairs; everything else about a run is as in supervised tuning."""

    counted = "pair"

    def batches(self, examples: Sequence[Any]) -> list[Batch]:
        """The pairs of a step, packed."""
        return [packed.batch for packed, _ in pack_pairs(examples, self.run.train_shape)]

    def scores(self, adapter: Any, examples: Sequence[Any], shape: RowShape) -> list[ExampleScore]:
        """The score of each pair."""
        return score_pairs(self.program, adapter, examples, shape)
