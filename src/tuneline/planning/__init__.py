"""A request and the facts of its data in; a plan out, or every reason why not."""

from tuneline.planning.model import Plan

__all__ = ["Plan"]
