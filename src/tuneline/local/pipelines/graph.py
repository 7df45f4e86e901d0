"""The run of a pipeline as a graph of tasks: who may start, who is done, what that means for the rest.

It knows nothing of processes or files. `advance()` carries every decision as far as it goes and returns the container
tasks to start; the driver tells how those ended by `succeeded()`, `failed()` and `stopped()`. All changed tasks are
given to `save`, so that a run can be taken up from what was saved.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tuneline.local.pipelines import conditions, failures, placeholders, retries, wiring
from tuneline.local.pipelines.importer import imported
from tuneline.local.pipelines.spec import Component, Spec, is_exit_task, producers, runs_after_failure
from tuneline.local.pipelines.state import SUCCESS, Task

PARALLEL_TASKS = 16
"""Container tasks at once. Waiting steps need little; what computes is a job of its own."""
FAIL_FAST = "PIPELINE_FAILURE_POLICY_FAIL_FAST"
OCCUPIED = ("RUNNING", "CANCELLING")
Outputs = tuple[dict[str, Any], wiring.Artifacts]


class Graph:
    """All tasks of one run. `job` is the PipelineJob as REST JSON, with `uuid` beside it."""

    def __init__(
        self,
        job: Mapping[str, Any],
        tasks: list[Task],
        *,
        save: Callable[[Task], None],
        now: Callable[[], str],
        cached: Callable[[Task, Mapping[str, Any]], Outputs | None] = lambda task, options: None,
    ) -> None:
        self.job = job
        self.spec = Spec(job["pipelineSpec"])
        self.pipeline_root: str = job["runtimeConfig"]["gcsOutputDirectory"].rstrip("/")
        self.fail_fast = job["runtimeConfig"].get("failurePolicy") == FAIL_FAST
        self.tasks: dict[str, Task] = {task.path: task for task in tasks}
        self.children: dict[str, list[Task]] = {}
        for task in tasks:
            self.children.setdefault(task.parent, []).append(task)
        self.save = save
        self.now = now
        self.cached = cached
        self.cancelling = False
        self.busy = {task.path for task in tasks if task.kind == "container" and task.state in OCCUPIED}
        self.any_failed = any(task.state == "FAILED" for task in tasks)
        if not self.tasks:
            self._make("root", parent="", key=self.spec.name or "root", component=self.spec.root, kind="dag")

    @property
    def root(self) -> Task:
        return self.tasks["root"]

    # -- what the driver calls ---------------------------------------------------------------------------------

    def advance(self) -> list[Task]:
        """Decide everything that can be decided now; the returned container tasks are RUNNING and to be started."""
        starting: list[Task] = []
        if self.root.state == "PENDING":
            self._begin_root()
        changed = True
        while changed:
            changed = False
            for task in list(self.tasks.values()):
                changed = (not task.has_ended and self._step(task, starting)) or changed
        return starting

    def succeeded(self, task: Task, outputs: dict[str, Any], artifacts: wiring.Artifacts) -> None:
        """The process of a container task ended well."""
        task.outputs, task.output_artifacts = outputs, artifacts
        self._turn(task, "SUCCEEDED")

    def failed(self, task: Task, error: str) -> None:
        """The process of a container task failed: it is tried again where its retry policy says so."""
        task.failures += 1
        wait = retries.wait_s(self._spec_of(task).get("retryPolicy", {}), task.failures)
        if wait is None or self.cancelling:
            self._turn(task, "FAILED", error=error)
            return
        task.retry_at = time.time() + wait
        self._turn(task, "PENDING", error=error)

    def stopped(self, task: Task) -> None:
        """The process of a container task ended because the job is being cancelled."""
        self._turn(task, "CANCELLED", error="The job was cancelled.")

    def again(self, task: Task) -> None:
        """A container task that was running when the driver died runs once more."""
        self._run(task)

    def cancel(self) -> list[Task]:
        """Begin to cancel; the returned container tasks are to be stopped. Exit tasks will still run."""
        self.cancelling = True
        stopping = []
        for task in self.tasks.values():
            if task.kind != "container" or task.state != "RUNNING" or self._is_exit(task):
                continue
            self._turn(task, "CANCELLING")
            stopping.append(task)
        return stopping

    def next_wake(self) -> float | None:
        """When a task waiting for its next try is due (seconds of the epoch)."""
        return min((task.retry_at for task in self.tasks.values() if self._waits_for_retry(task)), default=None)

    def component(self, task: Task) -> Component:
        return self.spec.component(task.component)

    def caching(self, task: Task) -> Mapping[str, Any]:
        """The cachingOptions of a task."""
        options: Mapping[str, Any] = self._spec_of(task).get("cachingOptions", {})
        return options

    def constants(self, task: Task) -> dict[str, str]:
        """The placeholders of a task that depend on no input."""
        return placeholders.constants(self.job, root=self.pipeline_root, task_name=task.key, task_id=task.id)

    # -- one task ----------------------------------------------------------------------------------------------

    def _step(self, task: Task, starting: list[Task]) -> bool:
        """Carry one task on if it can be; True if anything changed."""
        if task.state == "PENDING":
            return self._consider(task, starting)
        if task.kind in ("dag", "loop") and all(child.has_ended for child in self._children(task)):
            self._conclude(task)
            return True
        return False

    def _consider(self, task: Task, starting: list[Task]) -> bool:
        if task.turn is not None:
            return self._consider_turn(task)
        if self._waits_for_retry(task):
            return self._consider_retry(task, starting)
        spec = self._spec_of(task)
        before = [self._sibling(task.parent, key) for key in sorted(producers(spec))]
        if self.cancelling and not is_exit_task(spec):
            self._turn(task, "CANCELLED", error="The job was cancelled before this task started.")
            return True
        if not runs_after_failure(spec):
            bad = [other.key for other in before if other.has_ended and other.state not in SUCCESS]
            if bad:
                self._turn(task, "NOT_TRIGGERED", error=f"Not started: {', '.join(bad)} did not succeed.")
                return True
            if self.fail_fast and self.any_failed:
                self._turn(task, "NOT_TRIGGERED", error="Not started: the pipeline stops at the first failure.")
                return True
        if not all(other.has_ended for other in before):
            return False
        if task.kind == "container" and not self._has_room():
            return False
        try:
            self._start(task, spec, starting)
        except ValueError as error:
            self._turn(task, "FAILED", error=f"{task.key} could not start: {error}")
        return True

    def _start(self, task: Task, spec: Mapping[str, Any], starting: list[Task]) -> None:
        component = self.component(task)
        task.inputs, task.input_artifacts = wiring.task_inputs(
            spec,
            component,
            self.tasks[task.parent],
            lambda key: self._sibling(task.parent, key),
            self.constants(task),
            lambda other: failures.final_status(self.job, other),
        )
        condition = spec.get("triggerPolicy", {}).get("condition")
        if condition and not conditions.holds(condition, task.inputs):
            self._turn(task, "NOT_TRIGGERED", error=f"The condition does not hold: {condition}")
            return
        if task.kind == "loop":
            self._begin_loop(task, spec)
        elif task.kind == "dag":
            self._begin_dag(task)
        elif task.kind == "importer":
            task.output_artifacts = imported(self.spec.executor(component), component, task, self.constants(task))
            self._turn(task, "RUNNING")
            self._turn(task, "SUCCEEDED")
        elif (known := self.cached(task, self.caching(task))) is not None:
            task.outputs, task.output_artifacts = known
            self._turn(task, "SKIPPED")
        else:
            self._run(task)
            starting.append(task)

    def _consider_turn(self, turn: Task) -> bool:
        if self.cancelling:
            self._turn(turn, "CANCELLED", error="The job was cancelled before this turn started.")
            return True
        if self.fail_fast and self.any_failed:
            self._turn(turn, "NOT_TRIGGERED", error="Not started: the pipeline stops at the first failure.")
            return True
        limit = int(self._spec_of(turn).get("iteratorPolicy", {}).get("parallelismLimit", 0))
        if limit and sum(other.state == "RUNNING" for other in self._children(self.tasks[turn.parent])) >= limit:
            return False
        self._begin_dag(turn)
        return True

    def _consider_retry(self, task: Task, starting: list[Task]) -> bool:
        if self.cancelling and not self._is_exit(task):
            self._turn(task, "CANCELLED", error=task.error)
            return True
        if time.time() < task.retry_at or not self._has_room():
            return False
        self._run(task)
        starting.append(task)
        return True

    def _run(self, task: Task) -> None:
        task.tries += 1
        task.retry_at = 0.0
        self._turn(task, "RUNNING")

    # -- nested pipelines and loops ----------------------------------------------------------------------------

    def _begin_root(self) -> None:
        try:
            self.root.inputs = wiring.root_inputs(self.spec.root, self.job, self.constants(self.root))
        except ValueError as error:
            self._turn(self.root, "FAILED", error=str(error))
            return
        self._begin_dag(self.root)

    def _begin_dag(self, dag: Task) -> None:
        self._turn(dag, "RUNNING")
        for key, spec in (self.component(dag).tasks or {}).items():
            component = self.spec.component(spec["componentRef"]["name"])
            self._make(
                f"{dag.path}/{key}", parent=dag.path, key=key, component=component, kind=self._kind(component, spec)
            )

    def _kind(self, component: Component, spec: Mapping[str, Any]) -> str:
        if "parameterIterator" in spec or "artifactIterator" in spec:
            return "loop"
        if component.tasks is not None:
            return "dag"
        return "importer" if "importer" in self.spec.executor(component) else "container"

    def _begin_loop(self, loop: Task, spec: Mapping[str, Any]) -> None:
        name, of_artifacts, items = wiring.loop_items(spec, loop)
        component = self.component(loop)
        self._turn(loop, "RUNNING")
        for number, item in enumerate(items):
            turn = self._make(
                f"{loop.path}#{number}",
                parent=loop.path,
                key=f"{loop.key}-{number}",
                component=component,
                kind="dag",
                turn=number,
            )
            turn.item = item
            if of_artifacts:
                turn.inputs, turn.input_artifacts = loop.inputs, {**loop.input_artifacts, name: [item]}
            else:
                kind = wiring.parameter_type(component.input_parameters.get(name, {}))
                turn.inputs = {**loop.inputs, name: wiring.typed(item, kind)}
                turn.input_artifacts = loop.input_artifacts
            self.save(turn)

    def _conclude(self, task: Task) -> None:
        """All tasks of a DAG, or all turns of a loop, have ended."""
        children = self._children(task)
        if any(child.state == "FAILED" for child in children):
            self._turn(task, "FAILED", error=failures.of_dag(list(self._failed_leaves(task))))
            return
        if any(child.state == "CANCELLED" for child in children):
            self._turn(task, "CANCELLED", error="The job was cancelled.")
            return
        component = self.component(task)
        if task.kind == "loop":
            task.outputs, task.output_artifacts = wiring.collected(component, children)
        else:
            task.outputs, task.output_artifacts = wiring.dag_outputs(
                component, lambda key: self._sibling(task.path, key)
            )
        self._turn(task, "SUCCEEDED")

    def _failed_leaves(self, task: Task) -> Iterator[Task]:
        children = [child for child in self._children(task) if child.state == "FAILED"]
        for child in children:
            yield from self._failed_leaves(child)
        if not children:
            yield task

    # -- small things ------------------------------------------------------------------------------------------

    def _make(
        self, path: str, *, parent: str, key: str, component: Component, kind: str, turn: int | None = None
    ) -> Task:
        number = int.from_bytes(hashlib.sha256(f"{self.job['name']}/{self.job['uuid']}/{path}".encode()).digest()[:7])
        task = Task(
            path=path,
            id=number,
            parent=parent,
            key=key,
            component=component.name,
            kind=kind,
            created=self.now(),
            turn=turn,
        )
        task.history.append({"state": "PENDING", "time": task.created, "error": ""})
        self.tasks[path] = task
        self.children.setdefault(parent, []).append(task)
        self.save(task)
        return task

    def _turn(self, task: Task, state: str, *, error: str = "") -> None:
        task.turn_to(state, self.now(), error=error)
        self.any_failed = self.any_failed or state == "FAILED"
        if task.kind == "container":
            (self.busy.add if state in OCCUPIED else self.busy.discard)(task.path)
        self.save(task)

    def _children(self, task: Task) -> list[Task]:
        return self.children.get(task.path, [])

    def _sibling(self, parent: str, key: str) -> Task:
        return self.tasks[f"{parent}/{key}"]

    def _spec_of(self, task: Task) -> Mapping[str, Any]:
        """The PipelineTaskSpec; a turn of a loop has its loop's."""
        if task.path == "root":
            return {}
        loop = self.tasks[task.parent] if task.turn is not None else task
        tasks = self.component(self.tasks[loop.parent]).tasks or {}
        found: Mapping[str, Any] = tasks[loop.key]
        return found

    def _is_exit(self, task: Task) -> bool:
        return task.turn is None and is_exit_task(self._spec_of(task))

    def _waits_for_retry(self, task: Task) -> bool:
        return task.state == "PENDING" and task.kind == "container" and task.tries > 0

    def _has_room(self) -> bool:
        return len(self.busy) < PARALLEL_TASKS
