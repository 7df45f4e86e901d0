"""Datasets: every format understood, every problem named.

    Turn, Example, Preference           what a dataset is made of
    detect_format(uri)                  which format a file is in
    read_examples(uri)                  its examples, in a stream
    read_preferences(uri)               those of a preference set, with both responses
    check(uri, against=..., model=...)  everything there is to say about it, as a Report
    convert, fix, split                 new files from it
    render_text, render_html, ...       a Report for people and for programs

Where the parts are, in the order in which bytes pass them: `sources` (one local file, wherever it was), `lines` and
`structure` (whole lines, bracketed values), `containers` (records), `syntax` (JSON or not), `walk` (the rules of each
format), `scan` (all of it, fast), `repeats` (duplicates and leakage), `check` (the report).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneline.datasets.formats import FORMATS
from tuneline.datasets.model import Example, Preference, Turn

if TYPE_CHECKING:
    from tuneline.datasets.checking import check
    from tuneline.datasets.conversion import Converted, convert
    from tuneline.datasets.fixing import Change, Fixed, fix, render_changes
    from tuneline.datasets.page import render_html
    from tuneline.datasets.reading import detect_format, read_examples, read_preferences
    from tuneline.datasets.rendering import render_text
    from tuneline.datasets.report import Report
    from tuneline.datasets.sarif import render_sarif
    from tuneline.datasets.splitting import Split, split

__all__ = [
    "FORMATS",
    "Change",
    "Converted",
    "Example",
    "Fixed",
    "Preference",
    "Report",
    "Split",
    "Turn",
    "check",
    "convert",
    "detect_format",
    "fix",
    "read_examples",
    "read_preferences",
    "render_changes",
    "render_html",
    "render_sarif",
    "render_text",
    "split",
]

_AT = {
    "Change": "fixing",
    "Converted": "conversion",
    "Fixed": "fixing",
    "Report": "report",
    "Split": "splitting",
    "check": "checking",
    "convert": "conversion",
    "detect_format": "reading",
    "fix": "fixing",
    "read_examples": "reading",
    "read_preferences": "reading",
    "render_changes": "fixing",
    "render_html": "page",
    "render_sarif": "sarif",
    "render_text": "rendering",
    "split": "splitting",
}


def __getattr__(name: str) -> object:
    """The functions, loaded when they are first asked for: the trainer reads examples, and need not load reports."""
    if name not in _AT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"tuneline.datasets.{_AT[name]}"), name)
