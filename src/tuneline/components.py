"""Each released component as a KFP component: `from tuneline.components import validate_dataset`.

They are loaded from the compiled files that this version ships, when they are first named; kfp is imported then.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp.dsl import base_component


@cache
def __getattr__(name: str) -> base_component.BaseComponent:
    from tuneline.runs import templates

    if name.replace("_", "-") not in templates.names("components"):
        raise AttributeError(f"tuneline.components has no {name!r}; it has: {', '.join(__dir__())}")
    return templates.load(name)


def __dir__() -> list[str]:
    from tuneline.runs import templates

    return [name.replace("-", "_") for name in templates.names("components")]
