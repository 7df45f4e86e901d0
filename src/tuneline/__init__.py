"""Fine-tuning pipelines for Vertex AI that run on a laptop first.

tuneline.submit("tune-large-model", {...}, project=..., region=..., pipeline_root=...)   run it
tuneline.pipelines.tune_large_model_core(...)                                            compose it
tuneline.load("tune-large-model", image=...)                                             the same, with an image
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tuneline._version import __version__

if TYPE_CHECKING:
    from tuneline import components, pipelines
    from tuneline.runs.sdk import submit
    from tuneline.runs.templates import load

__all__ = ["__version__", "components", "load", "pipelines", "submit"]

_FUNCTIONS = {"load": "tuneline.runs.templates", "submit": "tuneline.runs.sdk"}
_MODULES = ("components", "pipelines")


def __getattr__(name: str) -> object:
    # Nothing is imported before it is used: a step or a command pays for what it needs alone.
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    if name in _MODULES:
        return import_module(f"tuneline.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
