"""Steps, examples and epochs: how much of the training set a tuning job sees."""

from __future__ import annotations

import math


def examples_seen(train_steps: int, batch_size: int) -> int:
    """Training examples seen = steps × batch size."""
    return train_steps * batch_size


def epochs(train_steps: int, batch_size: int, examples: int) -> float:
    """Complete passes over the set = examples seen ÷ examples in the set."""
    return examples_seen(train_steps, batch_size) / examples


def steps_for(epochs: float, batch_size: int, examples: int) -> int:
    """The fewest steps that see the set so many times."""
    return math.ceil(epochs * examples / batch_size)


def evaluations(train_steps: int, interval: int) -> int:
    """Evaluations made: of the untuned model, at every interval, and at the end; 0 where the interval is 0."""
    if interval < 1:
        return 0
    return 1 + train_steps // interval + (1 if train_steps % interval else 0)


def shown(train_steps: int, batch_size: int, examples: int) -> str:
    """The arithmetic as a person checks it: `300 steps × 8 = 2,400 examples seen = 10 epochs of 240`."""
    passes = epochs(train_steps, batch_size, examples)
    word = "epoch" if passes <= 1 else "epochs"
    return (
        f"{train_steps:,} steps × {batch_size} = {examples_seen(train_steps, batch_size):,} examples seen"
        f" = {passes:,.4g} {word} of {examples:,}"
    )
