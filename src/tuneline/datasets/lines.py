"""Whole lines of a file, a block at a time, with a bound on how much of one line is ever held."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

BLOCK = 1 << 20
MIN_RANGE, MAX_RANGE = 1 << 20, 32 << 20
"""Bytes of what one of several processes reads at a time."""
MAX_LINE = 16 << 20
"""Bytes of the longest line that is parsed: ten times the largest example that any model takes."""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Whole lines with their newlines: the first `length` bytes of `data`, from byte `offset` of the file.

    What follows them in `data` is the beginning of the next line: cutting it off would copy the block.
    """

    offset: int
    data: bytes
    length: int


@dataclass(frozen=True, kw_only=True)
class LongLine:
    """A line that was skipped for its length."""

    offset: int
    length: int


def blocks(fd: int, start: int, end: int, *, block: int = BLOCK) -> Iterator[Lines | LongLine]:
    """The lines that begin in [start, end), where `start` is the beginning of a line. The last may lack its newline.

    Ends early, without an error, where the file has become shorter: the caller asks whether it changed.
    """
    size = block
    while start < end:
        # The last line that begins before `end` may run beyond it; one that begins at `end` is the next range's.
        data = os.pread(fd, size, start)
        if not data:
            return
        last = len(data) < size and start + len(data) >= end
        if start + len(data) >= end:
            cut = data.find(b"\n", end - 1 - start) + 1
        else:
            cut = data.rfind(b"\n") + 1
        if not cut and last:
            cut = len(data)
        if cut:
            yield Lines(offset=start, data=data, length=cut)
            start += cut
            size = block
        elif size < MAX_LINE:
            size = min(size * 4, MAX_LINE)
        else:
            length = _skip(fd, start, block)
            yield LongLine(offset=start, length=length)
            start += length
            size = block


def _skip(fd: int, start: int, block: int) -> int:
    """Length of the line at `start`, its newline included."""
    at = start
    while data := os.pread(fd, block, at):
        newline = data.find(b"\n")
        if newline >= 0:
            return at + newline + 1 - start
        at += len(data)
    return at - start


def line_start(fd: int, at: int, *, block: int = 1 << 16) -> int:
    """The beginning of the first line that begins at `at` or after it."""
    if at == 0 or os.pread(fd, 1, at - 1) == b"\n":
        return at
    return at + _skip(fd, at, block)


def bounds(
    fd: int, start: int, size: int, processes: int, *, least: int = MIN_RANGE, most: int = MAX_RANGE
) -> list[tuple[int, int]]:
    """Cuts [start, size) into ranges for several processes, each beginning with a line.

    They become shorter towards the end, so that all processes have work until about the same time.
    """
    cuts = [start]
    while (left := size - cuts[-1]) > 0:
        length = min(most, max(least, left // (2 * processes)))
        cuts.append(line_start(fd, min(cuts[-1] + length, size)))
    return list(pairwise(cuts))
