"""Values of a JSON file that is not one a line, found by their brackets in a stream.

Strings are told from structure by the parity of unescaped quotes, brackets are counted outside of them: whole blocks at
a time in numpy, so that an array of a gigabyte is cut into its elements without being parsed twice or held.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from tuneline.datasets.lines import BLOCK, MAX_LINE

_BACKSLASH, _QUOTE, _NEWLINE = 0x5C, 0x22, 0x0A
_OPEN, _CLOSE = 0x7B, 0x7D  # also [ and ] once bit 0x20 is set


@dataclass(frozen=True, kw_only=True)
class Span:
    """One value of the file."""

    offset: int
    length: int
    line: int
    column: int
    """1-based byte of the line."""
    closed: bool = True
    """False for a value that the file ends in the middle of."""


def spans(fd: int, start: int, *, line: int = 1, column: int = 1) -> Iterator[Span]:
    """The bracketed values from byte `start` on, until the bracket that is open around `start` closes, or the file
    ends. `line` and `column` are those of `start`."""
    import numpy as np

    depth, in_string, escaped = 0, 0, False
    begun: tuple[int, int, int] | None = None
    line_at = start - (column - 1)
    at = start
    while data := os.pread(fd, BLOCK, at):
        array = np.frombuffer(data, dtype=np.uint8)
        quotes = np.flatnonzero(array == _QUOTE)
        backslashes = np.flatnonzero(array == _BACKSLASH)
        quotes, escaped = unescaped(quotes, backslashes, len(array), escaped)
        folded = array | 0x20
        brackets = np.flatnonzero((folded == _OPEN) | (folded == _CLOSE))
        outside = (np.searchsorted(quotes, brackets) + in_string) % 2 == 0
        brackets = brackets[outside]
        opens = folded[brackets] == _OPEN
        depths = depth + np.cumsum(np.where(opens, 1, -1))
        newlines = np.flatnonzero(array == _NEWLINE)
        edges = np.flatnonzero((opens & (depths == 1)) | (~opens & (depths <= 0)))
        for edge in edges.tolist():
            position = int(brackets[edge])
            if opens[edge]:
                before = int(np.searchsorted(newlines, position))
                from_line = at + int(newlines[before - 1]) + 1 if before else line_at
                begun = (at + position, line + before, at + position - from_line + 1)
            elif depths[edge] < 0:
                return
            elif begun is not None:
                yield Span(offset=begun[0], length=at + position + 1 - begun[0], line=begun[1], column=begun[2])
                begun = None
        depth = int(depths[-1]) if len(depths) else depth
        in_string = (in_string + len(quotes)) % 2
        line += len(newlines)
        if len(newlines):
            line_at = at + int(newlines[-1]) + 1
        at += len(data)
        if begun is not None and at - begun[0] > MAX_LINE:
            break
    if begun is not None:
        yield Span(offset=begun[0], length=at - begun[0], line=begun[1], column=begun[2], closed=False)


def unescaped(quotes, backslashes, length: int, escaped: bool):
    """The quotes that no backslash escapes, and whether the block ends in the middle of an escape."""
    import numpy as np

    if not len(backslashes):
        return (quotes[quotes != 0] if escaped else quotes), False
    breaks = np.flatnonzero(np.diff(backslashes) != 1) + 1
    first = np.concatenate(([0], breaks))
    last = np.concatenate((breaks, [len(backslashes)])) - 1
    starts, ends = backslashes[first], backslashes[last]
    odd = (ends - starts + 1) % 2 == 1
    if escaped:
        # The first character of the block is escaped: a run that starts there loses one.
        if starts[0] == 0:
            odd[0] = not odd[0]
        quotes = quotes[quotes != 0]
    victims = ends[odd] + 1
    return quotes[~np.isin(quotes, victims)], bool(len(victims) and victims[-1] == length)
