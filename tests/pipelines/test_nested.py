"""A pipeline of somebody else's calls the core, runs on the local service, and uses the tuned model in a step."""

import time
from pathlib import Path

from kfp import compiler, dsl

import tuneline
from components.image import IMAGE
from tests.pipelines.test_kfp_local import request
from tuneline import objects

PARENT = "/v1/projects/tuneline-local/locations/us-central1/pipelineJobs"
ENDED = {"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"}


def compiled(path: Path) -> dict:
    """The caller's pipeline: the core, and after it a step of its own over the model and the metrics."""
    import yaml
    from google_cloud_pipeline_components.types.artifact_types import VertexModel

    @dsl.component(base_image=IMAGE, install_kfp_package=False)
    def announce(model: dsl.Input[VertexModel], name: str, metrics: dsl.Input[dsl.Metrics], told_uri: str):
        from tuneline import objects

        told = {"model": model.metadata["resourceName"], "uri": model.uri, "name": name, "metrics": metrics.metadata}
        objects.write_json(told_uri, told)

    @dsl.pipeline(name="callers-own")
    def callers_own(dataset_uri: str, evaluation_data_uri: str, test_data_uri: str, told_uri: str):
        tuned = tuneline.load("tune-large-model-core")(
            project="tuneline-local",
            model_display_name="nested",
            large_model_reference="gemma-3-1b-it",
            dataset_uri=dataset_uri,
            evaluation_data_uri=evaluation_data_uri,
            test_data_uri=test_data_uri,
            train_steps=20,
            evaluation_interval=10,
        )
        announce(
            model=tuned.outputs["model"],
            name=tuned.outputs["model_resource_name"],
            metrics=tuned.outputs["metrics"],
            told_uri=told_uri,
        )

    compiler.Compiler().compile(callers_own, str(path))
    return yaml.safe_load(path.read_text())


def test_a_callers_step_gets_the_model_of_the_core(vertex_environment, tmp_path):
    given = request()
    told_uri = "gs://tuneline-local/told/nested.json"
    body = {
        "displayName": "nested",
        "pipelineSpec": compiled(tmp_path / "callers_own.yaml"),
        "runtimeConfig": {
            "gcsOutputDirectory": "gs://tuneline-local/nested",
            "parameterValues": {
                **{name: given[name] for name in ("dataset_uri", "evaluation_data_uri", "test_data_uri")},
                "told_uri": told_uri,
            },
        },
    }
    name = vertex_environment.request("POST", f"{PARENT}?pipelineJobId=nested-1", body)["name"]
    ends = time.monotonic() + 240
    while (job := vertex_environment.request("GET", f"/v1/{name}"))["state"] not in ENDED:
        assert time.monotonic() < ends, job["jobDetail"]
        time.sleep(0.1)  # the service's API has no way to wait for the end of a pipeline
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED", job.get("error")

    told = objects.read_json(told_uri)
    assert told["model"] == told["name"]
    assert told["uri"].endswith(told["name"])
    assert told["metrics"]["n"] > 0
    assert vertex_environment.request("GET", f"/v1/{told['name']}")["displayName"] == "nested"
    # The records are in the folder of the caller's own run.
    assert objects.read_json("gs://tuneline-local/nested/nested-1/run/upload_model.json")["state"] == "succeeded"
    uploads = [task for task in job["jobDetail"]["taskDetails"] if task["taskName"] == "upload-model"]
    # Where the older SDK looks for the tuned model.
    assert uploads[0]["execution"]["metadata"]["output:model_resource_name"] == told["name"]
