"""Tasks are forked from a prepared process where that is safe, and started the ordinary way where it is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.local.pipelines import corpus
from tests.local.pipelines.conftest import Service, until
from tests.local.pipelines.test_resume import task_processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no task is forked")
Compile = Callable[[Any], dict[str, Any]]


def test_a_task_is_forked_and_looks_freshly_started(shared: Service, compile_pipeline: Compile, tmp_path: Path) -> None:
    """It is the zygote's image in a session of its own, with the task's folder, environment and log."""
    name = shared.submit(compile_pipeline(corpus.goes_on), {"folder": str(tmp_path)})
    until(lambda: (tmp_path / "second.began").exists())
    (pid,) = task_processes(shared.folder(name))
    assert arguments(pid)[-3] == b"tuneline.local.pipelines.zygote"
    assert arguments(pid)[-1] == b"theirs", "nothing of our own steps is prepared for another author's pipeline"
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert (int(stat[2]), int(stat[3])) == (pid, pid), "it leads its own group and session"
    assert Path(f"/proc/{pid}/cwd").resolve().is_relative_to(shared.folder(name) / "tasks")
    (tmp_path / "second.go").touch()
    assert shared.ended(name).state == "SUCCEEDED"


@pytest.mark.parametrize("asked", [False, True], ids=["before it is asked", "before it answers"])
def test_a_run_goes_on_when_the_zygote_dies(
    asked: bool, shared: Service, compile_pipeline: Compile, tmp_path: Path
) -> None:
    """Tasks asked of a zygote that dies are started the ordinary way; tasks it had forked are not touched."""
    name = shared.submit(compile_pipeline(corpus.goes_on), {"folder": str(tmp_path)})
    until(lambda: (tmp_path / "second.began").exists())
    (driver,) = [pid for pid in processes() if str(shared.folder(name)).encode() in arguments(pid)[-1:]]
    (zygote,) = [
        pid for pid in processes() if b"tuneline.local.pipelines.zygote" in arguments(pid) and parent(pid) == driver
    ]
    os.kill(zygote, signal.SIGSTOP if asked else signal.SIGKILL)
    (tmp_path / "second.go").touch()
    if asked:
        until(lambda: shared.get(name).states().get("join") == "RUNNING")
        os.kill(zygote, signal.SIGKILL)
    run = shared.ended(name)
    assert run.outputs == {"Output": "firstsecond"}
    assert (tmp_path / "second.began").read_text() == "began\n"


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def arguments(pid: int) -> list[bytes]:
    return read(Path(f"/proc/{pid}/cmdline")).split(b"\0")[:-1]


def parent(pid: int) -> int:
    stat = read(Path(f"/proc/{pid}/stat")).decode().rpartition(")")[2].split()
    return int(stat[1]) if stat else 0


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_what_is_prepared_starts_no_thread() -> None:
    """A process with threads cannot be forked safely, so nothing that is imported ahead may start one."""
    code = (
        "from tuneline.local.pipelines import zygote\n"
        "zygote.prepare(zygote.PREPARED + zygote.LATER)\n"
        "import sys\n"
        "print(zygote.threads(), [name for name in zygote.PREPARED + zygote.LATER if name not in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], env={"OPENBLAS_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert answer.stdout == "1 []\n", answer.stderr
