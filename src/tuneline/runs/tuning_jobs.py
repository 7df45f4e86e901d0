"""Tuning jobs of every engine as one list: found by a name or a bare id, told in one shape, followed as they train."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from tuneline import catalog, jobs, objects
from tuneline.errors import NotFound, Problem, ServiceError, UsageError
from tuneline.google import rest, settings
from tuneline.jobs.engines import LABEL_FINGERPRINT, Engine
from tuneline.jobs.gemini_api import GeminiApi
from tuneline.jobs.model import Job
from tuneline.runs.follow import Snapshot, newest

ENGINES = {"custom_training": "customJobs", "vertex_tuning": "tuningJobs", "gemini_api": "tunedModels"}
"""Engine → the collection in which its jobs stand."""


def find(name: str, project: str, location: str, *, engine: str = "") -> tuple[Engine, Job]:
    """The job of a full resource name, or of a bare id, which is looked for with each engine (or the one named).

    Raises:
        UsageError: the name is no job's, or there is none of that id.
        ServiceError: the service's refusal.
    """
    if "/" in name:
        kind = name.split("/")[-2]
        found = next((each for each, collection in ENGINES.items() if collection == kind), "")
        if not found:
            fix = "a job is named …/customJobs/ID, …/tuningJobs/ID or tunedModels/ID"
            raise UsageError([Problem(where="JOB", what=f"{name} is no tuning job", fix=fix)])
        held = jobs.engine(found)
        return held, held.get(name)
    # Vertex AI numbers its jobs; ids of the Gemini API are words, and are asked for with a key of their own.
    numbered = name.isdecimal()
    for each in [engine] if engine else [key for key in ENGINES if (key != "gemini_api") == numbered]:
        held = jobs.engine(each)
        try:
            return held, held.get(held.full_name(project, location, name))
        except NotFound:
            continue
    what = f"there is no tuning job {name} in {project}, {location}"
    fix = "see tuneline jobs list; --region names another region, a full resource name any"
    raise UsageError([Problem(where="JOB", what=what, fix=fix)])


def is_ours(job: Job) -> bool:
    """Whether a CustomJob is a tuning job of this project's: other CustomJobs may do anything."""
    return LABEL_FINGERPRINT in job.labels


def facts(engine: Engine, job: Job) -> dict[str, Any]:
    """The job as one JSON object: engine, name, state, times (RFC 3339 or null), error and output."""
    return {
        "engine": engine.name,
        "name": job.name,
        "display_name": job.display_name,
        "state": job.state.name,
        "detail": job.detail,
        "created": _told(job.created),
        "started": _told(job.started),
        "ended": _told(job.ended),
        "error": job.error,
        "output_uri": job.output_uri,
        "labels": dict(job.labels),
    }


def curve(engine: Engine, job: Job) -> list[dict[str, Any]]:
    """What was measured so far, a row a step with the names of the trainer's `metrics.jsonl`; empty: nothing is told.

    A CustomJob of somebody else's tells nothing, since its files may hold anything.
    """
    if engine.name == "custom_training" and not is_ours(job):
        return []
    if isinstance(engine, GeminiApi):
        return [{"step": each["step"], "/train_total_loss": each["mean_loss"]} for each in engine.curve(job)]
    return [orjson.loads(line) for line in engine.logs(job.name, output_uri=job.output_uri) if line.strip()]


def total_steps(engine: Engine, job: Job) -> int:
    """The steps that the job was asked for; 0: it does not say."""
    if engine.name == "gemini_api":
        operations = rest.paged("generativelanguage", f"/v1beta/{job.name}/operations", "operations")
        return max((int((each.get("metadata") or {}).get("totalSteps") or 0) for each in operations), default=0)
    config = _config_uri(job)
    try:
        return int(objects.read_json(config).get("train_steps") or 0) if config else 0
    except NotFound:
        return 0  # the configuration was cleaned away; the job's curve is told without its end


def follow(
    engine: Engine,
    job: Job,
    *,
    deadline_s: float,
    show: Callable[[Snapshot], None],
    say: Callable[[str], None],
) -> Job:
    """The job in its terminal state; meanwhile `show` gets its newest point and `say` each change of its state.

    Raises:
        StillRunning: the deadline passed; the job goes on.
        ServiceError: as `jobs.wait`.
    """
    total, told, blind = 0, "", False

    def look(now: Job) -> None:
        nonlocal told, total, blind
        if now.words != told:
            told = now.words
            say(f"{now.name.rpartition('/')[2]}: {told}")
        try:
            rows = curve(engine, now)
            if rows and not total:
                total = total_steps(engine, now)
        except ServiceError as error:
            # What cannot be shown is no reason to stop watching.
            if not blind:
                say(f"its curve cannot be read now: {error}")
            blind, rows = True, []
        show(Snapshot(job=dict(now.raw), steps=(), training=newest(rows, total) if rows else None))

    return jobs.wait(engine, job.name, deadline_s=deadline_s, on_poll=look, on_note=say)


def delete(engine: Engine, job: Job) -> None:
    """Deletes a CustomJob's record, or a tuned model of the Gemini API.

    Raises:
        UsageError: the job has not ended, or its API has no delete, as for tuned Gemini models of Vertex AI.
    """
    if engine.name == "vertex_tuning":
        what = f"{job.name} is a tuning job of Vertex AI: it and its tuned Gemini model cannot be deleted"
        fix = "leave it; tuneline clean --endpoints removes the endpoints of its other checkpoints"
        raise UsageError([Problem(where="JOB", what=what, fix=fix)])
    if not job.state.terminal:
        fix = "tuneline jobs cancel it first"
        raise UsageError([Problem(where="JOB", what=f"{job.name} is {job.state.words}", fix=fix)])
    if isinstance(engine, GeminiApi):
        engine.delete(job.name)
    else:
        rest.call("DELETE", "aiplatform", f"/v1/{job.name}")


def update(engine: Engine, job: Job, *, display_name: str | None = None, description: str | None = None) -> Job:
    """The tuned model of the Gemini API under another display name or description; None leaves one as it is.

    Raises:
        UsageError: it is something else, or nothing is to be changed.
        ServiceError: the service's refusal.
    """
    if not isinstance(engine, GeminiApi):
        fix = "update its model in the registry"
        raise UsageError([Problem(where="MODEL", what=f"{job.name} is no tuned model of the Gemini API", fix=fix)])
    if display_name is None and description is None:
        fix = "give --display-name or --description"
        raise UsageError([Problem(where="MODEL", what="there is nothing to change", fix=fix)])
    return engine.patch(job.name, display_name=display_name, description=description)


def billed(job: Job) -> str:
    """One sentence: how long the job has held its machines, and what that costs as far as the catalogue knows."""
    if settings.is_local():
        return "nothing is billed on the local service"
    if not job.started:
        return "it has not begun, so no machine time is billed"
    hours = ((job.ended or datetime.now(UTC)) - job.started).total_seconds() / 3600
    if "/tuningJobs/" in job.name:
        model = catalog.find_model(str(job.raw.get("baseModel") or ""))
        price = f", {model.price.usd_per_million_training_tokens:g} USD a million" if model and model.price else ""
        told = f"it has run for {hours:.2f} hours; it is billed by training tokens{price}"
        return f"{told}, of which the API tells the number at its end"
    machines = _slice(job)
    if machines is None:
        return f"it has run for {hours:.2f} hours; what that costs is not known here"
    if machines.price is None:
        return f"it has held {machines.name} for {hours:.2f} hours, whose price is not known (docs/catalog.md)"
    cost = hours * machines.price.usd_per_hour
    return f"it has held {machines.name} for {hours:.2f} hours: about {cost:,.2f} USD at the standard price"


def _slice(job: Job) -> catalog.Slice | None:
    pools = _pools(job)
    if not pools:
        return None
    machine = dict(pools[0].get("machineSpec") or {})
    asked = [machine.get(key) for key in _MACHINE]
    return next((each for each in catalog.slices() if [each.machine_spec.get(key) for key in _MACHINE] == asked), None)


_MACHINE = ("machineType", "acceleratorType", "acceleratorCount", "tpuTopology")


def _config_uri(job: Job) -> str:
    """The trainer's configuration, as its container is told it; '' where the container is another's."""
    pools = _pools(job)
    arguments = list((pools[0].get("containerSpec") or {}).get("args") or ()) if pools else []
    place = arguments.index("--config") + 1 if "--config" in arguments else len(arguments)
    return str(arguments[place]) if place < len(arguments) else ""


def _pools(job: Job) -> list[dict[str, Any]]:
    spec = job.raw.get("jobSpec")
    return list(spec.get("workerPoolSpecs") or ()) if isinstance(spec, dict) else []


def _told(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
