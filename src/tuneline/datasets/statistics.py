"""Figures of a set: sizes, lengths, tokens, epochs and cost; and the findings that follow from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from tuneline.datasets import tokens as counting
from tuneline.datasets.limits import Limits
from tuneline.datasets.model import Turn
from tuneline.datasets.repeats import Reader
from tuneline.datasets.shapes import plain_turns
from tuneline.datasets.survey import Survey
from tuneline.datasets.tally import Tally

if TYPE_CHECKING:
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
    lengths = survey.rows.lengths
    examples = len(lengths)
    counted = _tokens(sample, lengths.both, options)
    statistics: dict[str, Any] = {
        "examples": survey.records,
        "read": examples,
        "turns": survey.turns,
        "with_system": survey.with_system,
        "with_functions": survey.with_functions,
        "characters": lengths.both.total,
        "input_characters": summary(lengths.inputs),
        "output_characters": summary(lengths.outputs),
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


def summary(lengths: Tally) -> dict[str, Any]:
    """Total, extremes, quantiles and a histogram of at most `BUCKETS` bars, each the same factor wide."""
    import numpy as np

    numbers, times = lengths.distinct()
    if not len(numbers):
        return {"total": 0, "min": 0, "median": 0, "p95": 0, "p99": 0, "max": 0, "histogram": []}
    median, p95, p99 = lengths.quantiles([0.5, 0.95, 0.99])
    low, high = int(numbers[0]), int(numbers[-1])
    edges = np.unique(np.rint(np.geomspace(max(low, 1), high + 1, BUCKETS + 1)).astype(np.int64))
    edges[0] = low
    if len(edges) == 1:
        edges = np.append(edges, high + 1)
    below = np.concatenate([[0], np.cumsum(times)])[np.searchsorted(numbers, edges)]
    return {
        "total": int(numbers @ times),
        "min": low,
        "median": median,
        "p95": p95,
        "p99": p99,
        "max": high,
        "histogram": [
            {"from": first, "to": after - 1, "examples": number}
            for first, after, number in zip(
                edges[:-1].tolist(), edges[1:].tolist(), np.diff(below).tolist(), strict=True
            )
        ],
    }


Sample = list[tuple[Any, list[Turn]]]
"""Some examples: their rows and turns."""


def draw(read: Reader, survey: Survey) -> Sample:
    """Examples drawn by a fixed seed, in order; all of them where there are few."""
    import numpy as np

    lengths = survey.rows.lengths
    examples = size = len(lengths)
    if examples > LEAST:
        mean = lengths.both.total / examples
        size = int(min(examples, counting.SAMPLE, max(LEAST, CHARACTERS / max(1.0, mean))))
    places = sorted(Random(SEED).sample(range(examples), size))
    drawn = survey.rows.examples(np.array(places, dtype=np.int64))
    records = [read.data(row) for row in drawn]
    told = plain_turns(read.form, records) or [read.turns(record) for record in records]
    return list(zip(drawn, told, strict=True))


def _tokens(sample: Sample, lengths: Tally, options: Options) -> counting.Tokens:
    count: Callable[[str], int] = counting.load(options.tokenizer) if options.tokenizer else counting.estimate
    told = [turns for _, turns in sample]
    if not options.tokenizer and len(told) > LEAST // 2:
        # An estimate is off by more than a smaller sample is.
        characters = sum(len(turn.text) for turns in told for turn in turns)
        told = told[:: max(1, min(len(told) * 2 // LEAST, 2 * characters // CHARACTERS))]
    return counting.extrapolate(
        [(sum(len(turn.text) for turn in turns), sum(count(turn.text) for turn in turns)) for turns in told],
        characters=lengths.total,
        examples=len(lengths),
        longest=lengths.max,
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
