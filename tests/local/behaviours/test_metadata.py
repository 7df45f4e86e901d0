"""Promise: the SDK's experiments, executions and artifacts are kept with their lineage, and read back as written."""

from __future__ import annotations

import uuid

import pytest
from google.api_core import exceptions


@pytest.fixture
def sdk(vertex_environment):
    """The official SDK, redirected by environment alone."""
    from google.cloud import aiplatform

    aiplatform.init(project="proj-metadata", location="us-central1")
    return aiplatform


def test_an_experiment_keeps_its_runs_with_parameters_metrics_and_lineage(sdk):
    """Written by one object of the SDK, read by another."""
    name = f"exp-{uuid.uuid4().hex[:8]}"
    sdk.init(project="proj-metadata", location="us-central1", experiment=name)
    sdk.start_run("run-1")
    sdk.log_params({"learning_rate": 0.1, "epochs": 3})
    sdk.log_metrics({"accuracy": 0.9})
    with sdk.start_execution(schema_title="system.ContainerExecution", display_name="train") as execution:
        data = sdk.Artifact.create(schema_title="system.Dataset", uri="gs://tuneline-local/data", display_name="data")
        execution.assign_input_artifacts([data])
        model = sdk.Artifact.create(schema_title="system.Model", uri="gs://tuneline-local/model", display_name="model")
        execution.assign_output_artifacts([model])
    sdk.end_run()
    run = sdk.ExperimentRun("run-1", name)
    assert run.get_params() == {"learning_rate": 0.1, "epochs": 3}
    assert run.get_metrics() == {"accuracy": 0.9}
    assert run.state.name == "COMPLETE"
    again = sdk.Execution.get(execution.resource_name)
    assert [each.display_name for each in again.get_input_artifacts()] == ["data"]
    assert [each.display_name for each in again.get_output_artifacts()] == ["model"]
    assert [each.name for each in run.get_executions()] == [execution.name]
    assert {each.name for each in run.get_artifacts()} >= {data.name, model.name}
    assert name in [each.name for each in sdk.Experiment.list()]


def test_a_lineage_reaches_as_far_as_asked(vertex_environment):
    """raw → clean → model: one event, two, all; a negative distance is refused; an event is kept once."""
    from google.cloud import aiplatform_v1 as v1

    client = v1.MetadataServiceClient(client_options={"api_endpoint": "us-central1-aiplatform.googleapis.com"})
    store = f"projects/proj-{uuid.uuid4().hex[:8]}/locations/us-central1/metadataStores/default"
    raw, clean, model = (
        client.create_artifact(parent=store, artifact=v1.Artifact(display_name=name), artifact_id=name).name
        for name in ("raw", "clean", "model")
    )
    for name, used, made in (("clean-up", raw, clean), ("train", clean, model)):
        execution = client.create_execution(parent=store, execution=v1.Execution(), execution_id=name).name
        events = [
            v1.Event(artifact=used, type_=v1.Event.Type.INPUT),
            v1.Event(artifact=made, type_=v1.Event.Type.OUTPUT),
        ]
        for _ in range(2):
            client.add_execution_events(execution=execution, events=events)

    def reached(hops: int) -> set[str]:
        graph = client.query_artifact_lineage_subgraph(request={"artifact": raw, "max_hops": hops})
        return {each.name.rpartition("/")[2] for each in (*graph.artifacts, *graph.executions)}

    assert reached(1) == {"raw", "clean-up"}
    assert reached(2) == {"raw", "clean-up", "clean"}
    assert reached(0) == {"raw", "clean-up", "clean", "train", "model"}
    store_of = client.create_context(parent=store, context=v1.Context(), context_id="c").name
    client.add_context_artifacts_and_executions(context=store_of, artifacts=[raw, model])
    members = f'in_context("{store_of}") AND display_name="raw"'
    assert [each.name for each in client.list_artifacts(request={"parent": store, "filter": members})] == [raw]
    assert len(client.query_execution_inputs_and_outputs(execution=f"{store}/executions/train").events) == 2
    with pytest.raises(exceptions.InvalidArgument):
        reached(-1)
