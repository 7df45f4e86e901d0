"""`tuneline submit`: the same as run, without watching."""

from __future__ import annotations

import json

import click

from tuneline.cli.options import JOB_ID, gather, run_options


@click.command("submit")
@run_options
@JOB_ID
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(form: str, **options: object) -> None:
    """Submit TEMPLATE and return at once; prints the pipeline job's resource name."""
    from tuneline.runs import pipeline_jobs

    request, _ = gather(**options)
    job = pipeline_jobs.create(request)
    if form == "json":
        shown = {"name": job["name"], "state": job.get("state"), "runFolder": request.run_folder}
        click.echo(json.dumps(shown, indent=2))
        return
    click.echo(job["name"])
    if instead := pipeline_jobs.stood_in(job):
        click.echo(f"this project's template {instead} stands in for {request.template_uri}", err=True)
    click.echo(f"watch it with: tuneline runs watch {request.job_id}", err=True)
