"""A tuning job's output folder as the trainer leaves it, with rows of the test's own choosing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Rows = Sequence[tuple[float, int, int]]
"""(loss, tokens, correct) of each evaluation example."""


def write_output(folder: Path, evaluations: Mapping[int, Rows], *, base: Rows | None = None) -> str:
    """Writes checkpoints and evaluations into `folder`; returns it as the URI that a result is read from."""
    (folder / "evaluations").mkdir(parents=True)
    if base is not None:
        _write_rows(folder, 0, base)
    for step, rows in evaluations.items():
        if rows:
            _write_rows(folder, step, rows)
    result = {
        "state": "succeeded",
        "steps": max(evaluations, default=0),
        "stop_reason": "train_steps",
        "checkpoints": [
            {
                "step": step,
                "epoch": step / 10,
                "uri": f"{folder}/checkpoints/step-{step:06d}",
                "evaluation": _summary(rows),
                "predictions": "",
            }
            for step, rows in evaluations.items()
        ],
        "base": {"evaluation": _summary(base or ()), "predictions": ""},
        "base_model": {"requested": "builtin:tiny", "used": "builtin:tiny", "stand_in": False},
    }
    (folder / "result.json").write_text(json.dumps(result))
    return str(folder)


def write_metrics(folder: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Writes `metrics.jsonl`."""
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _write_rows(folder: Path, step: int, rows: Rows) -> None:
    lines = [
        json.dumps({"index": index, "loss": loss, "tokens": tokens, "correct": correct})
        for index, (loss, tokens, correct) in enumerate(rows)
    ]
    (folder / "evaluations" / f"step-{step:06d}.jsonl").write_text("\n".join(lines) + "\n")


def _summary(rows: Rows) -> dict[str, float] | None:
    if not rows:
        return None
    tokens = sum(row[1] for row in rows)
    return {
        "loss": sum(row[0] for row in rows) / tokens,
        "accuracy": sum(row[2] for row in rows) / tokens,
        "tokens": tokens,
        "examples": len(rows),
    }
