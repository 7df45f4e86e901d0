"""Google's official API definition: methods, routes, messages, field rules and resource names, none of them by hand."""

import json
from importlib import resources

from tuneline.local.definition.api import Definition, Method, load

__all__ = ["Definition", "Method", "load", "versions"]


def versions() -> dict[str, str]:
    """Which publications of Google's the definition was made from."""
    return dict(json.loads(resources.files(__name__).joinpath("versions.json").read_text()))
