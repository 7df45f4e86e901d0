"""`tuneline run`: submit a template, watch it, and tell how it ended."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneline.cli.options import JOB_ID, gather, run_options

if TYPE_CHECKING:
    from tuneline.cli.view import PlainView, TerminalView
    from tuneline.local.control import LocalService
    from tuneline.runs.request import RunRequest


@click.command("run")
@run_options
@JOB_ID
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to save the report page. [default: runs/JOB/report.html]",
)
@click.option(
    "--deadline", type=float, default=0.0, help="Stop watching after this many seconds (exit code 8); the run goes on."
)
@click.option("--stop-local", is_flag=True, help="At the end, stop the local service if this command started it.")
def command(report: Path | None, deadline: float, stop_local: bool, **options: object) -> None:
    """Run TEMPLATE: submit it, watch its steps and its loss, and save the report.

    \b
    On this machine:   tuneline run tune-large-model --local --config examples/numbers.yaml
    On Vertex AI:      the same with --project P --region R --root gs://BUCKET instead of --local
    """
    request, service = gather(**options)
    try:
        _run(request, report or Path("runs") / request.job_id / "report.html", deadline, service)
    finally:
        if stop_local and service and service.started_here:
            from tuneline.local import control

            control.stop(service.data)


def _run(request: RunRequest, report: Path, deadline: float, service: LocalService | None) -> None:
    from tuneline.cli.view import view
    from tuneline.runs import pipeline_jobs, records
    from tuneline.runs.follow import follow

    job = pipeline_jobs.create(request)
    name = str(job["name"])
    shown: PlainView | TerminalView
    with view() as shown:
        shown.say(
            f"{request.template} runs as {request.job_id} in {request.region}"
            + (" on the local Vertex AI" if service else f" of {request.project}")
        )
        if instead := pipeline_jobs.stood_in(job):
            shown.say(f"this project's template {instead} stands in for {request.template_uri}")
        try:
            following = follow(
                name,
                request.run_folder,
                interval_s=0.25 if service else 5.0,
                deadline_s=deadline,
                on_outage=partial(_revive, service, shown.say) if service else None,
            )
            for snapshot in following:
                shown.show(snapshot)
        except KeyboardInterrupt:
            shown.say(f"interrupted; the run goes on. Stop it with: tuneline runs cancel {request.job_id}")
            raise
        job = snapshot.job
    saved = _save_report(request.run_folder, report)
    if job["state"] != "PIPELINE_STATE_SUCCEEDED":
        if saved:
            click.echo(f"report: {saved}", err=True)
        message = job.get("error", {}).get("message", "") or f"the run ended as {job['state']}"
        raise records.failure(request.run_folder, message)
    if saved:
        _tell(request.run_folder, saved)
    else:
        click.echo(name)  # a template of somebody else's writes no report of ours


def _revive(service: LocalService, say: Callable[[str], None], error: Exception) -> None:
    """Start the local service again: it takes up its jobs where they were."""
    from tuneline.local import control

    again = control.ensure(service.data)
    if again.started_here:
        say(f"the local service had gone ({error}); it was started again and resumes its jobs")
    control.use(again)


def _save_report(run_folder: str, path: Path) -> Path | None:
    from tuneline import objects
    from tuneline.errors import NotFound

    try:
        page = objects.read_bytes(f"{run_folder}/report.html")
    except NotFound:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    objects.write_bytes(str(path), page)
    return path


def _tell(run_folder: str, report: Path) -> None:
    """The outcome on standard output: the checkpoint and why, the scores, the model, the report."""
    from tuneline import objects
    from tuneline.reports import summary

    for line in summary.lines(objects.read_json(f"{run_folder}/report.json")):
        click.echo(line)
    click.echo(f"report      {report}")
    sys.stdout.flush()
