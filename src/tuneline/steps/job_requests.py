"""What is asked of the plan's engine: one request for the plan as it stands, and one for each of its alternatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneline import jobs
from tuneline.errors import Problem, UsageError
from tuneline.planning import Plan


def requests(plan: Plan, staged: Mapping[str, Any], *, run: str) -> tuple[jobs.Request, ...]:
    """The requests of one job, in the order in which they are tried where capacity is refused.

    Raises:
        UsageError: the plan's engine cannot be used by this version.
    """
    return tuple(_request(choice, staged, run=run) for choice in plan.choices())


def _request(plan: Plan, staged: Mapping[str, Any], *, run: str) -> jobs.Request:
    if plan.engine != "custom_training":
        raise UsageError(
            [
                Problem(
                    where="engine",
                    what=f"this version cannot make jobs of `{plan.engine}`",
                    fix="name an open base model in base_model_uri, which `custom_training` tunes",
                )
            ]
        )
    return jobs.custom_training.request(plan.to_dict(), staged, run=run)
