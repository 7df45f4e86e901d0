"""Placeholders: `{{$.pipeline_job_name}}`, `{{$.inputs.parameters['x']}}`, `{{$}}` and the rest, as KFP names them.

The names are those of `kfp.dsl` 2.17 (`kfp/dsl/__init__.py`, `kfp/dsl/placeholders.py`), plus the project and location
that Google's own components use. Only what the author of a pipeline wrote is looked at: a value that happens to
contain `{{$...}}` stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PATTERN = re.compile(r"\{\{\$(?:\.(?P<path>[^{}]*?))?\}\}")
INPUT_OUTPUT = re.compile(
    r"^(?P<side>inputs|outputs)\.(?P<sort>parameters|artifacts)\[['\"]+(?P<name>.+?)['\"]+\]"
    r"(?:\.(?P<field>output_file|uri|path|name|metadata|value)(?:\[['\"]+(?P<key>.+?)['\"]+\])?)?$"
)


@dataclass(frozen=True, kw_only=True)
class Context:
    """What the placeholders of one task stand for."""

    constants: Mapping[str, str]
    """`pipeline_root` → its value, and so on."""
    executor_input: Mapping[str, Any]
    """The ExecutorInput message as JSON; while inputs are still being resolved, its inputs alone."""
    mount: str = ""
    """The folder that stands in for `/gcs/`, with a trailing slash."""


def constants(job: Mapping[str, Any], *, root: str, task_name: str, task_id: int) -> dict[str, str]:
    """The placeholders that do not depend on inputs; `job` is the PipelineJob as REST JSON."""
    _, project, _, location, _, job_id = job["name"].split("/")
    created = job["createTime"]
    return {
        "pipeline_root": root,
        "pipeline_job_name": job_id,
        "pipeline_job_resource_name": job["name"],
        "pipeline_job_uuid": str(job["uuid"]),
        "pipeline_job_create_time_utc": created,
        # A job that no schedule made is scheduled for the moment it was made.
        "pipeline_job_schedule_time_utc": job.get("scheduleTime") or created,
        "pipeline_task_name": task_name,
        "pipeline_task_uuid": str(task_id),
        "pipeline_google_cloud_project_id": project,
        "pipeline_google_cloud_location": location,
    }


def fill(value: Any, context: Context) -> Any:
    """The value with every placeholder in its texts replaced, at any depth; raises ValueError for an unknown one."""
    if isinstance(value, str):
        return PATTERN.sub(lambda found: _text(_find(found["path"], context)), value) if "{{$" in value else value
    if isinstance(value, list):
        return [fill(item, context) for item in value]
    if isinstance(value, Mapping):
        return {fill(key, context): fill(item, context) for key, item in value.items()}
    return value


def command(words: list[str], context: Context) -> list[str]:
    """A container's command line: `Concat` and `IfPresent` taken apart, placeholders filled, absent ones left out."""
    line: list[str] = []
    for word in words:
        if word.startswith(('{"Concat":', '{"IfPresent":')):
            line += _structure(json.loads(word), context)
        else:
            line.append(fill(word, context))
    return line


def _structure(value: Any, context: Context) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [fill(value, context)]
    if isinstance(value, list):
        return [word for item in value for word in _structure(item, context)]
    if "Concat" in value:
        return ["".join(word for item in value["Concat"] for word in _structure(item, context))]
    choice = value["IfPresent"]
    inputs = context.executor_input["inputs"]
    present = any(choice["InputName"] in inputs.get(sort, {}) for sort in ("parameterValues", "artifacts"))
    return _structure(choice["Then"] if present else choice.get("Else"), context)


def unknown(text: str) -> list[str]:
    """The placeholders in a text that this runner does not know; for refusing a pipeline before it runs."""
    found = []
    for match in PATTERN.finditer(text):
        path = match["path"]
        if path is None or path in KNOWN or INPUT_OUTPUT.match(path):
            continue
        found.append(match[0])
    return found


KNOWN = {
    *constants(
        {"name": "projects/p/locations/l/pipelineJobs/j", "createTime": "", "uuid": ""},
        root="",
        task_name="",
        task_id=0,
    ),
    "outputs.output_file",
    "outputMetadataUri",
}


def _find(path: str | None, context: Context) -> Any:
    if path is None:
        return context.executor_input
    if path in context.constants:
        return context.constants[path]
    if path in ("outputs.output_file", "outputMetadataUri"):
        return context.executor_input["outputs"]["outputFile"]
    found = INPUT_OUTPUT.match(path)
    if found is None:
        raise ValueError(f"the placeholder {{{{$.{path}}}}} is not known")
    side = context.executor_input[found["side"]]
    name = found["name"]
    if found["sort"] == "parameters":
        if found["side"] == "outputs":
            return side["parameters"][name]["outputFile"]
        if name not in side.get("parameterValues", {}):
            raise ValueError(f"the placeholder {{{{$.{path}}}}} has no value: the input {name} is not given")
        return side["parameterValues"][name]
    artifacts = side.get("artifacts", {}).get(name, {}).get("artifacts")
    if not artifacts:
        raise ValueError(f"the placeholder {{{{$.{path}}}}} has no value: the artifact {name} is not given")
    if found["field"] is None:
        return artifacts
    if found["field"] == "path":
        return context.mount + artifacts[0]["uri"].removeprefix("gs://")
    value = artifacts[0].get(found["field"], {})
    return value.get(found["key"]) if found["key"] else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
