"""The curves of a TuningJob, read where the service keeps them: in the TensorBoard behind the job's experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneline import errors
from tuneline.google import rest
from tuneline.jobs.model import Job

# The key by which the SDK finds an experiment's TensorBoard: aiplatform.metadata.constants.
_BOARD = "backing_tensorboard_resource"


def rows(job: Job) -> list[dict[str, Any]]:
    """What was measured so far, a row a step as in the trainer's `metrics.jsonl`; empty where nothing is there yet.

    An experiment is a metadata context; its curves are the time series of the runs of the TensorBoard experiment of the
    same name, each shown under the metric's own name (`/train_total_loss`).
    """
    experiment = str(job.raw.get("experiment") or "")
    if not experiment:
        return []
    try:
        context = rest.call("GET", "aiplatform", f"/v1/{experiment}")
        board = str((context.get("metadata") or {}).get(_BOARD) or "")
        if not board:
            return []
        place = f"{board}/experiments/{experiment.rpartition('/')[2]}"
        series = {
            each["name"]: str(each.get("displayName") or "")
            for run in rest.paged("aiplatform", f"/v1/{place}/runs", "tensorboardRuns")
            for each in rest.paged("aiplatform", f"/v1/{run['name']}/timeSeries", "tensorboardTimeSeries")
        }
        if not series:
            return []
        read = rest.call("GET", "aiplatform", f"/v1/{board}:batchRead", params={"timeSeries": list(series)})
    except errors.NotFound:
        return []  # deleted by somebody; the job itself is as it was
    names = {name.rpartition("/")[2]: shown for name, shown in series.items()}
    return _by_step(read.get("timeSeriesData") or [], names)


def _by_step(data: list[Mapping[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for each in data:
        metric = names.get(str(each.get("tensorboardTimeSeriesId")), "")
        for point in each.get("values") or []:
            # proto3 leaves out what is zero, and writes int64 as text.
            step = int(point.get("step") or 0)
            value = float((point.get("scalar") or {}).get("value") or 0.0)
            found.setdefault(step, {"step": step})[metric] = value
    return [found[step] for step in sorted(found)]
