"""Ranges of a file surveyed; and the life of a process that surveys range after range for another.

This is all that such a process imports. Its ranges are records of two numbers in a file whose position it shares with
the others that read from it: whoever reads next has the next range.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
from typing import BinaryIO

from tuneline.datasets.quotes import Quotes
from tuneline.datasets.rows import Rows
from tuneline.datasets.scan import Observe, scan
from tuneline.datasets.survey import Survey

RANGE = struct.Struct("<qq")
"""First byte of a range, and the one after its last."""


def next_range(queue: int) -> tuple[int, int] | None:
    """Takes a range that nobody has taken; None once there are no more."""
    record = os.read(queue, RANGE.size)
    return RANGE.unpack(record) if len(record) == RANGE.size else None


class Ranges:
    """Surveys ranges of a file, one after the other; what it remembers of each example is in the file `rows`."""

    def __init__(self, fd: int, form: str, kept: int, rows: BinaryIO, observe: Observe | None = None) -> None:
        self.fd, self.form, self.kept, self.rows, self.observe = fd, form, kept, rows, observe
        self._quotes = Quotes()

    def survey(self, low: int, high: int) -> Survey:
        """Surveys the lines that begin in [low, high)."""
        found = scan(
            self.fd,
            low,
            high,
            form=self.form,
            kept=self.kept,
            observe=self.observe,
            rows=Rows(self.rows),
            quotes=self._quotes,
        )
        found.rows.store()
        return found


def main() -> None:
    """Surveys ranges until there are no more, or the process that asked for them is gone."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asked_by = os.getppid()
    fd, queue, rows, results = map(int, sys.argv[1:5])
    form, kept = sys.argv[5], int(sys.argv[6])
    with os.fdopen(rows, "r+b") as remembered, os.fdopen(results, "wb") as answers:
        ranges = Ranges(fd, form, kept, remembered)
        while os.getppid() == asked_by and (taken := next_range(queue)):
            pickle.dump((taken[0], ranges.survey(*taken)), answers)
            answers.flush()
    # What is left to tear down would take longer than a range.
    os._exit(0)
