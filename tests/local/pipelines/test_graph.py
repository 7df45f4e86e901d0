"""Which tasks start when, and what the end of one means for the others; no process is started here."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tuneline.local.pipelines.graph import Graph
from tuneline.local.pipelines.state import Task

JOB = "projects/p/locations/us-central1/pipelineJobs/j"


def step(*after: str, **rest: Any) -> dict[str, Any]:
    return {"componentRef": {"name": "comp-step"}, "dependentTasks": list(after), **rest}


def graph_of(tasks: dict[str, Any], runtime: dict[str, Any] | None = None, saved: list[Task] | None = None) -> Graph:
    components = {
        "comp-step": {
            "executorLabel": "exec",
            "outputDefinitions": {"parameters": {"Output": {"parameterType": "STRING"}}},
        },
        "comp-inner": {"dag": {"tasks": {"leaf": step()}}},
        "comp-turn": {
            "dag": {"tasks": {"leaf": step()}},
            "inputDefinitions": {"parameters": {"item": {"parameterType": "NUMBER_INTEGER"}}},
        },
    }
    spec = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "test"},
        "root": {"dag": {"tasks": tasks}},
        "components": components,
        "deploymentSpec": {"executors": {"exec": {"container": {"image": "tuneline-python"}}}},
    }
    job = {
        "name": JOB,
        "uuid": 1,
        "createTime": "2026-01-01T00:00:00Z",
        "pipelineSpec": spec,
        "runtimeConfig": {"gcsOutputDirectory": "gs://b/root", **(runtime or {})},
    }
    return Graph(job, saved or [], save=lambda task: None, now=lambda: "2026-01-01T00:00:00Z")


def keys(tasks: list[Task]) -> list[str]:
    return sorted(task.key for task in tasks)


def states(graph: Graph) -> dict[str, str]:
    return {path.removeprefix("root/"): task.state for path, task in graph.tasks.items()}


def test_a_task_waits_for_those_before_it() -> None:
    graph = graph_of({"a": step(), "b": step(), "c": step("a", "b")})
    a, b = sorted(graph.advance(), key=lambda task: task.key)
    assert (a.key, b.key) == ("a", "b")
    graph.succeeded(a, {}, {})
    assert graph.advance() == []
    graph.succeeded(b, {}, {})
    assert keys(graph.advance()) == ["c"]


def test_what_depends_on_a_failure_is_not_started_and_the_rest_is() -> None:
    """The service's default, fail slow: everything that can still run does."""
    graph = graph_of({"a": step(), "b": step("a"), "c": step("b"), "d": step(), "e": step("d")})
    a, d = sorted(graph.advance(), key=lambda task: task.key)
    graph.failed(a, "broken")
    assert graph.advance() == []
    graph.succeeded(d, {}, {})
    (e,) = graph.advance()
    graph.succeeded(e, {}, {})
    graph.advance()
    assert states(graph) == {
        "root": "FAILED",
        "a": "FAILED",
        "b": "NOT_TRIGGERED",
        "c": "NOT_TRIGGERED",
        "d": "SUCCEEDED",
        "e": "SUCCEEDED",
    }
    assert graph.root.error.endswith("The failed tasks are: [a].\na: broken")


def test_fail_fast_starts_nothing_after_the_first_failure() -> None:
    graph = graph_of({"a": step(), "d": step(), "e": step("d")}, {"failurePolicy": "PIPELINE_FAILURE_POLICY_FAIL_FAST"})
    a, d = sorted(graph.advance(), key=lambda task: task.key)
    graph.failed(a, "broken")
    graph.succeeded(d, {}, {})
    assert graph.advance() == []
    assert states(graph)["e"] == "NOT_TRIGGERED"
    assert graph.root.state == "FAILED"


def test_a_retry_waits_longer_each_time_and_no_longer_than_the_limit() -> None:
    """backoffDuration × backoffFactor ^ (failures - 1), at most backoffMaxDuration."""
    policy = {"maxRetryCount": 4, "backoffDuration": "10s", "backoffFactor": 3.0, "backoffMaxDuration": "60s"}
    graph = graph_of({"a": step(retryPolicy=policy)})
    (task,) = graph.advance()
    for wait in (10, 30, 60, 60):
        graph.failed(task, "again")
        assert graph.advance() == []
        assert task.retry_at - time.time() == pytest.approx(wait, abs=1)
        assert graph.next_wake() == task.retry_at
        task.retry_at = 0.0
        assert graph.advance() == [task]
    graph.failed(task, "for the last time")
    graph.advance()
    assert (task.state, task.error, task.tries) == ("FAILED", "for the last time", 5)


def test_a_loop_runs_no_more_turns_at_once_than_its_limit() -> None:
    loop = {
        "componentRef": {"name": "comp-turn"},
        "parameterIterator": {"itemInput": "item", "items": {"raw": "[1, 2, 3]"}},
        "iteratorPolicy": {"parallelismLimit": 2},
    }
    graph = graph_of({"loop": loop})
    first, second = graph.advance()
    assert [graph.tasks[task.parent].inputs for task in (first, second)] == [{"item": 1}, {"item": 2}]
    graph.succeeded(first, {}, {})
    (third,) = graph.advance()
    graph.succeeded(second, {}, {})
    graph.succeeded(third, {}, {})
    graph.advance()
    assert graph.root.state == "SUCCEEDED"


def test_an_empty_loop_is_done_at_once() -> None:
    loop = {
        "componentRef": {"name": "comp-turn"},
        "parameterIterator": {"itemInput": "item", "items": {"raw": "[]"}},
    }
    graph = graph_of({"loop": loop, "after": step("loop")})
    assert keys(graph.advance()) == ["after"]


def test_an_unmet_condition_is_no_failure() -> None:
    condition = {"componentRef": {"name": "comp-inner"}, "triggerPolicy": {"condition": "1 == 2"}}
    graph = graph_of({"a": step(), "if": condition})
    (a,) = graph.advance()
    graph.succeeded(a, {}, {})
    graph.advance()
    assert states(graph) == {"root": "SUCCEEDED", "a": "SUCCEEDED", "if": "NOT_TRIGGERED"}


def test_cancel_stops_what_runs_and_starts_only_exit_tasks() -> None:
    exit_task = step("exit-handler-1", triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"})
    handler = {"componentRef": {"name": "comp-inner"}}
    graph = graph_of({"exit-handler-1": handler, "exit": exit_task, "later": step("exit-handler-1")})
    (leaf,) = graph.advance()
    assert graph.cancel() == [leaf]
    assert leaf.state == "CANCELLING"
    graph.stopped(leaf)
    (exiting,) = graph.advance()
    assert exiting.key == "exit"
    graph.succeeded(exiting, {}, {})
    graph.advance()
    assert states(graph)["later"] == "CANCELLED"
    assert graph.root.state == "CANCELLED"


def test_a_run_is_taken_up_from_what_was_saved() -> None:
    """A graph made again from its tasks decides as the first one would have."""
    tasks = {"a": step(), "b": step("a"), "c": step("b")}
    first = graph_of(tasks)
    (a,) = first.advance()
    first.succeeded(a, {"Output": "x"}, {})
    (b,) = first.advance()
    again = graph_of(tasks, saved=list(first.tasks.values()))
    assert again.advance() == []
    again.succeeded(again.tasks["root/b"], {}, {})
    assert keys(again.advance()) == ["c"]
    assert again.tasks["root/b"].id == b.id


def test_a_value_that_never_came_fails_the_task_that_needs_it() -> None:
    """The message names the task and the input."""
    needs = {
        "componentRef": {"name": "comp-turn"},
        "inputs": {
            "parameters": {"item": {"taskOutputParameter": {"producerTask": "a", "outputParameterKey": "Output"}}}
        },
    }
    graph = graph_of({"a": step(), "b": needs})
    (a,) = graph.advance()
    graph.succeeded(a, {}, {})
    graph.advance()
    assert graph.tasks["root/b"].error == (
        "b could not start: the input item has no value: what should make it has not"
    )
