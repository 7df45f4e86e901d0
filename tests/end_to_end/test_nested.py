"""The core is a step of somebody else's pipeline: its outputs feed what comes after."""

import json
from pathlib import Path

import yaml

from tests.end_to_end.conftest import Datasets, wait_until
from tuneline.testing import LocalVertex


def compiled(path: Path) -> dict:
    """A pipeline of this test's own: tune, then look at the model that came out."""
    from google_cloud_pipeline_components.types.artifact_types import VertexModel
    from kfp import compiler, dsl

    import tuneline.pipelines

    @dsl.component(base_image="python:3.11", install_kfp_package=False)
    def look(model: dsl.Input[VertexModel], name: str, seen: dsl.OutputPath(str)) -> None:
        assert model.metadata["resourceName"] == name
        with open(seen, "w") as file:
            file.write(model.uri)

    @dsl.pipeline(name="weekly")
    def weekly(project: str, dataset_uri: str, evaluation_data_uri: str) -> str:
        tuned = tuneline.pipelines.tune_large_model_core(
            project=project,
            model_display_name="weekly",
            large_model_reference="llama-3.2-1b-instruct",
            dataset_uri=dataset_uri,
            evaluation_data_uri=evaluation_data_uri,
            train_steps=20,
            evaluation_interval=10,
            seed=7,
        )
        looked = look(model=tuned.outputs["model"], name=tuned.outputs["model_resource_name"])
        return looked.outputs["seen"]

    compiler.Compiler().compile(weekly, str(path))
    return yaml.safe_load(path.read_text())


def test_a_further_step_uses_the_model(local_vertex: LocalVertex, datasets: Datasets, tmp_path: Path):
    for name, path in (("train", datasets.train), ("evaluation", datasets.evaluation)):
        address = f"/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=nested/{name}.jsonl"
        local_vertex.request("POST", address, path.read_bytes())
    values = {
        "project": "tuneline-local",
        "dataset_uri": "gs://tuneline-local/nested/train.jsonl",
        "evaluation_data_uri": "gs://tuneline-local/nested/evaluation.jsonl",
    }
    body = {
        "displayName": "weekly",
        "pipelineSpec": compiled(tmp_path / "weekly.yaml"),
        "runtimeConfig": {"gcsOutputDirectory": "gs://tuneline-local/weekly", "parameterValues": values},
    }
    parent = "/v1/projects/tuneline-local/locations/us-central1/pipelineJobs"
    job = local_vertex.request("POST", parent, body)

    def end() -> dict | None:
        now = local_vertex.request("GET", "/v1/" + job["name"])
        return now if now["state"] in ("PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED") else None

    done = wait_until(end, timeout_s=240, what="the run's end")
    assert done["state"] == "PIPELINE_STATE_SUCCEEDED", json.dumps(done.get("error"))
    look = next(task for task in done["jobDetail"]["taskDetails"] if task["taskName"] == "look")
    seen = look["execution"]["metadata"]["output:seen"]
    assert "/models/" in seen
