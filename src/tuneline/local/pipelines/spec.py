"""A PipelineSpec (`kfp.pipeline_spec`, as REST JSON) looked at as the runner needs it: components, tasks, executors.

https://github.com/kubeflow/pipelines/blob/master/api/v2alpha1/pipeline_spec.proto
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
COMPLETED = "ALL_UPSTREAM_TASKS_COMPLETED"


@dataclass(frozen=True, kw_only=True)
class Component:
    """One entry of `components`, or the root: an interface, and either tasks or an executor."""

    name: str
    body: Json

    @property
    def input_parameters(self) -> Json:
        return self.body.get("inputDefinitions", {}).get("parameters", {})

    @property
    def input_artifacts(self) -> Json:
        return self.body.get("inputDefinitions", {}).get("artifacts", {})

    @property
    def output_parameters(self) -> Json:
        return self.body.get("outputDefinitions", {}).get("parameters", {})

    @property
    def output_artifacts(self) -> Json:
        return self.body.get("outputDefinitions", {}).get("artifacts", {})

    @property
    def tasks(self) -> Json | None:
        """The tasks of a DAG by key; None for a component that an executor carries out."""
        return self.body["dag"].get("tasks", {}) if "dag" in self.body else None

    @property
    def dag_outputs(self) -> Json:
        return self.body.get("dag", {}).get("outputs", {})

    @property
    def executor(self) -> str:
        return self.body.get("executorLabel", "")


class Spec:
    """The whole specification of one pipeline."""

    def __init__(self, body: Json) -> None:
        self.body = body
        self.root = Component(name="root", body=body.get("root", {}))
        self.name: str = body.get("pipelineInfo", {}).get("name", "")

    def component(self, name: str) -> Component:
        """The component of that name; raises KeyError."""
        return self.root if name == "root" else Component(name=name, body=self.body["components"][name])

    def components(self) -> Iterator[Component]:
        yield self.root
        for name in self.body.get("components", {}):
            yield self.component(name)

    def executor(self, component: Component) -> Json:
        """The executor that carries out a component: `{"container": ...}` or `{"importer": ...}`; raises KeyError."""
        executor: Json = self.body["deploymentSpec"]["executors"][component.executor]
        return executor


def producers(task: Json) -> set[str]:
    """Keys of the tasks in the same DAG that must have ended before this one is decided."""
    found = set(task.get("dependentTasks", ()))
    inputs = task.get("inputs", {})
    for sort, field in (("parameters", "taskOutputParameter"), ("artifacts", "taskOutputArtifact")):
        for source in inputs.get(sort, {}).values():
            if field in source:
                found.add(source[field]["producerTask"])
            if "taskFinalStatus" in source:
                found.add(source["taskFinalStatus"]["producerTask"])
    return found


def runs_after_failure(task: Json) -> bool:
    """Whether the task starts once everything before it has ended, however it ended."""
    return task.get("triggerPolicy", {}).get("strategy") == COMPLETED


def is_exit_task(task: Json) -> bool:
    """Whether this is the exit task of an exit handler, which runs even when the job is cancelled.

    Tasks with `.ignore_upstream_failure()` have the same trigger; only an exit task can ask for the final status, and
    the compiler makes one without that input depend on exit handlers alone.
    """
    if not runs_after_failure(task):
        return False
    takes_status = any("taskFinalStatus" in source for source in task.get("inputs", {}).get("parameters", {}).values())
    before = task.get("dependentTasks", ())
    return takes_status or (bool(before) and all(key.startswith("exit-handler-") for key in before))


def constant(source: Json) -> Any:
    """The value of a `runtimeValue` or of an importer's uri; old compilers wrote `constantValue`."""
    if "constant" in source:
        return source["constant"]
    old = source.get("constantValue", {})
    for field, convert in (("stringValue", str), ("intValue", int), ("doubleValue", float)):
        if field in old:
            return convert(old[field])
    raise ValueError(f"{dict(source)} holds no constant")
