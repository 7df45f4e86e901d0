"""A tuning job's experiment and its TensorBoard: made when the job starts, filled while it runs.

An experiment is a metadata context, which the SDK reads; its curves are series of one run of one TensorBoard
experiment of the same name. One TensorBoard a location holds the curves of all its tuning jobs.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tuneline.local.resources.names import id_of, location_of
from tuneline.trainer.tensorboard import NAMES

V = "google.cloud.aiplatform.v1beta1."
BOARD = "tuning-jobs"
"""Id of the TensorBoard that the service makes by itself."""
RUN = "tuning"
EVERY_S = 1.0
"""How far behind the trainer's own `metrics.jsonl` the series may be."""
SCALAR = 1
_TRACKED = "vertex_experiment_tracking"
"""Key by which the SDK knows a run's artifact as its own (aiplatform.metadata.constants)."""


def experiment_of(job_name: str) -> str:
    """The name of a job's experiment."""
    return f"{location_of(job_name)}/metadataStores/default/contexts/tuning-experiment-{id_of(job_name)}"


def run_of(job_name: str) -> str:
    """The name of the TensorBoard run that has a job's curves."""
    experiment = id_of(experiment_of(job_name))
    return f"{location_of(job_name)}/tensorboards/{BOARD}/experiments/{experiment}/runs/{RUN}"


def begin(service: Any, job: Any) -> str:
    """Make the job's experiment, if it has none yet; answers its name."""
    name, where = experiment_of(job.name), location_of(job.name)
    if service.store.find(name) is not None:
        return name
    run = run_of(job.name)
    experiment, board = run.rpartition("/runs/")[0], f"{where}/tensorboards/{BOARD}"
    with service.store.transaction():
        if service.store.find(board) is None:
            made = service.api.new(V + "Tensorboard", name=board, display_name="Tuning jobs")
            made.description = "Curves of the tuning jobs of this location; made by the local service."
            service.store.insert(made)
        shown = job.tuned_model_display_name
        made = service.api.new(V + "TensorboardExperiment", name=experiment, display_name=id_of(name))
        made.description = f"Curves of {shown}"
        service.store.insert(made)
        service.store.insert(service.api.new(V + "TensorboardRun", name=run, display_name=RUN))
        context = service.api.new(V + "Context", name=name, display_name=id_of(name))
        context.schema_title, context.schema_version = "system.Experiment", "0.0.1"
        context.metadata.update({"experiment_deleted": False, "backing_tensorboard_resource": board})
        service.store.insert(context)
        _tracked_run(service, name, run)
    return name


def _tracked_run(service: Any, experiment: str, run: str) -> None:
    """What makes the run one of the SDK's ExperimentRuns: a context below the experiment's, and the run's artifact."""
    context = service.api.new(V + "Context", name=f"{experiment}-{RUN}", display_name=RUN)
    context.schema_title, context.schema_version = "system.ExperimentRun", "0.0.1"
    context.parent_contexts.append(experiment)
    context.metadata.update({"_state": "RUNNING", "_params": {}, "_metrics": {}})
    service.store.insert(context)
    store = experiment.rpartition("/contexts/")[0]
    artifact = service.api.new(V + "Artifact", name=f"{store}/artifacts/{id_of(context.name)}-tb-run")
    artifact.schema_title, artifact.schema_version = "google.VertexTensorboardRun", "0.0.1"
    artifact.display_name, artifact.state = f"{RUN} curves", "LIVE"
    artifact.metadata.update({"resourceName": run, _TRACKED: True})
    service.store.insert(artifact)


def ended(service: Any, job: Any, how: str) -> None:
    """Say in the run's context that the job is over."""
    context = service.store.find(f"{experiment_of(job.name)}-{RUN}")
    if context is not None:
        context.metadata.update({"_state": {"SUCCEEDED": "COMPLETE"}.get(how, how)})
        service.store.put(context)


async def follow(service: Any, job_name: str, folder: Path) -> None:
    """Carry what the trainer writes into the series, until cancelled."""
    seen = -1.0
    while True:
        await asyncio.sleep(EVERY_S)
        changed = _changed(folder)
        if changed != seen:
            copy(service, job_name, folder)
            seen = changed


def _changed(folder: Path) -> float:
    try:
        return (folder / "output" / "metrics.jsonl").stat().st_mtime
    except FileNotFoundError:
        return -1.0


def copy(service: Any, job_name: str, folder: Path) -> None:
    """All rows of the trainer's curve as points of the six series; a point that is there already stays as it is."""
    try:
        rows = [json.loads(line) for line in (folder / "output" / "metrics.jsonl").read_text().splitlines()]
    except FileNotFoundError:
        return
    run = run_of(job_name)
    if service.store.find(run) is None:
        return  # somebody deleted it, which is theirs to do
    with service.store.transaction():
        for number, name in enumerate(NAMES, 1):
            points = [(row["step"], int(row["time"] * 1e9), float(row[name])) for row in rows if name in row]
            series = f"{run}/timeSeries/{number}"
            if points and service.store.find(series) is None:
                made = service.api.new(V + "TensorboardTimeSeries", name=series, display_name=name)
                made.value_type = SCALAR
                service.store.insert(made)
            last = service.store.last_point(series)
            service.store.add_points(series, [point for point in points if last is None or point[0] > last[0]])
