"""A pipeline job from outside: start its driver, read how it stands, cancel it. A job is a folder with `job.json`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneline.local.pipelines import job_file, state
from tuneline.local.pipelines.details import job_fields
from tuneline.local.pipelines.job_file import INSTALLING
from tuneline.local.processes import Supervised, spawn, wrapper

DRIVER = "driver"
"""Folder of the driver's process below the job's; its log is `log.txt` there."""
Stamp = tuple[tuple[int, int], ...]
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


def start(folder: Path, *, installing: Mapping[str, str] | None = None) -> Supervised:
    """Start, or start again, the driver of the job in `folder`; the caller keeps what is returned, or the job stops.

    `job.json` is the PipelineJob as REST JSON (`name`, `createTime`, `pipelineSpec`, `runtimeConfig`, `labels`) with
    `environment`, the whole environment of its tasks, beside it. `installing` is what pip alone is given (the user's
    index and proxy); it may hold secrets and is never written down.
    """
    job = job_file.load(folder)
    argv = [sys.executable, "-P", "-m", "tuneline.local.pipelines.driver", str(folder.absolute())]
    environment = {**job.get("environment", {}), "PYTHONUTF8": "1", INSTALLING: json.dumps(dict(installing or {}))}
    return spawn(folder / DRIVER, argv, environment)


def read(folder: Path) -> dict[str, Any]:
    """The fields of the PipelineJob that the run determines, as REST JSON: state, jobDetail, error and times."""
    job, tasks = state.read(folder)
    return job_fields(job_file.load(folder), job, tasks)


def stamp(folder: Path) -> Stamp:
    """What differs whenever `read` may: (time of the last change in ns, size) of each file of the state."""
    found = []
    for name in ("state.sqlite", "state.sqlite-wal"):
        try:
            status = (folder / name).stat()
        except FileNotFoundError:
            continue
        found.append((status.st_mtime_ns, status.st_size))
    return tuple(found)


def has_ended(folder: Path) -> bool:
    """Whether the job is in a state that it never leaves."""
    return state.read(folder)[0].state in FINAL


def fail(folder: Path, error: str) -> None:
    """End a job whose driver cannot carry it on: it becomes FAILED with this error."""
    now = wrapper.now()
    file = state.State(folder)
    job, _ = file.load()
    if job.state not in FINAL:
        with file.change():
            file.save_job(state.Job(state="FAILED", error=error, started=job.started or now, ended=now, updated=now))
    file.close()


def cancel(folder: Path) -> None:
    """Ask for the job to be cancelled: running tasks are stopped, exit tasks still run. A job that has ended stays."""
    (folder / job_file.CANCEL).touch()
    # A driver that has not begun looks for the file by itself; one that has listens to the signal.
    if state.read(folder)[0].state not in {"PENDING", *FINAL}:
        _wake(folder / DRIVER)


def amend(folder: Path, fields: Mapping[str, Any]) -> None:
    """Replace fields of `job.json`, as when the service has come back at another address or in another folder."""
    job_file.write_json(folder / "job.json", {**job_file.load(folder), **fields})


def _wake(folder: Path) -> None:
    try:
        record = json.loads((folder / "process.json").read_text())
    except FileNotFoundError:
        return  # no driver runs; the next one sees the file
    if record["start"] and wrapper.start_of(record["pid"]) == record["start"]:
        os.kill(record["pid"], signal.SIGUSR1)
