"""kill -9 of any process of a run: what had ended is not run again, and nothing runs beside its successor."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.local.pipelines import corpus
from tests.local.pipelines.conftest import ENDED, Service, until

Compile = Callable[[Any], dict[str, Any]]


def driver_pid(folder: Path) -> int:
    pid: int = json.loads((folder / "driver" / "process.json").read_text())["pid"]
    return pid


def began(folder: Path, name: str) -> int:
    """How often the task called `name` was run."""
    path = folder / f"{name}.began"
    return len(path.read_text().splitlines()) if path.exists() else 0


def task_processes(folder: Path) -> list[int]:
    """The task processes of a job that are alive."""
    records = [json.loads(path.read_text()) for path in folder.glob("tasks/*/*/process.json")]
    return [record["pid"] for record in records if Path(f"/proc/{record['pid']}/exe").exists()]


@pytest.mark.parametrize("victim", ["driver", "service"])
def test_a_run_goes_on_after_kill_9(victim: str, service: Service, compile_pipeline: Compile, tmp_path: Path) -> None:
    """What had ended is kept, what ran is run again, alone, and the run ends well."""
    name = service.submit(compile_pipeline(corpus.goes_on), {"folder": str(tmp_path)})
    until(lambda: began(tmp_path, "second") == 1)
    folder = service.folder(name)
    (before,) = task_processes(folder)
    if victim == "driver":
        os.kill(driver_pid(folder), signal.SIGKILL)
    else:
        service.kill()
        until(lambda: not task_processes(folder))
        service.start()
    until(lambda: began(tmp_path, "second") == 2)
    (after,) = task_processes(folder)
    assert after != before
    (tmp_path / "second.go").touch()
    run = service.ended(name)
    assert run.state == "SUCCEEDED"
    assert run.outputs == {"Output": "firstsecond"}
    assert (began(tmp_path, "first"), began(tmp_path, "second")) == (1, 2)


def test_a_copied_folder_goes_on_elsewhere(service: Service, compile_pipeline: Compile, tmp_path: Path) -> None:
    """The data folder is a plain folder: a copy of it, served, takes the unfinished job to its end."""
    name = service.submit(compile_pipeline(corpus.goes_on), {"folder": str(tmp_path)})
    until(lambda: began(tmp_path, "second") == 1)
    service.kill()
    until(lambda: not task_processes(service.folder(name)))
    shutil.copytree(service.data, tmp_path / "copy")
    shutil.rmtree(service.data)
    service.data = tmp_path / "copy"
    service.start()
    until(lambda: began(tmp_path, "second") == 2)
    (tmp_path / "second.go").touch()
    assert service.ended(name).outputs == {"Output": "firstsecond"}


def test_a_killed_task_fails_like_any_other(service: Service, compile_pipeline: Compile, tmp_path: Path) -> None:
    """kill -9 of the task's own process is a failure of the task, and says so."""
    name = service.submit(compile_pipeline(corpus.goes_on), {"folder": str(tmp_path)})
    until(lambda: began(tmp_path, "second") == 1)
    (pid,) = task_processes(service.folder(name))
    os.kill(pid, signal.SIGKILL)
    run = service.ended(name)
    assert run.state == "FAILED"
    assert "killed by SIGKILL" in run.job["error"]["message"]


def test_a_cancel_survives_the_service(service: Service, compile_pipeline: Compile, tmp_path: Path) -> None:
    """Cancelled, then killed at once: after the restart the job still ends CANCELLED, with its exit task run."""
    name = service.submit(compile_pipeline(corpus.waits), {"folder": str(tmp_path)})
    until(lambda: began(tmp_path, "second") == 1)
    assert service.cancel(name).status_code == 200
    service.kill()
    service.start()
    run = service.ended(name)
    assert run.state == "CANCELLED"
    assert run.tasks["tell"]["state"] == "SUCCEEDED"
    assert began(tmp_path, "second") == 1


def test_a_driver_that_always_dies_is_given_up(service: Service, compile_pipeline: Compile, tmp_path: Path) -> None:
    """A job whose driver cannot live ends FAILED with the driver's own words, instead of being started for ever."""
    name = service.submit(compile_pipeline(corpus.goes_on), {"folder": str(tmp_path)})
    until(lambda: began(tmp_path, "second") == 1)
    folder = service.folder(name)
    job = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps({**job, "runtimeConfig": {}}))
    os.kill(driver_pid(folder), signal.SIGKILL)
    run = service.ended(name)
    assert run.state == "FAILED"
    assert "died 5 times" in run.job["error"]["message"]
    assert "KeyError: 'gcsOutputDirectory'" in run.job["error"]["message"]


@pytest.mark.slow
def test_random_kills_lose_and_double_nothing(service: Service, compile_pipeline: Compile, tmp_path: Path) -> None:
    """kill -9 of whatever happens to be there, again and again: the run ends well and no task ran beside itself."""
    name = service.submit(compile_pipeline(corpus.stormy), {"folder": str(tmp_path)})
    folder = service.folder(name)
    dice = random.Random(7)
    kills = dict.fromkeys(("service", "driver", "wrapper", "task"), 0)
    for _ in range(25):
        time.sleep(dice.uniform(0.05, 0.5))  # any moment will do: that is the test
        victim = dice.choice(sorted(kills))
        if service.get(name).job["state"] in ENDED:
            break
        if victim == "service":
            service.kill()
            service.start()
        else:
            paths = [folder / "driver"] if victim == "driver" else [path.parent for path in running_folders(folder)]
            for path in paths[:1]:
                record = json.loads((path / "process.json").read_text())
                kill(record["wrapper"]["pid"] if victim == "wrapper" else record["pid"])
        kills[victim] += 1
    run = service.ended(name)
    assert run.state == "SUCCEEDED", run.job.get("error")
    assert run.outputs == {"Output": 55}
    assert not list(tmp_path.glob("*.beside"))
    assert sum(kills.values()) >= 8, kills


def running_folders(folder: Path) -> list[Path]:
    """The process records of the tasks that run."""
    paths = sorted(folder.glob("tasks/*/*/process.json"))
    return [path for path in paths if Path(f"/proc/{json.loads(path.read_text())['pid']}/exe").exists()]


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
