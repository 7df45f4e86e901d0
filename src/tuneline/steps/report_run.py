"""Writes the report of a run, on every path, from the run's folder; and takes a cancelled run's job with it."""

from __future__ import annotations

import sys
from typing import Any

from tuneline import jobs, objects
from tuneline.errors import NotFound, ServiceError
from tuneline.planning import Plan
from tuneline.steps.artifacts import Artifact, write_page
from tuneline.steps.job_engines import engine_of
from tuneline.steps.record import recorded


def run(
    *,
    status: Any,
    model_display_name: str,
    report: Artifact,
    pipeline_root: str,
    pipeline_job_name: str,
    compiled_for: str,
) -> None:
    """Writes `report.html` and `report.json` into the run's folder, and the page to the artifact.

    Args:
        status: kfp's PipelineTaskFinalStatus, or a mapping with the same keys.
    """
    told = _status(status)
    with recorded(
        "report_run",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={"status": told, "model_display_name": model_display_name},
    ) as record:
        # The one room above the steps that a step opens: it reads what they have all written.
        from tuneline import reports

        folder = record.folder
        state = str(told["state"] or "").removeprefix("PIPELINE_STATE_")
        if state == "CANCELLED":
            record.result["cancelled_job"] = _cancel_what_is_left(folder)
        data = reports.build(
            folder,
            title=model_display_name,
            state=state,
            message=str(told["error_message"] or ""),
        )
        page = reports.render(data)
        objects.write_json(f"{folder}/report.json", data)
        objects.write_bytes(f"{folder}/report.html", page.encode(), content_type="text/html; charset=utf-8")
        write_page(report, page)
        record.result.update(report_uri=f"{folder}/report.html", json_uri=f"{folder}/report.json")
        print(f"the report is at {folder}/report.html", file=sys.stderr)


def _cancel_what_is_left(folder: str) -> str:
    """Cancels the job of a run that was cancelled while no step was there to hear it; its name, or ''.

    Between submitting and waiting nobody holds the job. Only what this run made is cancelled, and only where the
    request does not say `leave`.
    """
    try:
        submitted = objects.read_json(f"{folder}/submit_tuning_job.json")["result"].get("submission")
        if objects.exists(f"{folder}/wait_for_tuning_job.json"):
            # Where capacity was refused, the wait went on with another job.
            waited = objects.read_json(f"{folder}/wait_for_tuning_job.json")["result"]
            submitted = waited.get("submission") or submitted
        plan = Plan.from_dict(objects.read_json(f"{folder}/plan_tuning.json")["result"]["plan"])
    except NotFound:
        return ""
    if not submitted:
        return ""
    submission = jobs.Submission.from_dict(submitted)
    if not submission.ours or submission.on_cancel != "cancel":
        return ""
    try:
        held = engine_of(plan)
        if not held.get(submission.name).state.live:
            return ""
        held.cancel(submission.name)
    except ServiceError as error:
        # The report of the run is still owed; it is better late than not said at all.
        print(f"{submission.name} could not be cancelled: {error}", file=sys.stderr)
        return ""
    print(f"the run was cancelled, and {submission.name} with it", file=sys.stderr)
    return submission.name


def _status(status: Any) -> dict[str, Any]:
    """How the steps ended, as plain JSON: the pipeline service's own words."""
    fields = ("state", "pipeline_job_resource_name", "pipeline_task_name", "error_code", "error_message")
    if isinstance(status, dict):
        return {field: status.get(field) for field in fields}
    return {field: getattr(status, field, None) for field in fields}
