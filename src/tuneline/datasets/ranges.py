"""A file of JSON lines surveyed by several processes, each over ranges of its bytes.

The others are plain child processes that are handed the open file and take ranges as this one does: nothing of the
caller is imported or forked in them, so a script without a main guard and a service with threads may call this. A
process that dies costs the ranges that it had taken a second reading, and nothing else.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from tuneline.datasets import helper
from tuneline.datasets.checksums import Sums
from tuneline.datasets.lines import bounds
from tuneline.datasets.scan import scan
from tuneline.datasets.survey import Survey

HELPER = "from tuneline.datasets.helper import main; main()"
WORTH_IT = 48 << 20
"""Bytes for each process, below which starting it takes longer than it saves."""


def processes_for(size: int, wanted: int | None = None) -> int:
    """How many processes to use: what is wanted, or as many as there are processors and the size is worth."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return wanted if wanted else max(1, min(available, size // WORTH_IT))


def survey_lines(
    fd: int, start: int, size: int, *, form: str, kept: int, processes: int, digest: bool
) -> tuple[Survey, str, str]:
    """Survey, sha256 (with `digest`, else '') and crc32c of the file, whose lines begin at byte `start`."""
    sums = Sums(fd, sha=digest)
    if processes == 1:
        survey = scan(fd, start, size, form=form, kept=kept, observe=sums.take)
    else:
        survey = _together(fd, bounds(fd, start, size, processes), form, kept, processes, sums)
    sums.up_to(size)
    return survey, sums.sha256(), sums.crc32c()


def _together(fd: int, cuts: list[tuple[int, int]], form: str, kept: int, processes: int, sums: Sums) -> Survey:
    """Survey of all ranges. This process alone makes the checksums, so it reads the others' ranges too."""
    done: dict[int, Survey] = {}
    with ExitStack() as files:
        rows = [files.enter_context(tempfile.TemporaryFile(prefix="tuneline-rows-")) for _ in range(processes)]
        with tempfile.TemporaryFile(prefix="tuneline-ranges-", buffering=0) as queue, ExitStack() as running:
            queue.write(b"".join(helper.RANGE.pack(*cut) for cut in cuts))
            queue.seek(0)
            others = [running.enter_context(_another(fd, queue, file, form, kept)) for file in rows[1:]]
            # Where this process is interrupted, the others find no more ranges.
            running.callback(queue.seek, 0, os.SEEK_END)
            ranges = helper.Ranges(fd, form, kept, rows[0], sums.take)
            while taken := helper.next_range(queue.fileno()):
                done[taken[0]] = ranges.survey(*taken)
            for (process, results), file in zip(others, rows[1:], strict=True):
                process.wait()
                done |= _results(results, file)
        total, again = Survey(form, kept=kept), helper.Ranges(fd, form, kept, rows[0])
        for low, high in cuts:
            total.merge(done.pop(low, None) or again.survey(low, high))
        total.rows.keep(files.pop_all())
    return total


@contextmanager
def _another(
    fd: int, queue: BinaryIO, rows: BinaryIO, form: str, kept: int
) -> Iterator[tuple[subprocess.Popen, BinaryIO]]:
    """A process that takes ranges from the queue, and the file it leaves what it found in."""
    with tempfile.TemporaryFile(prefix="tuneline-found-") as results:
        given = [fd, queue.fileno(), rows.fileno(), results.fileno()]
        with subprocess.Popen(
            # -S: all of this one's path is handed over, and what else site does takes as long as surveying 10 MB.
            [sys.executable, "-S", "-c", HELPER, *map(str, given), form, str(kept)],
            stdin=subprocess.DEVNULL,
            pass_fds=given,
            # numpy's linear algebra, which nothing here asks for, would start threads that wait in a loop.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"},
        ) as process:
            yield process, results


def _results(file: BinaryIO, rows: BinaryIO) -> dict[int, Survey]:
    """What a process left, by the beginning of each range; it may have died while it wrote the last."""
    done = {}
    file.seek(0)
    try:
        while True:
            low, survey = pickle.load(file)
            survey.rows.found_in(rows)
            done[low] = survey
    except (EOFError, pickle.UnpicklingError):
        return done
