"""A request and the facts of its data in; a plan out, or every reason why not.

The rules are small named functions (`rules_*.py`), listed in `docs/planning.md`.
"""

from tuneline.planning.model import Plan
from tuneline.planning.parameters import names, same_values
from tuneline.planning.planner import check_cost, check_request, plan
from tuneline.planning.project import check_project
from tuneline.planning.render import render
from tuneline.planning.rules import is_hosted

__all__ = [
    "Plan",
    "check_cost",
    "check_project",
    "check_request",
    "is_hosted",
    "names",
    "plan",
    "render",
    "same_values",
]
