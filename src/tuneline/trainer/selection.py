"""The checkpoints that matter: the one that selection keeps, the best and the last; and which of the others go.

The rule is selection's own (`tuneline.paired`, docs/checkpoints.md), on the same files, so that what will be chosen is
there, and has been predicted with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tuneline import objects, paired
from tuneline.trainer.checkpoints import Checkpoint, complete, remove
from tuneline.trainer.config import Config

LAST_FEW = 2


def made(output: str) -> list[Checkpoint]:
    """The checkpoints that are results, by step: all complete ones but those made on being told to stop."""
    return [checkpoint for checkpoint in complete(output) if not checkpoint.record["stopped"]]


def best(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """The one with the highest token accuracy, then the lowest loss; the last where nothing was evaluated."""
    evaluated = [checkpoint for checkpoint in checkpoints if checkpoint.record["evaluation"]]
    return max(evaluated, key=_rank) if evaluated else checkpoints[-1]


def selected(output: str, checkpoints: Sequence[Checkpoint], config: Config) -> Checkpoint:
    """The one that `enable_checkpoint_selection` keeps: the earliest that nothing tells from the best, or the last."""
    if config.enable_checkpoint_selection == "false" or not config.evaluation_data:
        return checkpoints[-1]
    leader = best(checkpoints)
    rows = _evaluation_rows(output, leader)

    def best_minus(candidate: Checkpoint) -> paired.Comparison:
        correct = [row["correct"] for row in _evaluation_rows(output, candidate)]
        return paired.compare(correct, [row["correct"] for row in rows], weights=[row["tokens"] for row in rows])

    return paired.earliest_as_good([c for c in checkpoints if c.step <= leader.step], leader, best_minus)


def candidates(output: str, checkpoints: Sequence[Checkpoint], config: Config) -> list[Checkpoint]:
    """The checkpoints worth predicting with, by step: the selected, the best and the last."""
    chosen = (selected(output, checkpoints, config), best(checkpoints), checkpoints[-1])
    return [each for _, each in sorted({each.step: each for each in chosen}.items())]


def prune(output: str, config: Config) -> None:
    """Delete checkpoints until `keep_checkpoints` are left: never one that matters now, nor the last few; of the others
    the one with the lowest token accuracy goes first, then the oldest. Their evaluations stay.

    What goes is a function of what is there, so that a run killed in between deletes the same.
    """
    found = made(output)
    if not config.keep_checkpoints or len(found) <= config.keep_checkpoints:
        return
    safe = {each.step for each in (*candidates(output, found, config), *found[-LAST_FEW:])}
    others = sorted((each for each in found if each.step not in safe), key=_worth)
    for each in others[: len(found) - config.keep_checkpoints]:
        remove(each)


def _worth(checkpoint: Checkpoint) -> tuple[float, int]:
    evaluation = checkpoint.record["evaluation"]
    return evaluation["accuracy"] if evaluation else 0.0, checkpoint.step


def _rank(checkpoint: Checkpoint) -> tuple[float, float, int]:
    evaluation = checkpoint.record["evaluation"]
    return evaluation["accuracy"], -evaluation["loss"], -checkpoint.step


def _evaluation_rows(output: str, checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """The per-example figures of a checkpoint's evaluation, in the order of the set."""
    uri = objects.join(output, "evaluations", f"step-{checkpoint.step:06d}.jsonl")
    return [json.loads(line) for line in objects.read_bytes(uri).splitlines()]
