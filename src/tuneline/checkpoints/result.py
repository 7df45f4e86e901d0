"""What a tuning job left in its output folder: `result.json`, and one row an evaluation example for each evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tuneline import objects
from tuneline.errors import TunelineError

if TYPE_CHECKING:
    import numpy as np

BASE_STEP = 0
"""The step number under which the untuned base is evaluated."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One pass over the evaluation set."""

    loss: float
    """Mean over the response tokens, in nats."""
    accuracy: float
    """Share of response tokens predicted right, each from the true tokens before it."""
    tokens: int
    examples: int

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One adapter that was kept."""

    step: int
    uri: str
    """Folder of the adapter."""
    epoch: float = 0.0
    evaluation: Evaluation | None = None
    predictions: str = ""
    """URI of its predictions, or empty where it made none."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished job, as its `result.json` tells it."""

    output_uri: str
    steps: int
    stop_reason: str
    checkpoints: tuple[Checkpoint, ...]
    """In order of their steps."""
    base_evaluation: Evaluation | None = None
    base_predictions: str = ""
    base_model: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for and what was used: `requested`, `used`, `stand_in`, `name`, `digest`, `parameters`."""
    dataset: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def at(self, step: int) -> Checkpoint:
        """The checkpoint of a step.

        Raises:
            TunelineError: none was kept there.
        """
        for checkpoint in self.checkpoints:
            if checkpoint.step == step:
                return checkpoint
        kept = ", ".join(str(checkpoint.step) for checkpoint in self.checkpoints) or "none"
        raise TunelineError(f"{self.output_uri} holds no checkpoint of step {step}; kept: {kept}")


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One evaluation, example by example; the arrays are parallel, of shape (examples,), in the order of the set."""

    index: np.ndarray
    """0-based places of the examples in the set; those that the trainer skipped are not among them."""
    loss: np.ndarray
    """Sum over the response's tokens, in nats."""
    tokens: np.ndarray
    correct: np.ndarray
    """Response tokens predicted right."""


def read_result(output_uri: str) -> Result:
    """Reads `result.json` of a job's output folder.

    Raises:
        NotFound: the folder has none: the job has not succeeded, or its output was deleted.
        TunelineError: the file is not such a result; the message names the key.
    """
    raw = objects.read_json(objects.join(output_uri, "result.json"))
    try:
        base = raw.get("base") or {}
        return Result(
            output_uri=output_uri,
            steps=int(raw["steps"]),
            stop_reason=str(raw.get("stop_reason", "")),
            checkpoints=tuple(sorted((_checkpoint(each) for each in raw["checkpoints"]), key=lambda each: each.step)),
            base_evaluation=_evaluation(base.get("evaluation")),
            base_predictions=base.get("predictions") or "",
            base_model=raw.get("base_model") or {},
            dataset=raw.get("dataset") or {},
            raw=raw,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TunelineError(
            f"{objects.join(output_uri, 'result.json')} is not a result as docs/trainer.md has it: {error!r}"
        ) from error


def read_rows(output_uri: str, step: int) -> Rows:
    """Reads `evaluations/step-N.jsonl`; step 0 is the untuned base.

    Raises:
        NotFound: that step was not evaluated.
        TunelineError: a line is broken, or an example is there twice; the message names it.
    """
    import numpy as np
    import orjson

    uri = objects.join(output_uri, "evaluations", f"step-{step:06d}.jsonl")
    rows = []
    for number, line in enumerate(objects.read_bytes(uri).splitlines(), start=1):
        try:
            row = orjson.loads(line)
            rows.append((int(row["index"]), float(row["loss"]), float(row["tokens"]), float(row["correct"])))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise TunelineError(f"{uri}, line {number} is no evaluation row: {error!r}") from error
    table = np.array(sorted(rows), dtype=np.float64).reshape(-1, 4)
    index = table[:, 0].astype(np.int64)
    twice = index[1:][np.diff(index) == 0]
    if twice.size:
        raise TunelineError(f"{uri} evaluates example {twice[0]} twice")
    return Rows(index=index, loss=table[:, 1], tokens=table[:, 2], correct=table[:, 3])


def _checkpoint(value: Mapping[str, Any]) -> Checkpoint:
    return Checkpoint(
        step=int(value["step"]),
        uri=str(value["uri"]),
        epoch=float(value.get("epoch") or 0.0),
        evaluation=_evaluation(value.get("evaluation")),
        predictions=value.get("predictions") or "",
    )


def _evaluation(value: Mapping[str, Any] | None) -> Evaluation | None:
    if not value:
        return None
    return Evaluation(
        loss=float(value["loss"]),
        accuracy=float(value["accuracy"]),
        tokens=int(value["tokens"]),
        examples=int(value["examples"]),
    )
