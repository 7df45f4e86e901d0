"""The run folder as its readers see it: one record a step, and from them how the run ended."""

from __future__ import annotations

from tuneline import objects
from tuneline.errors import DatasetError, JobFailed, NotFound, Problem, TunelineError, UsageError
from tuneline.reports.records import read_all

STEPS = (
    "validate_dataset",
    "plan_tuning",
    "upload_dataset",
    "submit_tuning_job",
    "wait_for_tuning_job",
    "select_checkpoint",
    "upload_model",
    "evaluate_model",
    "deploy_model",
)
"""The steps of `tune-large-model` in the order in which data flows through them."""


def read(run_folder: str, step: str) -> dict | None:
    """The record of one step, or None while it has not begun."""
    try:
        return objects.read_json(f"{run_folder}/{step}.json")
    except NotFound:
        return None


def failure(run_folder: str, message: str) -> TunelineError:
    """The error that ended the run, with the exit code that belongs to it; `message` where no step left one."""
    for step, record in read_all(run_folder).items():
        error = record.get("error")
        if record.get("state") != "failed" or not error:
            continue
        problems = [
            Problem(where=p["where"], what=p["what"], fix=p.get("fix", "")) for p in error.get("problems") or []
        ]
        title = f"step {step}: {error.get('type', 'failed')}"
        if problems and error.get("exit_code") == DatasetError.exit_code:
            return DatasetError(problems, title=title)
        if problems:
            return UsageError(problems, title=title)
        failed = JobFailed(f"step {step}: {error.get('message', message)}")
        failed.exit_code = int(error.get("exit_code") or failed.exit_code)
        return failed
    return JobFailed(message)
