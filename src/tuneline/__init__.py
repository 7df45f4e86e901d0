"""Fine-tuning pipelines for Vertex AI that run on a laptop first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneline._version import __version__

if TYPE_CHECKING:
    from tuneline.runs.templates import load

__all__ = ["__version__", "load"]


def __getattr__(name: str) -> object:
    # Nothing is imported before it is used: a step or a command pays for what it needs alone.
    if name == "load":
        from tuneline.runs.templates import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
