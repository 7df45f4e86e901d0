"""When to stop early: token accuracy that no longer improves enough."""

from __future__ import annotations

from collections.abc import Sequence

PATIENCE = 5
"""Evaluations in a row without a gain before the run stops."""
LEAST_GAIN = 0.001
"""What counts as a gain: a tenth of a percent of the response tokens."""


def should_stop(accuracies: Sequence[float]) -> bool:
    """Whether the last PATIENCE evaluations brought no gain over the best before them; the base's is the first."""
    best, since = float("-inf"), 0
    for accuracy in accuracies:
        if accuracy >= best + LEAST_GAIN:
            best, since = accuracy, 0
        else:
            since += 1
    return since >= PATIENCE
