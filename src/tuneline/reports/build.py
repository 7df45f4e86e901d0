"""From the records of a run folder to one report in data: what was asked, found, chosen, scored, and how it ended."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from tuneline._version import __version__
from tuneline.reports.records import read_all


def build(run_folder: str, *, title: str = "", state: str = "", message: str = "") -> dict[str, Any]:
    """The report of a run: complete after a good end, and as much as there is after a bad one.

    `state` and `message` are what the pipeline says of its end (`SUCCEEDED`, `FAILED`, `CANCELLED`); without them the
    records decide. Reads only `run_folder`; the shape of the result is told in `docs/report.md`.
    """
    records = read_all(run_folder)
    results = {step: _decoded(record.get("result") or {}) for step, record in records.items()}
    plan = _part(results, "plan_tuning", "plan")
    waited = results.get("wait_for_tuning_job", {})
    selected = results.get("select_checkpoint", {})
    evaluated = results.get("evaluate_model", {})
    started, ended = _span(records)
    return {
        "version": __version__,
        "title": title or plan.get("model_display_name") or "Tuning run",
        "job": run_folder.rstrip("/").rsplit("/", 2)[-2],
        "run_folder": run_folder,
        "state": _state(state, records),
        "started": started,
        "seconds": _seconds(started, ended),
        "error": _error(records, message),
        "request": records.get("plan_tuning", {}).get("inputs", {}),
        "plan": plan,
        "facts": _part(results, "validate_dataset", "facts"),
        # The wait has one of its own where it went on to a fallback of the request.
        "submission": _part(results, "wait_for_tuning_job", "submission")
        or _part(results, "submit_tuning_job", "submission"),
        "result": _part(results, "wait_for_tuning_job", "result"),
        "job_notes": waited.get("notes") or [],
        "curves": selected.get("curves") or waited.get("curves") or {},
        "checkpoint": _part(results, "select_checkpoint", "checkpoint"),
        "evaluation": _part(results, "evaluate_model", "evaluation"),
        "samples": evaluated.get("samples") or [],
        "model": results.get("upload_model", {}).get("model_resource_name", ""),
        "endpoint": results.get("deploy_model", {}).get("endpoint_resource_name", ""),
        "steps": [_step(step, record) for step, record in records.items()],
    }


def _decoded(result: dict[str, Any]) -> dict[str, Any]:
    """A result whose values that are JSON texts (as steps hand them on) are read."""
    return {key: _json(value) for key, value in result.items()}


def _json(value: object) -> object:
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value  # a text of the user's that begins with a bracket


def _part(results: dict[str, dict[str, Any]], step: str, key: str) -> dict[str, Any]:
    part = results.get(step, {}).get(key)
    return part if isinstance(part, dict) else {}


def _state(state: str, records: dict[str, dict[str, Any]]) -> str:
    if state:
        return state.lower()
    states = {record.get("state") for step, record in records.items() if step != "report_run"}
    return "failed" if "failed" in states else "running" if "running" in states else "succeeded"


def _error(records: dict[str, dict[str, Any]], message: str) -> dict[str, Any] | None:
    """The first failure of a step with its full text; else what the pipeline itself says went wrong."""
    for step, record in records.items():
        if record.get("state") == "failed" and record.get("error"):
            return {"step": step, **record["error"]}
    left = next((step for step, record in records.items() if record.get("state") == "running"), "") if message else ""
    return {"step": left or "unknown", "message": message, "problems": []} if message else None


def _step(step: str, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "step": step,
        "state": record.get("state", ""),
        "seconds": _seconds(record.get("started"), record.get("ended")),
    }


def _span(records: dict[str, dict[str, Any]]) -> tuple[str | None, str | None]:
    started = [record["started"] for record in records.values() if record.get("started")]
    ended = [record["ended"] for record in records.values() if record.get("ended")]
    return (min(started) if started else None), (max(ended) if ended else None)


def _seconds(started: str | None, ended: str | None) -> float | None:
    if not started or not ended:
        return None
    first, last = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (started, ended))
    return round((last - first).total_seconds(), 3)
