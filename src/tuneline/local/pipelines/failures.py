"""Why a task failed, in the words of the program that failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneline.local.pipelines.state import SUCCESS, Task
from tuneline.local.processes import Exit, log_tail

CANCELLED = 1
FAILED_PRECONDITION = 9
"""google.rpc.Code of a failed task and of a failed job on Vertex AI Pipelines."""
LONGEST = 8_000
"""Characters of an error text that are kept."""


def of_process(folder: Path, ended: Exit) -> str:
    """The error text of a task's process: its exception, or the end of its log, then how it ended and where the log is.

    `folder` is the attempt's; the launcher writes `error.json` there when the component raises.
    """
    text = ""
    try:
        error = json.loads((folder / "error.json").read_text())
        text = f"{error['type']}: {error['message']}" if error["message"] else error["type"]
    except FileNotFoundError:
        text = from_log(log_tail(folder, lines=400, limit=64_000))
    return f"{cut(text)}\n({ended}; log: {folder / 'log.txt'})".lstrip()


def from_log(log: str) -> str:
    """The message of the last exception in a log, or its last lines."""
    lines = log.splitlines()
    headers = [place for place, line in enumerate(lines) if line.startswith("Traceback (most recent call last):")]
    if headers:
        for place in range(headers[-1] + 1, len(lines)):
            if lines[place] and not lines[place][0].isspace():
                return "\n".join(lines[place:])
    return "\n".join(lines[-20:])


def of_dag(failed: list[Task]) -> str:
    """The error text of a nested pipeline or of the job: the service's sentence, then each failed task's own text."""
    names = ", ".join(task.key for task in failed)
    head = f"The DAG failed because some tasks failed. The failed tasks are: [{names}]."
    return cut("\n".join([head, *(f"{task.key}: {task.error}" for task in failed)]))


def final_status(job: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """The PipelineTaskFinalStatus message about a task that has ended, with its real error text."""
    status: dict[str, Any] = {
        "state": task.state,
        "pipelineJobUuid": str(job["uuid"]),
        "pipelineJobName": job["name"].rpartition("/")[2],
        "pipelineJobResourceName": job["name"],
        "pipelineTaskName": task.key,
        "error": {},
    }
    if task.error and task.state not in SUCCESS:
        code = CANCELLED if task.state == "CANCELLED" else FAILED_PRECONDITION
        status["error"] = {"code": code, "message": task.error}
    return status


def cut(text: str) -> str:
    """The text, with its middle left out where it is too long."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}\n[...]\n{text[-LONGEST // 2 :]}"
