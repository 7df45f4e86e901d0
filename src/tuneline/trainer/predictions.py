"""Predictions over a held-out set, each beside what was expected, with its teacher-forced score.

A set is predicted in parts, each written when it is whole, so that a run that dies goes on behind the last of them. The
parts are a function of the set alone: what is written in the end does not depend on where a run was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tuneline import objects
from tuneline.trainer.evaluation import score, to_lines
from tuneline.trainer.examples import EncodedExample
from tuneline.trainer.generation import Generator, Sampling
from tuneline.trainer.output import say
from tuneline.trainer.packing import RowShape
from tuneline.trainer.program import Program
from tuneline.trainer.stop import Stopped
from tuneline.trainer.tokenizer import Tokenizer

LARGEST_DEFAULT = 256
BATCH = 32
"""Examples generated for at a time, where nothing is asked for."""
BATCHES_A_PART = 8


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """One base, ready to predict with any adapter."""

    generator: Generator
    program: Program
    tokenizer: Tokenizer
    shape: RowShape
    """In which examples are scored."""
    max_new_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    """How tokens are drawn; the seed of an example is drawn from this one's and the example's index."""
    batch_size: int = BATCH

    def rows(self, adapter: Any, examples: Sequence[EncodedExample]) -> list[dict[str, Any]]:
        """One row an example: index, input, expected, prediction, loss, tokens, correct, finish."""
        generated = self.generator.generate(
            adapter,
            [example.tokens[: example.prompt].tolist() for example in examples],
            max_new_tokens=self.max_new_tokens,
            batch_size=self.batch_size,
            samplings=[_of_example(self.sampling, example.index) for example in examples],
        )
        scores = score(self.program, adapter, examples, self.shape)
        return [
            {
                "index": example.index,
                "input": example.input,
                "expected": example.expected,
                "prediction": self.tokenizer.decode(out.tokens),
                "loss": scored.loss,
                "tokens": scored.tokens,
                "correct": scored.correct,
                "finish": out.finish,
            }
            for example, out, scored in zip(examples, generated, scores, strict=True)
        ]


def default_length(examples: Sequence[EncodedExample], *, most: int = LARGEST_DEFAULT) -> int:
    """Tokens a prediction may have where nothing is asked for: a quarter more than the longest response of a set,
    rounded up to 8, and at most `most`."""
    longest = max(example.response for example in examples)
    return min(most, -(-(longest + longest // 4) // 8) * 8)


def parts(examples: Sequence[EncodedExample], batch_size: int = BATCH) -> list[Sequence[EncodedExample]]:
    """A set cut into what is written at once."""
    size = batch_size * BATCHES_A_PART
    return [examples[at : at + size] for at in range(0, len(examples), size)]


def write_predictions(
    predictor: Predictor,
    adapter: Callable[[], Any],
    examples: Sequence[EncodedExample],
    *,
    output: str,
    name: str,
    told_to_stop: Callable[[], bool],
) -> str:
    """Predict a set under a name; answers the URI of `predictions/NAME.jsonl`. What is there already is kept.

    `adapter` is called, once, only where something is left to predict.

    Raises:
        Stopped: told to stop; the parts so far are complete.
    """
    uri = objects.join(output, "predictions", f"{name}.jsonl")
    folder = objects.join(output, "parts", name)
    if not objects.exists(uri):
        loaded: Any = None
        whole = b""
        cut = parts(examples, predictor.batch_size)
        for number, part in enumerate(cut):
            place = objects.join(folder, f"{number:06d}.jsonl")
            if len(cut) > 1 and objects.exists(place):
                whole += objects.read_bytes(place)
                continue
            if told_to_stop():
                raise Stopped(f"told to stop while predicting with {name}: run the same command again to go on")
            loaded = adapter() if loaded is None else loaded
            lines = to_lines(predictor.rows(loaded, part))
            whole += lines
            if len(cut) > 1:
                objects.write_bytes(place, lines, content_type="application/jsonl")
                say(f"predictions of {name}: {sum(map(len, cut[: number + 1]))} of {len(examples)}")
        objects.write_bytes(uri, whole, content_type="application/jsonl")
    # Also those of an attempt that died between writing the whole and clearing its parts.
    for info in list(objects.list(folder + "/")):
        objects.delete(info.uri)
    return uri


def _of_example(sampling: Sampling, index: int) -> Sampling:
    if sampling.temperature == 0:
        return sampling
    seed = int(np.random.SeedSequence((sampling.seed, index)).generate_state(1)[0])
    return Sampling(temperature=sampling.temperature, top_p=sampling.top_p, top_k=sampling.top_k, seed=seed)
