"""Predictions by a job: the trainer in predict mode, in a CustomJob on the slice that a plan names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from tuneline import errors
from tuneline.jobs.engines import Engine, Request
from tuneline.jobs.predictions import Prediction
from tuneline.jobs.submission import submit
from tuneline.jobs.training_request import job_body, long_prompts, write_config
from tuneline.jobs.waiting import wait

BASE = "base"
"""The untuned base, among the names of a prediction job's models."""

# The longest that a CustomJob may run by default, and as much again for a queue before it.
_DEADLINE_S = 14 * 24 * 3600.0


def predict(engine: Engine, wanted: Prediction) -> str:
    """The URI of the wanted model's predictions, once the job that makes them, and those `beside` it, has succeeded.

    Raises:
        JobFailed, QuotaExceeded, StillRunning: as waiting for any job.
        NotFound: the job's result is gone, or names no such model.
    """
    submission = submit(engine, request(wanted))
    ended = wait(engine, submission.name, deadline_s=_DEADLINE_S, submission=submission)
    ended.raise_unless_succeeded()
    result = engine.result(submission.name, output_uri=submission.output_uri)
    models = result.get("models")
    for model in models if isinstance(models, list) else []:
        if model.get("adapter", "") == wanted.model:
            return str(model["predictions"])
    raise errors.NotFound(f"{submission.name} has predicted nothing by {wanted.model or 'the base'}", status=404)


def request(wanted: Prediction) -> Request:
    """The request for the job; the same for each of its models, so that they share it."""
    plan = wanted.plan
    config = _config(wanted)
    return Request(
        project=wanted.project,
        location=wanted.location,
        display_name=f"predictions: {plan['model_display_name']}"[:128],
        body=job_body(plan, write_config(wanted.staging, config)),
        staging=wanted.staging,
        identity={"config": config, "data": wanted.data_digest},
        labels=plan.get("labels") or {},
        run=wanted.run,
        on_cancel="leave" if plan.get("on_cancel") == "leave" else "cancel",
    )


def _config(wanted: Prediction) -> Mapping[str, Any]:
    """The trainer's `config.json` in predict mode (docs/trainer.md)."""
    plan = wanted.plan
    adapters = sorted({wanted.model, *wanted.beside})
    config = {
        "version": 1,
        "mode": "predict",
        "base_model": plan["base_model"]["uri"],
        "data": wanted.data_uri,
        "models": [{"name": _name(adapter), **({"adapter": adapter} if adapter else {})} for adapter in adapters],
        "format": wanted.format,
        "default_context": plan.get("default_context") or "",
        **long_prompts(plan),
    }
    if plan["training"].get("max_length"):
        config["max_length"] = plan["training"]["max_length"]
    return config


def _name(adapter: str) -> str:
    """A file's name for an adapter's folder: its last part, and enough of the whole to tell it from its like."""
    if not adapter:
        return BASE
    last = "".join(c if c.isalnum() or c in "._-" else "-" for c in adapter.rstrip("/").rsplit("/", 1)[-1])
    return f"a-{last[:60]}-{hashlib.sha256(adapter.encode()).hexdigest()[:8]}"
