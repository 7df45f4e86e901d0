"""`tuneline submit`: the same as run, without watching."""

from __future__ import annotations

import click

from tuneline.cli.options import JOB_ID, gather, run_options
from tuneline.cli.output import FORMAT, dump


@click.command("submit")
@run_options
@JOB_ID
@FORMAT
def command(form: str, **options: object) -> None:
    """Submit TEMPLATE and return at once; prints the pipeline job's resource name."""
    from tuneline.runs import pipeline_jobs

    request, _ = gather(**options)
    job = pipeline_jobs.create(request)
    if form != "table":
        dump(form, {"name": job["name"], "state": job.get("state"), "runFolder": request.run_folder})
        return
    click.echo(job["name"])
    if instead := pipeline_jobs.stood_in(job):
        click.echo(f"this project's template {instead} stands in for {request.template_uri}", err=True)
    click.echo(f"watch it with: tuneline runs watch {request.job_id}", err=True)
