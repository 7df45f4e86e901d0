"""Following a run: what its steps and its training are doing now, from the job and from the run folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from tuneline import objects
from tuneline.errors import NotFound, ServiceError, StillRunning, Unavailable
from tuneline.runs import pipeline_jobs, records

OUTAGE_S = 20 * 60.0
"""How long the service may be away before following ends; the run itself goes on."""


@dataclass(frozen=True, kw_only=True)
class StepState:
    """One step of the run, as its task tells it."""

    name: str
    state: str
    """`PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED`, `SKIPPED`, `CANCELLED`."""
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Training:
    """The last known point of the training curve."""

    step: int
    total: int
    row: dict[str, float] = field(default_factory=dict)
    """The newest row of `metrics.jsonl`."""
    evaluation: dict[str, float] = field(default_factory=dict)
    """The newest row that holds an evaluation."""
    losses: tuple[float, ...] = ()
    """Of every step so far, oldest first."""
    evaluation_losses: tuple[float, ...] = ()
    """Of every evaluation so far, oldest first."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    job: dict
    steps: tuple[StepState, ...]
    training: Training | None

    @property
    def ended(self) -> bool:
        return pipeline_jobs.ended(self.job)


def follow(
    name: str,
    run_folder: str,
    *,
    interval_s: float = 1.0,
    deadline_s: float = 0.0,
    on_outage: Callable[[ServiceError], None] | None = None,
) -> Iterator[Snapshot]:
    """Yield a snapshot each `interval_s` until the job has ended; the last one is of the ended job.

    An outage does not end it before `OUTAGE_S`; `on_outage` is called at each failed look. Raises `StillRunning` at the
    deadline (0: none), which leaves the run alone.
    """
    began = time.monotonic()
    last_answer = began
    live = _Live(run_folder)
    while True:
        try:
            job = pipeline_jobs.get(name)
            snapshot = Snapshot(job=job, steps=steps_of(job), training=live.training())
            last_answer = time.monotonic()
        except Unavailable as error:
            if time.monotonic() - last_answer > OUTAGE_S:
                raise
            if on_outage:
                on_outage(error)
        else:
            yield snapshot
            if snapshot.ended:
                return
        if deadline_s and time.monotonic() - began > deadline_s:
            raise StillRunning(
                f"{name} still runs after {deadline_s:.0f} s; "
                f"watch it with: tuneline runs watch {name.rsplit('/', 1)[1]}"
            )
        time.sleep(interval_s)


def newest(rows: Sequence[dict[str, float]], total: int) -> Training:
    """A curve as it stands: its newest rows, and its losses so far; `total` steps were asked for (0: not known)."""
    if not rows:
        return Training(step=0, total=total)
    evaluated = [row for row in rows if "/eval_total_loss" in row]
    trained = [row for row in rows if "/train_total_loss" in row]
    return Training(
        step=int(rows[-1]["step"]),
        total=total,
        row=trained[-1] if trained else {},
        evaluation=evaluated[-1] if evaluated else {},
        losses=tuple(row["/train_total_loss"] for row in trained),
        evaluation_losses=tuple(row["/eval_total_loss"] for row in evaluated),
    )


class _Live:
    """Reads of the training's metrics, as soon as it is known where they are written."""

    def __init__(self, run_folder: str) -> None:
        self._run_folder = run_folder
        self._metrics = ""
        self._total = 0
        self._managed = ("", "")
        """Engine and name of a managed job, which writes no metrics anywhere."""

    def training(self) -> Training | None:
        if not (self._metrics or self._managed[1]) and not self._locate():
            return None
        if self._managed[1]:
            return self._of_service(*self._managed)
        try:
            text = objects.read_bytes(self._metrics)
        except NotFound:
            self._metrics = ""  # not begun; or capacity was refused, and the job is another by now
            return Training(step=0, total=self._total)
        rows = [orjson.loads(line) for line in text.splitlines() if line.strip()]
        return newest(rows, self._total)

    def _of_service(self, engine: str, name: str) -> Training | None:
        """The curve that the service shows as it grows; None before there is one."""
        from tuneline import jobs
        from tuneline.runs import tuning_jobs  # it needs this module

        held = jobs.engine(engine)
        try:
            job = held.get(name)
            rows = tuning_jobs.curve(held, job)
            self._total = self._total or tuning_jobs.total_steps(held, job)
        except ServiceError:
            return None  # who watches need not have the key that the run has
        return newest(rows, self._total) if rows else None

    def _locate(self) -> bool:
        submitted = records.read(self._run_folder, "submit_tuning_job")
        if not submitted or submitted.get("state") != "succeeded":
            return False
        waited = (records.read(self._run_folder, "wait_for_tuning_job") or {}).get("result") or {}
        submission = _decoded(waited.get("submission") or submitted["result"].get("submission", submitted["result"]))
        plan = records.read(self._run_folder, "plan_tuning")
        parameters = _decoded(plan["result"].get("plan", plan["result"])) if plan else {}
        if parameters.get("managed"):
            self._managed = (parameters["engine"], submission["name"])
            return True
        self._total = int(parameters.get("training", {}).get("train_steps", 0))
        self._metrics = f"{submission['output_uri'].rstrip('/')}/metrics.jsonl"
        return True


def _decoded(value: object) -> dict:
    return json.loads(value) if isinstance(value, str) else dict(value)


def steps_of(job: dict) -> tuple[StepState, ...]:
    """The leaf tasks of the job as they began, those to come after them; the DAGs that hold them are not steps."""
    details = job.get("jobDetail", {}).get("taskDetails", [])
    parents = {task.get("parentTaskId") for task in details}
    leaves = sorted((task for task in details if task.get("taskId") not in parents), key=_place)
    return tuple(
        StepState(
            name=task.get("taskName", ""),
            state=task.get("state", "PENDING"),
            seconds=_seconds(task),
            error=task.get("error", {}).get("message", ""),
        )
        for task in leaves
    )


def _place(task: dict) -> tuple[bool, str, int]:
    """Where a task stands in the list; of those that have not begun, ours stand in the order of their data."""
    name = str(task.get("taskName", "")).replace("-", "_")
    if name.startswith("plan_"):
        name = "plan_tuning"  # one step, with a typed front for each service
    order = records.STEPS.index(name) if name in records.STEPS else len(records.STEPS)
    return not task.get("startTime"), task.get("startTime", ""), order


def _seconds(task: dict) -> float:
    from datetime import UTC, datetime

    if not task.get("startTime"):
        return 0.0
    start = datetime.fromisoformat(task["startTime"].replace("Z", "+00:00"))
    end = datetime.fromisoformat(task["endTime"].replace("Z", "+00:00")) if task.get("endTime") else datetime.now(UTC)
    return max(0.0, (end - start).total_seconds())
