"""What of a pipeline cannot be run here, named before the job exists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tuneline.local import containers
from tuneline.local.pipelines import conditions, placeholders, python_tasks
from tuneline.local.pipelines.spec import Component, Spec, constant, producers
from tuneline.local.resources.errors import ApiError

SUPPORTED_SCHEMAS = ("2.0", "2.1")


def check(spec: Mapping[str, Any]) -> list[str]:
    """Every reason why this pipeline would not run here; empty if it will.

    Each line names the task or component, what it asks for, and why it cannot be had.
    """
    version = str(spec.get("schemaVersion", ""))
    if not version.startswith(SUPPORTED_SCHEMAS):
        return [
            f"schemaVersion {version or '(none)'} is not supported: this is no pipeline of KFP 2. "
            "Compile it with kfp>=2"
        ]
    if "root" not in spec:
        return ["the pipeline has no root: compile it with kfp>=2"]
    try:
        return list(dict.fromkeys(_problems(Spec(spec))))
    except KeyError as missing:
        return [f"the pipeline refers to {missing}, which is not in it: compile it again"]


def _problems(spec: Spec) -> Iterator[str]:
    for component in spec.components():
        tasks = component.tasks
        if tasks is None:
            yield from _executor(spec, component)
            continue
        for key, task in tasks.items():
            spec.component(task["componentRef"]["name"])
            for other in producers(task):
                if other not in tasks:
                    yield f"task {key} depends on {other}, which is not in {component.name}"
            yield from _task(key, task, spec)
        yield from _cycle(component.name, tasks)


def _task(key: str, task: Mapping[str, Any], spec: Spec) -> Iterator[str]:
    if "retryPolicy" in task and spec.component(task["componentRef"]["name"]).tasks is not None:
        yield f"task {key}: a retry policy on a nested pipeline is not supported; set it on the tasks inside"
    condition = task.get("triggerPolicy", {}).get("condition")
    if condition:
        try:
            conditions.parse(condition)
        except ValueError as error:
            yield f"task {key}: {error}"
    for name, source in task.get("inputs", {}).get("parameters", {}).items():
        if "runtimeValue" in source:
            for word in placeholders.unknown(json.dumps(constant(source["runtimeValue"]))):
                yield f"task {key}: input {name} uses the placeholder {word}, which is not supported"


def _executor(spec: Spec, component: Component) -> Iterator[str]:
    executor = spec.executor(component)
    if "importer" in executor:
        if executor["importer"].get("downloadToWorkspace"):
            yield f"{component.name}: an importer that downloads to a workspace is not supported"
        return
    if "container" not in executor:
        sort = next(iter(executor), "nothing")
        yield f"{component.name}: its executor is a {sort}, which is not supported; use a container or an importer"
        return
    container = executor["container"]
    for word in [*container.get("command", ()), *container.get("args", ())]:
        for found in placeholders.unknown(word):
            yield f"{component.name}: its command uses the placeholder {found}, which is not supported"
    apart = python_tasks.needs_container(container)
    if apart:
        try:
            containers.find()
        except ApiError as error:
            yield f"{component.name}: {apart} needs a container engine: {error.message}"


def _cycle(name: str, tasks: Mapping[str, Any]) -> Iterator[str]:
    waiting = {key: producers(task) & tasks.keys() for key, task in tasks.items()}
    while ready := [key for key, before in waiting.items() if not before & waiting.keys()]:
        for key in ready:
            del waiting[key]
    if waiting:
        yield f"{name}: the tasks {', '.join(sorted(waiting))} wait for each other"
