"""Retry policies: how often a task is tried again, and how long it waits before that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST_BACKOFF_S = 3600.0
"""Where a policy names no longest wait: the default of `backoffMaxDuration` in pipeline_spec.proto."""


def wait_s(policy: Mapping[str, Any], failures: int) -> float | None:
    """Seconds to wait after that many failures, or None where the task has failed for good.

    `policy` is the task's RetryPolicy as JSON: the wait is backoffDuration × backoffFactor ^ (failures - 1), and no
    longer than backoffMaxDuration.
    """
    if failures > int(policy.get("maxRetryCount", 0)):
        return None
    longest = seconds(policy.get("backoffMaxDuration", "")) or LONGEST_BACKOFF_S
    factor = float(policy.get("backoffFactor", 0)) or 1.0
    return min(seconds(policy.get("backoffDuration", "")) * factor ** (failures - 1), longest)


def seconds(duration: str) -> float:
    """A protobuf duration in JSON (`"1.5s"`) as seconds; '' is none."""
    return float(duration.removesuffix("s") or 0)
