"""A run as the API shows it: PipelineJob.state, .jobDetail.taskDetails, .error and times, as REST JSON.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.pipelineJobs
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from tuneline.local.pipelines.failures import CANCELLED, FAILED_PRECONDITION
from tuneline.local.pipelines.state import Job, Task
from tuneline.local.pipelines.values import finite

EXECUTION_STATE = {
    "PENDING": "NEW",
    "RUNNING": "RUNNING",
    "CANCELLING": "RUNNING",
    "SUCCEEDED": "COMPLETE",
    "SKIPPED": "CACHED",
    "FAILED": "FAILED",
    "CANCELLED": "CANCELLED",
}
SCHEMA_TITLE = {"container": "system.ContainerExecution", "importer": "system.ImporterExecution"}


def job_fields(body: Mapping[str, Any], job: Job, tasks: list[Task]) -> dict[str, Any]:
    """The fields of a PipelineJob that its run determines; `body` is the job as it was created."""
    ids = {task.path: task.id for task in tasks}
    parent = body["name"].rpartition("/pipelineJobs/")[0]
    fields: dict[str, Any] = {
        "state": f"PIPELINE_STATE_{job.state}",
        "jobDetail": {"taskDetails": [task_detail(task, ids, parent) for task in tasks]},
    }
    for name, value in (("startTime", job.started), ("endTime", job.ended), ("updateTime", job.updated)):
        if value:
            fields[name] = value
    if job.error:
        fields["error"] = {"code": FAILED_PRECONDITION, "message": job.error}
    return fields


def task_detail(task: Task, ids: Mapping[str, int], parent: str) -> dict[str, Any]:
    """One PipelineTaskDetail; `parent` is `projects/P/locations/R`."""
    detail: dict[str, Any] = {
        "taskId": str(task.id),
        "taskName": task.key,
        "createTime": task.created,
        "state": task.state,
        "pipelineTaskStatus": [_status(entry) for entry in task.history],
        "inputs": _artifact_lists(task.input_artifacts, parent),
        "outputs": _artifact_lists(task.output_artifacts, parent),
    }
    if task.parent:
        detail["parentTaskId"] = str(ids[task.parent])
    if task.started:
        detail["startTime"] = task.started
    if task.ended:
        detail["endTime"] = task.ended
    if task.kind == "container":
        detail["executorDetail"] = {"containerDetail": {}}
    if task.error and task.state != "PENDING":
        detail["error"] = _error(task.state, task.error)
    if task.state in EXECUTION_STATE:
        detail["execution"] = _execution(task, parent)
    return detail


def _execution(task: Task, parent: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {f"input:{name}": value for name, value in task.inputs.items()}
    metadata |= {f"output:{name}": value for name, value in task.outputs.items()}
    if task.log:
        metadata["tuneline:log"] = task.log
    return {
        "name": f"{parent}/metadataStores/default/executions/{task.id}",
        "displayName": task.key,
        "state": EXECUTION_STATE[task.state],
        "schemaTitle": SCHEMA_TITLE.get(task.kind, "system.DagExecution"),
        "schemaVersion": "0.0.1",
        "metadata": finite(metadata),
        "createTime": task.created,
        "updateTime": task.history[-1]["time"],
    }


def _artifact_lists(artifacts: Mapping[str, list[dict[str, Any]]], parent: str) -> dict[str, Any]:
    return {
        name: {"artifacts": [_artifact(name, artifact, parent) for artifact in found]}
        for name, found in artifacts.items()
    }


def _artifact(name: str, artifact: Mapping[str, Any], parent: str) -> dict[str, Any]:
    kind = artifact.get("type", {})
    number = int.from_bytes(hashlib.sha256(artifact.get("uri", "").encode()).digest()[:7])
    return {
        "name": f"{parent}/metadataStores/default/artifacts/{number}",
        "displayName": artifact.get("name") or name,
        "uri": artifact.get("uri", ""),
        "state": "LIVE",
        "schemaTitle": kind.get("schemaTitle", "system.Artifact"),
        "schemaVersion": kind.get("schemaVersion", "0.0.1"),
        "metadata": finite(artifact.get("metadata", {})),
    }


def _status(entry: Mapping[str, str]) -> dict[str, Any]:
    status: dict[str, Any] = {"updateTime": entry["time"], "state": entry["state"]}
    if entry["error"]:
        status["error"] = _error(entry["state"], entry["error"])
    return status


def _error(state: str, message: str) -> dict[str, Any]:
    return {"code": CANCELLED if state == "CANCELLED" else FAILED_PRECONDITION, "message": message}
