"""Importer tasks: an artifact that exists already enters the pipeline under its own address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneline.local.pipelines import placeholders
from tuneline.local.pipelines.spec import Component, constant
from tuneline.local.pipelines.state import Task
from tuneline.local.pipelines.wiring import Artifacts, in_lists


def imported(executor: Mapping[str, Any], component: Component, task: Task, constants: Mapping[str, str]) -> Artifacts:
    """The one output of an importer; raises ValueError where its address has no value."""
    importer = executor["importer"]
    source = importer["artifactUri"]
    seen = {"inputs": {"parameterValues": task.inputs, "artifacts": in_lists(task.input_artifacts)}}
    context = placeholders.Context(constants=constants, executor_input=seen)
    uri = task.inputs.get(source["runtimeParameter"]) if "runtimeParameter" in source else constant(source)
    if not uri:
        raise ValueError("the address of the artifact to import has no value")
    name = next(iter(component.output_artifacts), "artifact")
    artifact = {
        "name": name,
        "type": dict(importer.get("typeSchema", {})),
        "uri": placeholders.fill(uri, context),
        "metadata": placeholders.fill(importer.get("metadata", {}), context),
    }
    return {name: [artifact]}
