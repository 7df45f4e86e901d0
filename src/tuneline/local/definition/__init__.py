"""Google's official API definition: methods, routes, messages, field rules and resource names, none of them by hand."""

from tuneline.local.definition.api import Definition, Method, load

__all__ = ["Definition", "Method", "load"]
