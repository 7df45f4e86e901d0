"""Promise: curves written to a TensorBoard are read back as they were, by the official SDK."""

from __future__ import annotations

import time

import pytest
from google.protobuf import timestamp_pb2

PROJECT = "proj-boards"


@pytest.fixture
def sdk(vertex_environment):
    """The official SDK."""
    from google.cloud import aiplatform

    aiplatform.init(project=PROJECT, location="us-central1")
    return aiplatform


def test_scalars_come_back_in_order_with_the_last_value_of_each_step(sdk):
    """Experiment, run and series made by the SDK; a step that is written twice keeps the later value."""
    board = sdk.Tensorboard.create(display_name="b")
    experiment = sdk.TensorboardExperiment.create("exp", tensorboard_name=board.resource_name)
    run = sdk.TensorboardRun.create("run", tensorboard_experiment_name=experiment.resource_name)
    run.create_tensorboard_time_series("loss")
    now = time.time()
    for step, value in ((1, 3.0), (2, 2.0), (2, 1.5)):
        wall = timestamp_pb2.Timestamp(seconds=int(now) + step)
        run.write_tensorboard_scalar_data({"loss": value}, step=step, wall_time=wall)
    data = run.read_time_series_data()["loss"]
    assert [(p.step, p.scalar.value) for p in data.values] == [(1, 3.0), (2, 1.5)]
    assert [r.display_name for r in sdk.TensorboardRun.list(tensorboard_experiment_name=experiment.resource_name)] == [
        "run"
    ]
    board.delete()
    with pytest.raises(Exception, match="not found"):
        sdk.TensorboardRun(run.resource_name)


def test_every_location_has_the_default_metadata_store(vertex_environment):
    """Read before anything was made in it; contexts are kept in it."""
    store = f"projects/{PROJECT}/locations/us-central1/metadataStores/default"
    assert vertex_environment.request("GET", f"/v1/{store}")["name"] == store
    body = {"schemaTitle": "system.Experiment", "metadata": {"experiment_deleted": False}}
    made = vertex_environment.request("POST", f"/v1/{store}/contexts?contextId=e1", body)
    assert made["name"] == f"{store}/contexts/e1"
    assert vertex_environment.request("GET", f"/v1beta1/{made['name']}")["metadata"] == {"experiment_deleted": False}
