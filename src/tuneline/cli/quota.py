"""`tuneline local quota`: how many tuning jobs of a project run at a time, as Vertex AI's own quota has it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tuneline.cli.local_options import DATA, FORMAT, folder_of


@click.command("quota")
@DATA
@FORMAT
@click.option("--tuning-jobs", type=click.IntRange(min=0), help="Set the limit; 0 takes it away.")
@click.option("--project", default="", help="The project that is meant.  [default: all without a limit of their own]")
@click.option(
    "--above",
    type=click.Choice(["wait", "refuse"]),
    default="wait",
    show_default=True,
    help="What becomes of one job too many.",
)
def quota(data: Path | None, form: str, tuning_jobs: int | None, project: str, above: str) -> None:
    """Show or set the quota of concurrent tuning jobs: "Global concurrent tuning jobs", over all regions.

    A service starts without one. Above it a job waits (JOB_STATE_PENDING, TUNING_JOB_STATE_WAITING_FOR_QUOTA), or its
    create is refused with RESOURCE_EXHAUSTED, HTTP 429. The limit is kept in the data folder.

    \b
    As a new project has it:  --tuning-jobs 1
    Try a client's retries:   --tuning-jobs 1 --above refuse
    """
    from tuneline.local import control

    service = control.running(folder_of(data))
    if tuning_jobs is not None:
        control.tell(service, "POST", "/quota", {"limit": tuning_jobs, "above": above, "project": project})
    known = control.tell(service, "GET", "/quota")["quotas"]
    if form == "json":
        click.echo(json.dumps(known, indent=2))
        return
    for each in known:
        limit = each["limit"] or "no limit"
        click.echo(f"{each['project'] or 'every other project'}  {limit}  above it: {each['above']}")
    if not known:
        click.echo("no quota of tuning jobs: this machine's own slots are the limit")
