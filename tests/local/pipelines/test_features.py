"""What kfp.local cannot run, so that nothing compares it: OneOf of artifacts, every artifact type, labels, policies.

No `from __future__ import annotations` here: KFP reads the annotations themselves.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from kfp import dsl
from kfp.dsl import (
    HTML,
    Artifact,
    ClassificationMetrics,
    Dataset,
    Input,
    Markdown,
    Metrics,
    Model,
    Output,
    SlicedClassificationMetrics,
)

from tests.local.pipelines.conftest import PARENT, Service
from tests.local.pipelines.corpus import choose, component, fail, read, write

Compile = Callable[[Any], dict[str, Any]]


@dsl.pipeline
def one_of_artifacts(which: str = "a") -> Dataset:
    chosen = choose(which=which)
    with dsl.If(chosen.output == "a"):
        first = write(text="first")
    with dsl.Elif(chosen.output == "b"):
        second = write(text="second")
    with dsl.Else():
        third = write(text="third")
    found = dsl.OneOf(first.outputs["data"], second.outputs["data"], third.outputs["data"])
    read(data=found)
    return found


def test_one_of_artifacts_is_that_of_the_branch_taken(shared: Service, compile_pipeline: Compile) -> None:
    """Read by a task outside the branches, and put out by the pipeline."""
    spec = compile_pipeline(one_of_artifacts)
    for which, text in (("a", "first"), ("b", "second"), ("x", "third")):
        run = shared.run(spec, {"which": which})
        assert run.state == "SUCCEEDED", run.job.get("error")
        assert run.output("read") == {"Output": f"{text} {len(text)}"}
        (artifact,) = run.tasks["one-of-artifacts"]["outputs"]["Output"]["artifacts"]
        name = artifact["uri"].removeprefix("gs://tuneline-local/").replace("/", "%2F")
        content = requests.get(f"{shared.url}/storage/v1/b/tuneline-local/o/{name}?alt=media", timeout=10)
        assert content.text == text


@component
def make(
    anything: Output[Artifact],
    data: Output[Dataset],
    model: Output[Model],
    scores: Output[Metrics],
    classes: Output[ClassificationMetrics],
    slices: Output[SlicedClassificationMetrics],
    page: Output[HTML],
    text: Output[Markdown],
):
    for artifact in (anything, data, model, page, text):
        with open(artifact.path, "w") as file:
            file.write(artifact.name)
    model.framework = "jax"
    scores.log_metric("accuracy", 0.5)
    classes.log_confusion_matrix(["a", "b"], [[1, 2], [3, 4]])
    classes.log_roc_curve([0.0, 1.0], [0.0, 1.0], [0.5, 0.1])
    slices.metadata["evaluationSlices"] = [{"slice": "one"}]


@component
def look(
    anything: Input[Artifact],
    data: Input[Dataset],
    model: Input[Model],
    scores: Input[Metrics],
    classes: Input[ClassificationMetrics],
    slices: Input[SlicedClassificationMetrics],
    page: Input[HTML],
    text: Input[Markdown],
) -> list:
    found = [anything, data, model, scores, classes, slices, page, text]
    assert [type(each).schema_title for each in found] == [each.schema_title for each in found]
    for each in (anything, data, model, page, text):
        with open(each.path) as file:
            assert file.read(), each.name
    matrix = classes.metadata["confusionMatrix"]["rows"]
    return [scores.metadata["accuracy"], model.metadata["framework"], len(matrix), len(slices.metadata)]


@dsl.pipeline
def all_types() -> list:
    made = make().outputs
    names = ("anything", "data", "model", "scores", "classes", "slices", "page", "text")
    return look(**{name: made[name] for name in names}).output


def test_every_type_of_artifact_passes_with_its_content_and_metadata(
    shared: Service, compile_pipeline: Compile
) -> None:
    """And is shown by its type in the job's detail."""
    run = shared.run(compile_pipeline(all_types))
    assert run.state == "SUCCEEDED", run.job.get("error")
    assert run.outputs == {"Output": [0.5, "jax", 2, 1]}
    outputs = run.tasks["make"]["outputs"]
    assert {each["artifacts"][0]["schemaTitle"] for each in outputs.values()} == {
        f"system.{name}"
        for name in (
            "Artifact",
            "Dataset",
            "Model",
            "Metrics",
            "ClassificationMetrics",
            "SlicedClassificationMetrics",
            "HTML",
            "Markdown",
        )
    }


@component
def labels() -> str:
    import os

    return os.environ["VERTEX_AI_PIPELINES_RUN_LABELS"]


@dsl.pipeline
def labelled() -> str:
    return labels().output


def test_labels_reach_the_tasks_and_are_filtered_by(shared: Service, compile_pipeline: Compile) -> None:
    """As Google's own components hand them on to the jobs that they make."""
    run = shared.run(compile_pipeline(labelled), labels={"team": "a", "cost": "7"})
    found = json.loads(run.outputs["Output"])
    assert {key: found[key] for key in ("team", "cost")} == {"team": "a", "cost": "7"}
    assert found["vertex-ai-pipelines-run-billing-id"]
    query = {"filter": "labels.team=a AND labels.cost=7"}
    listed = requests.get(f"{shared.url}/v1/{PARENT}/pipelineJobs", params=query, timeout=10).json()
    assert run.job["name"] in [job["name"] for job in listed["pipelineJobs"]]


@component
def pause():
    import time

    time.sleep(0.7)


@component
def after(folder: str):
    import os

    open(os.path.join(folder, "after"), "w").close()


@dsl.pipeline
def two_branches(folder: str) -> None:
    fail(word="broken")
    after(folder=folder).after(pause())


def test_the_failure_policy_decides_whether_the_rest_goes_on(
    shared: Service, compile_pipeline: Compile, tmp_path: Path
) -> None:
    """Fail fast starts nothing more; the default, fail slow, runs all that does not depend on the failure."""
    spec = compile_pipeline(two_branches)
    ran = tmp_path / "after"
    fast = {"failurePolicy": "PIPELINE_FAILURE_POLICY_FAIL_FAST"}
    run = shared.run(spec, {"folder": str(tmp_path)}, runtime=fast)
    assert (run.state, ran.exists()) == ("FAILED", False)
    run = shared.run(spec, {"folder": str(tmp_path)})
    assert (run.state, ran.exists()) == ("FAILED", True)
