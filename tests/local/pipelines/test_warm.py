"""Tasks are forked from a prepared process where that is safe, and started the ordinary way where it is not."""

from __future__ import annotations

import os
import select
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
from tuneline.local.pipelines.attempt import Attempt
from tuneline.local.pipelines.warm import WarmStart

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


def test_what_a_dead_driver_asked_for_is_not_run(tmp_path: Path) -> None:
    """A request may wait in the socket while the driver dies; forked then, the task would run beside its successor."""
    warm = WarmStart({"PATH": os.environ["PATH"]}, ours=False)
    try:
        os.kill(warm.process.pid, signal.SIGSTOP)
        attempt = Attempt(
            folder=tmp_path, argv=[sys.executable, "-P", "launcher", str(tmp_path)], environment={}, warm=True
        )
        asked = warm.start(attempt)
        assert asked is not None
        os.close(asked._lifeline)  # the driver's end: gone with it
        os.kill(warm.process.pid, signal.SIGCONT)
        assert select.select([asked.fileno()], [], [], 60)[0], "whoever was forked has left"
        assert not (tmp_path / "process.json").exists()
        os.close(asked._ended)
    finally:
        warm.close()


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
