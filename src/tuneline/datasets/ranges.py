"""A file of JSON lines surveyed by several processes, each over ranges of its bytes.

The helpers are plain child processes that are handed the open file and told ranges over a pipe: nothing of the caller
is imported or forked in them, so a script without a main guard and a service with threads may call this. This process
takes ranges too, while one thread of it hashes the file from end to end, if its digest is asked for. A helper that dies
costs its range a second reading, and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections import deque
from threading import Thread
from typing import BinaryIO

from tuneline.datasets.checksums import Crc32c, combine, encode
from tuneline.datasets.lines import bounds
from tuneline.datasets.scan import scan
from tuneline.datasets.survey import Survey

RANGE = 16 << 20
"""Bytes of a range: small enough that all processes end at about the same time."""
WORTH_IT = 48 << 20
"""Bytes for each process, below which starting it takes longer than it saves."""

Done = tuple[Survey, int]
"""What a range holds, and the crc32c of its bytes."""


def processes_for(size: int, wanted: int | None = None) -> int:
    """How many processes to use: what is wanted, or as many as there are processors and the size is worth."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return wanted if wanted else max(1, min(available, size // WORTH_IT))


def survey_lines(
    fd: int, start: int, size: int, *, form: str, kept: int, processes: int, digest: bool
) -> tuple[Survey, str, str]:
    """Survey, sha256 (with `digest`, else '') and crc32c of the file, whose lines begin at byte `start`."""
    if processes == 1:
        sums = _Sums(fd, sha=digest)
        survey = scan(fd, start, size, form=form, kept=kept, observe=sums.take)
        sums.up_to(size)
        return survey, sums.sha.hexdigest() if digest else "", sums.crc.base64()
    cuts = bounds(fd, start, size, max(1, -(-size // RANGE)))
    waiting, done = deque(enumerate(cuts)), {}
    hashed: list[str] = []
    hashing = Thread(target=lambda: hashed.append(_sha256(fd, size) if digest else ""))
    hashing.start()
    helpers = [Thread(target=_feed, args=(fd, form, kept, waiting, done)) for _ in range(processes - 1)]
    for helper in helpers:
        helper.start()
    while waiting:
        try:
            number, (low, high) = waiting.popleft()
        except IndexError:
            break
        done[number] = scan_range(fd, low, high, form, kept)
    for helper in helpers:
        helper.join()
    crc = Crc32c()
    crc.update(os.pread(fd, start, 0))
    total, value = Survey(form, kept=kept), crc.value
    for number, (low, high) in enumerate(cuts):
        survey, piece = done.pop(number, None) or scan_range(fd, low, high, form, kept)
        total.merge(survey)
        value = combine(value, piece, high - low)
    hashing.join()
    return total, hashed[0], encode(value)


class _Sums:
    """Both checksums of a file from blocks that leave out some of it (a byte order mark, a line too long to read)."""

    def __init__(self, fd: int, at: int = 0, *, sha: bool = True) -> None:
        self.fd, self.at = fd, at
        self.crc = Crc32c()
        self.sha = hashlib.sha256()
        self.with_sha = sha

    def take(self, offset: int, data: memoryview) -> None:
        self.up_to(offset)
        self._add(bytes(data))

    def up_to(self, offset: int) -> None:
        while self.at < offset:
            data = os.pread(self.fd, min(1 << 20, offset - self.at), self.at)
            if not data:
                return
            self._add(data)

    def _add(self, data: bytes) -> None:
        if self.with_sha:
            self.sha.update(data)
        self.crc.update(data)
        self.at += len(data)


def scan_range(fd: int, low: int, high: int, form: str, kept: int) -> Done:
    """Survey and crc32c of one range."""
    sums = _Sums(fd, low, sha=False)
    survey = scan(fd, low, high, form=form, kept=kept, observe=sums.take)
    sums.up_to(high)
    return survey, sums.crc.value


def _sha256(fd: int, size: int) -> str:
    sha, at, buffer = hashlib.sha256(), 0, bytearray(1 << 18)
    view = memoryview(buffer)
    while at < size and (read := os.preadv(fd, [buffer], at)):
        sha.update(view[:read])
        at += read
    return sha.hexdigest()


def _feed(fd: int, form: str, kept: int, waiting: deque, done: dict[int, Done]) -> None:
    """Runs one helper: hands it ranges until none is left. Ends early, leaving ranges undone, if the helper dies."""
    with subprocess.Popen(
        [sys.executable, "-m", "tuneline.datasets.ranges", str(fd), form, str(kept)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(fd,),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as helper:
        try:
            if helper.stdout.readline() != b"ready\n":
                return
            while waiting:
                try:
                    number, (low, high) = waiting.popleft()
                except IndexError:
                    return
                helper.stdin.write(b"%d %d\n" % (low, high))
                helper.stdin.flush()
                done[number] = pickle.load(helper.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            # It died. What it had in hand is not in `done`, and is read again by the caller.
            return
        finally:
            helper.stdin.close()


def _serve(fd: int, form: str, kept: int, told: BinaryIO, answers: BinaryIO) -> None:
    """A helper's life: a range a line in, its survey out, until there are no more."""
    answers.write(b"ready\n")
    answers.flush()
    for line in told:
        low, high = map(int, line.split())
        pickle.dump(scan_range(fd, low, high, form, kept), answers)
        answers.flush()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.stdin.buffer, sys.stdout.buffer)
