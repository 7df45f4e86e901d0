"""Several processes find what one finds, whatever becomes of them."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from tests.datasets import data
from tuneline import datasets


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Some 30 MB of lines with a few faults, repetitions and endings of both kinds."""
    rng = random.Random(3)
    body = b"".join(
        json.dumps(data.gemini(n if n % 7000 else 1)).encode() + rng.choice([b"\n", b"\n", b"\r\n"])
        if n % 5000
        else b"{oops\n"
        for n in range(150_000)
    )
    return data.write(tmp_path_factory.mktemp("large"), b"\xef\xbb\xbf" + body)


@pytest.fixture(scope="module")
def alone(large: str) -> dict:
    """What one process says of it."""
    return datasets.check(large, processes=1, digest=True).to_dict()


def _others(parent: int) -> list[int]:
    """The processes that survey for another one."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes()
                fields = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if b"tuneline.datasets.helper" in words and int(fields[1]) == parent:
                found.append(int(entry))
    return found


def test_processes_agree_with_one(large: str, alone: dict) -> None:
    """The report of two processes is that of one, checksums included."""
    assert datasets.check(large, processes=2, digest=True).to_dict() == alone
    assert alone["counts"]["D201"] == 30
    assert alone["duplicates"]["input"] >= 15
    body = Path(large).read_bytes()
    assert [len(body), hashlib.sha256(body).hexdigest()] == [alone["bytes"], alone["digest"]]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are found in /proc")
@pytest.mark.parametrize("after", [0.0, 0.1, 0.2, 0.3])
def test_a_killed_process_costs_time_alone(large: str, alone: dict, after: float) -> None:
    """kill -9 of the others, as they start or in the middle of a range, changes nothing in the report."""
    killed: list[int] = []

    def kill() -> None:
        while not (others := _others(os.getpid())):
            time.sleep(0.001)
        time.sleep(after)
        for other in others:
            try:
                os.kill(other, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.append(other)

    killing = Thread(target=kill, daemon=True)
    killing.start()
    found = datasets.check(large, processes=3, digest=True).to_dict()
    killing.join(30)
    assert found == alone
    assert killed or after


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are found in /proc")
def test_the_others_end_with_the_one_that_asked(large: str) -> None:
    """After kill -9 of the process that checks, nothing goes on reading."""
    code = f"from tuneline import datasets; [datasets.check({large!r}, processes=2) for _ in range(50)]"
    asking = subprocess.Popen([sys.executable, "-c", code])
    while not (others := _others(asking.pid)):
        assert asking.poll() is None
        time.sleep(0.005)
    asking.kill()
    asking.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(_runs, others)):
        time.sleep(0.02)
    assert not any(map(_runs, others))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
