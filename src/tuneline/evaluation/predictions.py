"""Predictions of one model over a set, as the trainer writes them: one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass

from tuneline import objects
from tuneline.errors import TunelineError


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model said to one example."""

    index: int
    """Of the example in its set, from 0."""
    input: str
    expected: str
    prediction: str
    loss: float | None = None
    """Teacher-forced sum over the expected response's tokens, in nats; None where the engine gives none."""
    tokens: int | None = None
    """Of the expected response."""
    correct: int | None = None
    """Expected tokens predicted right, each from the true ones before it."""
    finish: str = ""
    """`stop` or `length`, `error` where there is none, or the service's own word."""
    error: str = ""
    """Why the example was not answered; the prediction is then empty."""


def read_predictions(uri: str) -> list[Prediction]:
    """All predictions of a file, in the order of the set.

    Raises:
        NotFound: there is no such file.
        TunelineError: a line is broken, or an example is there twice; the message names it.
    """
    import orjson

    found: dict[int, Prediction] = {}
    for number, line in enumerate(objects.read_bytes(uri).splitlines(), start=1):
        try:
            row = orjson.loads(line)
            each = Prediction(
                index=int(row["index"]),
                input=str(row["input"]),
                expected=str(row["expected"]),
                prediction=str(row["prediction"]),
                loss=None if row.get("loss") is None else float(row["loss"]),
                tokens=None if row.get("tokens") is None else int(row["tokens"]),
                correct=None if row.get("correct") is None else int(row["correct"]),
                finish=str(row.get("finish") or ""),
                error=str(row.get("error") or ""),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise TunelineError(f"{uri}, line {number} is no prediction: {error!r}") from error
        if each.index in found:
            raise TunelineError(f"{uri}, line {number} predicts example {each.index} a second time")
        found[each.index] = each
    return [found[index] for index in sorted(found)]
