"""How values flow through a pipeline: what a task is given, and what a nested pipeline or loop gives back.

Everything here is a function of the specification and of the tasks so far; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from tuneline.local.pipelines import placeholders
from tuneline.local.pipelines.spec import Component, constant
from tuneline.local.pipelines.state import SUCCESS, Task
from tuneline.local.pipelines.values import integral, parsed, select, shown, typed

Artifacts = dict[str, list[dict[str, Any]]]
Sibling = Callable[[str], Task]
"""From a task's key to the task in the same DAG."""


def root_inputs(component: Component, job: Mapping[str, Any], constants: Mapping[str, str]) -> dict[str, Any]:
    """The pipeline's own parameters: what the request gives, and defaults; raises ValueError."""
    runtime = job.get("runtimeConfig", {})
    given = dict(runtime.get("parameterValues", {}))
    for name, value in runtime.get("parameters", {}).items():  # deprecated form: {"intValue": "3"}
        given.setdefault(name, constant({"constantValue": value}))
    return completed(component, given, {}, constants)


def task_inputs(
    spec: Mapping[str, Any],
    component: Component,
    dag: Task,
    sibling: Sibling,
    constants: Mapping[str, str],
    final_status: Callable[[Task], dict[str, Any]],
) -> tuple[dict[str, Any], Artifacts]:
    """The parameters and artifacts of a task that is about to start; raises ValueError naming the input at fault.

    `spec` is its PipelineTaskSpec, `dag` the DAG it stands in.
    """
    inputs = spec.get("inputs", {})
    given: dict[str, Any] = {}
    written: dict[str, Any] = {}
    for name, source in inputs.get("parameters", {}).items():
        if "runtimeValue" in source:
            written[name] = constant(source["runtimeValue"])
            continue
        if "taskFinalStatus" in source:
            value: Any = final_status(sibling(source["taskFinalStatus"]["producerTask"]))
        elif "taskOutputParameter" in source:
            origin = source["taskOutputParameter"]
            value = sibling(origin["producerTask"]).outputs.get(origin["outputParameterKey"])
        else:
            value = dag.inputs.get(source["componentInputParameter"])
        if value is not None and "parameterExpressionSelector" in source:
            value = select(value, source["parameterExpressionSelector"])
        if value is not None:
            given[name] = value
    artifacts: Artifacts = {}
    for name, source in inputs.get("artifacts", {}).items():
        if "taskOutputArtifact" in source:
            origin = source["taskOutputArtifact"]
            found = sibling(origin["producerTask"]).output_artifacts.get(origin["outputArtifactKey"])
        else:
            found = dag.input_artifacts.get(source["componentInputArtifact"])
        if found is not None:
            artifacts[name] = found
    # A loop's component also declares the item, which each of its turns is given by itself.
    items = {spec[iterator]["itemInput"] for iterator in ("parameterIterator", "artifactIterator") if iterator in spec}
    for name, definition in component.input_artifacts.items():
        if name not in artifacts and name not in items and not definition.get("isOptional"):
            raise ValueError(f"the input artifact {name} has no value: what should make it has not")
    # Only what the author wrote may hold placeholders; it can name the other inputs of the same task.
    seen = {"inputs": {"parameterValues": given, "artifacts": in_lists(artifacts)}}
    context = placeholders.Context(constants=constants, executor_input=seen)
    given |= {name: placeholders.fill(value, context) for name, value in written.items() if value is not None}
    return completed(component, given, artifacts, constants, later=items), artifacts


def completed(
    component: Component,
    given: dict[str, Any],
    artifacts: Artifacts,
    constants: Mapping[str, str],
    *,
    later: Collection[str] = (),
) -> dict[str, Any]:
    """Parameters typed as declared, defaults filled in; raises ValueError for what is missing or of another type.

    What is named in `later` may be missing still.
    """
    values = {name: integral(value) for name, value in given.items()}
    for name, definition in component.input_parameters.items():
        value = values.get(name)
        if value is None and "defaultValue" in definition:
            seen = {"inputs": {"parameterValues": given, "artifacts": in_lists(artifacts)}}
            context = placeholders.Context(constants=constants, executor_input=seen)
            value = placeholders.fill(definition["defaultValue"], context)
        if value is None:
            values.pop(name, None)
            if not definition.get("isOptional") and name not in later:
                raise ValueError(f"the input {name} has no value: what should make it has not")
            continue
        try:
            values[name] = typed(value, parameter_type(definition))
        except ValueError as error:
            raise ValueError(f"the input {name}: {error}") from None
    return values


def parameter_type(definition: Mapping[str, Any]) -> str:
    """The declared type; schema 2.0 had three primitive ones."""
    old = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE"}
    return definition.get("parameterType") or old.get(definition.get("type", ""), "STRING")


def loop_items(spec: Mapping[str, Any], loop: Task) -> tuple[str, bool, list[Any]]:
    """(name of the input that takes the item, whether items are artifacts, the items); raises ValueError."""
    if "artifactIterator" in spec:
        iterator = spec["artifactIterator"]
        return iterator["itemInput"], True, loop.input_artifacts.get(iterator["items"]["inputArtifact"], [])
    iterator = spec["parameterIterator"]
    source = iterator["items"]
    items = parsed(source["raw"], "LIST") if "raw" in source else loop.inputs.get(source.get("inputParameter", ""))
    if isinstance(items, str):
        items = parsed(items, "LIST")
    if not isinstance(items, list):
        raise ValueError(f"the loop goes over {shown(items)}, which is no list")
    return iterator["itemInput"], False, integral(items)


def dag_outputs(component: Component, sibling: Sibling) -> tuple[dict[str, Any], Artifacts]:
    """What a DAG gives back once its tasks have ended; what no task made is left out."""
    parameters: dict[str, Any] = {}
    for name, source in component.dag_outputs.get("parameters", {}).items():
        if "valueFromParameter" in source:
            selectors = [source["valueFromParameter"]]
        else:
            selectors = source["valueFromOneof"]["parameterSelectors"]
        for selector in selectors:
            producer = sibling(selector["producerSubtask"])
            if producer.state in SUCCESS and selector["outputParameterKey"] in producer.outputs:
                parameters[name] = producer.outputs[selector["outputParameterKey"]]
                break
    artifacts: Artifacts = {}
    for name, source in component.dag_outputs.get("artifacts", {}).items():
        for selector in source.get("artifactSelectors", ()):
            producer = sibling(selector["producerSubtask"])
            if producer.state in SUCCESS and selector["outputArtifactKey"] in producer.output_artifacts:
                artifacts[name] = producer.output_artifacts[selector["outputArtifactKey"]]
                break
    return parameters, artifacts


def collected(component: Component, turns: list[Task]) -> tuple[dict[str, Any], Artifacts]:
    """What a loop gives back: for each output the list over its turns (null for a turn that made none)."""
    outputs = component.dag_outputs
    parameters = {name: [turn.outputs.get(name) for turn in turns] for name in outputs.get("parameters", {})}
    artifacts = {
        name: [artifact for turn in turns for artifact in turn.output_artifacts.get(name, [])]
        for name in outputs.get("artifacts", {})
    }
    return parameters, artifacts


def in_lists(artifacts: Artifacts) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Artifacts as the ExecutorInput message has them."""
    return {name: {"artifacts": found} for name, found in artifacts.items()}
