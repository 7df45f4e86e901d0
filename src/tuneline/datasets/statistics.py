"""Figures of a set: sizes, lengths, tokens, epochs and cost; and the findings that follow from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from tuneline.datasets import tokens as counting
from tuneline.datasets.limits import Limits
from tuneline.datasets.model import ASSISTANT, USER, Turn
from tuneline.datasets.repeats import Reader
from tuneline.datasets.rows import EXAMPLE
from tuneline.datasets.shapes import pairs
from tuneline.datasets.survey import Survey

if TYPE_CHECKING:
    import numpy as np

    from tuneline.datasets.checking import Options

SEED = 20_241_009
"""Of the sample: the same examples in every check of the same file."""
LEAST, CHARACTERS = 400, 500_000
"""Examples that are drawn at least; characters that are enough, since counting their tokens takes longer than reading
a hundred times as many."""
BUCKETS = 20


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The three parts of the report that are numbers."""

    statistics: dict[str, Any]
    tokens: dict[str, Any]
    cost: dict[str, Any]
    counted: counting.Tokens


def gather(sample: Sample, survey: Survey, bounds: Limits, options: Options) -> Figures:
    """Statistics, tokens and cost of the surveyed set."""
    import numpy as np

    inputs, outputs = lengths(survey)
    examples = len(inputs)
    characters = int(inputs.sum(dtype=np.int64) + outputs.sum(dtype=np.int64))
    counted = _tokens(sample, examples, characters, int((inputs + outputs).max(initial=0)), options)
    statistics: dict[str, Any] = {
        "examples": survey.records,
        "read": examples,
        "turns": survey.turns,
        "with_system": survey.with_system,
        "with_functions": survey.with_functions,
        "characters": characters,
        "input_characters": summary(inputs),
        "output_characters": summary(outputs),
        "media": dict(survey.media),
    }
    if survey.classes is not None and examples and 1 < len(survey.classes) <= examples // 5:
        statistics["classes"] = dict(survey.classes.most_common(20))
    epochs = options.epochs
    if options.steps and options.batch_size and examples:
        epochs = options.steps * options.batch_size / survey.records
        statistics["examples_seen"] = options.steps * options.batch_size
    if epochs:
        statistics["epochs"] = round(epochs, 3)
    token_dict = counted.to_dict()
    token_dict["per_example"] = round(counted.total / examples, 1) if examples else 0.0
    return Figures(statistics=statistics, tokens=token_dict, cost=_cost(counted, bounds, epochs), counted=counted)


def lengths(survey: Survey) -> tuple[np.ndarray, np.ndarray]:
    """Characters of the inputs and of the outputs of all that could be read as examples."""
    kind = survey.rows.column("kind")
    inputs, outputs = survey.rows.column("inputs"), survey.rows.column("outputs")
    if kind.any():
        return inputs[kind == EXAMPLE], outputs[kind == EXAMPLE]
    return inputs, outputs


def summary(values: np.ndarray) -> dict[str, Any]:
    """Total, extremes, quantiles and a histogram of at most `BUCKETS` bars, each the same factor wide."""
    import numpy as np

    if not len(values):
        return {"total": 0, "min": 0, "median": 0, "p95": 0, "p99": 0, "max": 0, "histogram": []}
    # Sorted once, it answers all of these.
    ordered = np.sort(values)
    median, p95, p99 = (int(ordered[round(q / 100 * (len(ordered) - 1))]) for q in (50, 95, 99))
    low, high = int(ordered[0]), int(ordered[-1])
    edges = np.unique(np.rint(np.geomspace(max(low, 1), high + 1, BUCKETS + 1)).astype(np.int64))
    edges[0] = low
    if len(edges) == 1:
        edges = np.append(edges, high + 1)
    counts = np.diff(np.searchsorted(ordered, edges[:-1]), append=len(ordered))
    return {
        "total": int(values.sum(dtype=np.int64)),
        "min": int(values.min()),
        "median": median,
        "p95": p95,
        "p99": p99,
        "max": high,
        "histogram": [
            {"from": first, "to": after - 1, "examples": number}
            for first, after, number in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
        ],
    }


Sample = list[tuple[Any, list[Turn]]]
"""Some examples: their rows and turns."""


def draw(read: Reader, survey: Survey) -> Sample:
    """Examples drawn by a fixed seed, in order; all of them where there are few."""
    import numpy as np

    kind = survey.rows.column("kind")
    examples = len(kind) - int(np.count_nonzero(kind))
    size = examples
    if examples > LEAST:
        inputs, outputs = lengths(survey)
        mean = float(inputs.mean() + outputs.mean())
        size = int(min(examples, counting.SAMPLE, max(LEAST, CHARACTERS / max(1.0, mean))))
    places = np.array(sorted(Random(SEED).sample(range(examples), size)), dtype=np.int64)
    if examples < len(kind):
        places = np.flatnonzero(kind == EXAMPLE)[places]
    drawn = survey.rows.take(places)
    records = [read.data(row) for row in drawn]
    plain = pairs(read.form, records)
    if plain is not None:
        told = [[Turn(role=USER, text=asked), Turn(role=ASSISTANT, text=answer)] for asked, answer in plain]
    else:
        told = [read.turns(record) for record in records]
    return list(zip(drawn, told, strict=True))


def _tokens(sample: Sample, examples: int, characters: int, longest: int, options: Options) -> counting.Tokens:
    count: Callable[[str], int] = counting.load(options.tokenizer) if options.tokenizer else counting.estimate
    return counting.extrapolate(
        [(sum(len(turn.text) for turn in turns), sum(count(turn.text) for turn in turns)) for _, turns in sample],
        characters=characters,
        examples=examples,
        longest=longest,
        tokenizer=options.tokenizer or "",
    )


def _cost(counted: counting.Tokens, bounds: Limits, epochs: float) -> dict[str, Any]:
    """USD for training tokens, where the catalogue knows a price; what is unknown is null."""
    times = epochs or 1.0
    cost: dict[str, Any] = {
        "model": bounds.target,
        "currency": "USD",
        "epochs": round(times, 3),
        "billable_tokens": round(counted.total * times),
        "usd_per_million_tokens": bounds.price_per_million,
        "low": None,
        "high": None,
        "known": bounds.price_per_million is not None,
        "source": bounds.price_source or "no price is known for this target",
    }
    if bounds.price_per_million is not None:
        cost["low"] = round(counted.low * times * bounds.price_per_million / 1e6, 4)
        cost["high"] = round(counted.high * times * bounds.price_per_million / 1e6, 4)
    return cost
