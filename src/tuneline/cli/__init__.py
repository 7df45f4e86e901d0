"""The command line: one file a noun, each a thin call into the rooms below."""

from tuneline.cli.root import main

__all__ = ["main"]
