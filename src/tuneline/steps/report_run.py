"""Writes the report of a run, on every path: from the run's folder, and from nothing else."""

from __future__ import annotations

import sys
from typing import Any

from tuneline.steps.artifacts import Artifact, write_page
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
        from tuneline import objects, reports

        folder = record.folder
        data = reports.build(
            folder,
            title=model_display_name,
            state=str(told["state"] or "").removeprefix("PIPELINE_STATE_"),
            message=str(told["error_message"] or ""),
        )
        page = reports.render(data)
        objects.write_json(f"{folder}/report.json", data)
        objects.write_bytes(f"{folder}/report.html", page.encode(), content_type="text/html; charset=utf-8")
        write_page(report, page)
        record.result.update(report_uri=f"{folder}/report.html", json_uri=f"{folder}/report.json")
        print(f"the report is at {folder}/report.html", file=sys.stderr)


def _status(status: Any) -> dict[str, Any]:
    """How the steps ended, as plain JSON: the pipeline service's own words."""
    fields = ("state", "pipeline_job_resource_name", "pipeline_task_name", "error_code", "error_message")
    if isinstance(status, dict):
        return {field: status.get(field) for field in fields}
    return {field: getattr(status, field, None) for field in fields}
