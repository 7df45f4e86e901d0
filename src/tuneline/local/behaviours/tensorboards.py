"""TensorBoard: instances, experiments, runs and time series, with the scalars written to them and read back.

Points are kept as (series, step) → value, so that a step written twice has the later value, as TensorBoard shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuneline.local.resources import standard
from tuneline.local.resources.behaviour import ApiError, Call, PassiveBehaviour, behaviour, invalid, method
from tuneline.local.resources.filters import compile_filter
from tuneline.local.resources.names import id_of

SERVICE = "google.cloud.aiplatform.{v}.TensorboardService."
V = "google.cloud.aiplatform.v1beta1."
DEFAULT_POINTS = 1000
"""`max_data_points` where the request has none."""
SCALAR = 1


@behaviour
class Tensorboards(PassiveBehaviour):
    """An instance; nothing of it runs."""

    kind = "Tensorboard"


@behaviour
class TensorboardTimeSeries(PassiveBehaviour):
    """A series of scalars; tensors and blobs are not kept."""

    kind = "TensorboardTimeSeries"

    def creating(self, service: Any, resource: Any, request: Any) -> None:
        if resource.value_type > SCALAR:
            raise ApiError("UNIMPLEMENTED", "The local TensorBoard keeps scalars; send valueType SCALAR.")
        resource.value_type = SCALAR

    def reading(self, service: Any, resource: Any) -> None:
        """The newest step and time, which viewers ask for first."""
        last = service.store.last_point(resource.name)
        if last is not None:
            resource.metadata.max_step = last[0]
            resource.metadata.max_wall_time.FromNanoseconds(last[1])


def _create_all(service: Any, request: Any, call: Call, rpc: str) -> Iterator[Any]:
    """Carry out each create of a batch by the standard method, all or none."""
    found = service.api.methods[f"google.cloud.aiplatform.{call.version}.TensorboardService.{rpc}"]
    with service.store.transaction():
        for each in request.requests:
            if not each.parent.startswith(request.parent):
                raise invalid("requests.parent", f"'{each.parent}' is not in '{request.parent}'.")
            yield standard.create(service, found, each, call)


@method(SERVICE + "BatchCreateTensorboardRuns")
def batch_create_runs(service: Any, request: Any, call: Call) -> Any:
    """Several runs of one experiment."""
    answer = service.api.new(V + "BatchCreateTensorboardRunsResponse")
    answer.tensorboard_runs.extend(list(_create_all(service, request, call, "CreateTensorboardRun")))
    return answer


@method(SERVICE + "BatchCreateTensorboardTimeSeries")
def batch_create_series(service: Any, request: Any, call: Call) -> Any:
    """Several series of one experiment."""
    answer = service.api.new(V + "BatchCreateTensorboardTimeSeriesResponse")
    made = list(_create_all(service, request, call, "CreateTensorboardTimeSeries"))
    answer.tensorboard_time_series.extend(made)
    return answer


def _write(service: Any, request: Any) -> None:
    for series in request.time_series_data:
        name = f"{request.tensorboard_run}/timeSeries/{series.tensorboard_time_series_id}"
        service.store.get(name)
        points = []
        for point in series.values:
            if point.WhichOneof("value") not in (None, "scalar"):
                raise ApiError("UNIMPLEMENTED", "The local TensorBoard keeps scalars only.")
            points.append((point.step, point.wall_time.ToNanoseconds(), point.scalar.value))
        service.store.add_points(name, points)


@method(SERVICE + "WriteTensorboardRunData")
def write_run_data(service: Any, request: Any, call: Call) -> Any:
    """Points for the series of one run, all or none."""
    with service.store.transaction():
        _write(service, request)
    return service.api.new(V + "WriteTensorboardRunDataResponse")


@method(SERVICE + "WriteTensorboardExperimentData")
def write_experiment_data(service: Any, request: Any, call: Call) -> Any:
    """Points for several runs of one experiment, all or none."""
    with service.store.transaction():
        for each in request.write_run_data_requests:
            _write(service, each)
    return service.api.new(V + "WriteTensorboardExperimentDataResponse")


def _points(service: Any, name: str, most: int) -> Any:
    """A series with at most so many points, evenly chosen, the last one always among them."""
    found = service.store.points(name)
    most = most or DEFAULT_POINTS
    if len(found) > most:
        found = [found[round(at * (len(found) - 1) / max(1, most - 1))] for at in range(most)]
    data = service.api.new(V + "TimeSeriesData", tensorboard_time_series_id=id_of(name), value_type=SCALAR)
    data.values.extend(_point(service, *each) for each in found)
    return data


def _point(service: Any, step: int, wall: int, value: float) -> Any:
    point = service.api.new(V + "TimeSeriesDataPoint", step=step)
    point.wall_time.FromNanoseconds(wall)
    point.scalar.value = value
    return point


@method(SERVICE + "ReadTensorboardTimeSeriesData")
def read_series(service: Any, request: Any, call: Call) -> Any:
    """One series."""
    service.store.get(request.tensorboard_time_series)
    answer = service.api.new(V + "ReadTensorboardTimeSeriesDataResponse")
    answer.time_series_data.CopyFrom(_points(service, request.tensorboard_time_series, request.max_data_points))
    return answer


@method(SERVICE + "BatchReadTensorboardTimeSeriesData")
def batch_read_series(service: Any, request: Any, call: Call) -> Any:
    """Several series."""
    answer = service.api.new(V + "BatchReadTensorboardTimeSeriesDataResponse")
    for name in request.time_series:
        service.store.get(service.projects.by_id(name))
        answer.time_series_data.append(_points(service, service.projects.by_id(name), 0))
    return answer


@method(SERVICE + "ExportTensorboardTimeSeriesData")
def export_series(service: Any, request: Any, call: Call) -> Any:
    """Every point of a series, by pages, filtered on step and value."""
    service.store.get(request.tensorboard_time_series)
    test = compile_filter(request.filter)
    points = [_point(service, *each) for each in service.store.points(request.tensorboard_time_series)]
    points = [point for point in points if test(point)]
    start = int(request.page_token) if request.page_token.isdigit() else 0
    size = min(request.page_size or 1000, 10_000)
    answer = service.api.new(V + "ExportTensorboardTimeSeriesDataResponse")
    answer.time_series_data_points.extend(points[start : start + size])
    if start + size < len(points):
        answer.next_page_token = str(start + size)
    return answer


@method(SERVICE + "ReadTensorboardSize")
def read_size(service: Any, request: Any, call: Call) -> Any:
    """Roughly what the points take: 16 bytes each."""
    count = service.store.count_points(request.tensorboard)
    return service.api.new(V + "ReadTensorboardSizeResponse", storage_size_byte=16 * count)
