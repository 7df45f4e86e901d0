"""`tuneline runs`: pipeline runs that exist already."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

from tuneline.cli.output import FORMAT, dump, fields, table


def place_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option("--local", is_flag=True, help="On the local Vertex AI."),
            click.option("--data", type=click.Path(path_type=Path), help="Data folder of the local service."),
            click.option("--project", help="Google Cloud project."),
            click.option("--region", help="Region of the jobs."),
        )
    ):
        function = option(function)
    return function


@click.group("runs")
def command() -> None:
    """List, show, watch and cancel pipeline runs."""


@command.command("list")
@place_options
@FORMAT
def list_(form: str, **place: object) -> None:
    """List the runs of a project in a region, newest first."""
    from tuneline.runs import pipeline_jobs

    project, region = place_of(**place)
    jobs = [
        {key: job.get(key) for key in ("name", "displayName", "state", "createTime", "endTime")}
        for job in pipeline_jobs.list_jobs(project, region)
    ]
    if form != "table":
        dump(form, jobs)
        return
    rows = [(_id(job), _state(job), str(job["createTime"]), str(job["displayName"] or "")) for job in jobs]
    table(("run", "state", "created", "name"), rows)


@command.command()
@click.argument("run")
@place_options
@FORMAT
def show(run: str, form: str, **place: object) -> None:
    """Show one run: its state and its steps; as JSON or YAML all that the service tells of it."""
    from tuneline.runs import pipeline_jobs
    from tuneline.runs.follow import steps_of

    job = pipeline_jobs.get(_name(run, *place_of(**place)))
    if form != "table":
        dump(form, job)
        return
    fields(
        [
            ("run", job["name"]),
            ("name", job.get("displayName")),
            ("state", _state(job)),
            ("created", job.get("createTime")),
            ("ended", job.get("endTime")),
            ("run folder", run_folder(job)),
            ("error", job.get("error", {}).get("message")),
        ]
    )
    steps = steps_of(job)
    table(
        ("step", "state", "seconds"),
        [(s.name, s.state.lower(), f"{s.seconds:.1f}" if s.seconds else "") for s in steps],
    )


@command.command()
@click.argument("run")
@place_options
def watch(run: str, **place: object) -> None:
    """Watch a run until it has ended; exit code as for `tuneline run`."""
    from tuneline.cli.view import view
    from tuneline.runs import pipeline_jobs, records
    from tuneline.runs.follow import follow

    name = _name(run, *place_of(**place))
    job = pipeline_jobs.get(name)
    folder = run_folder(job)
    with view() as shown:
        for snapshot in follow(name, folder, interval_s=0.5 if place["local"] else 5.0):
            shown.show(snapshot)
        job = snapshot.job
    if job["state"] != "PIPELINE_STATE_SUCCEEDED":
        raise records.failure(folder, job.get("error", {}).get("message", "") or f"the run ended as {job['state']}")


@command.command()
@click.argument("run")
@place_options
def cancel(run: str, **place: object) -> None:
    """Cancel a run; its tuning job is cancelled with it, unless the run was told to leave it."""
    from tuneline.runs import pipeline_jobs

    pipeline_jobs.cancel(_name(run, *place_of(**place)))
    click.echo(f"cancelling {run}", err=True)


def run_folder(job: dict) -> str:
    """The run folder of a job: its pipeline root and its id, as every step computes it."""
    root = job["runtimeConfig"]["gcsOutputDirectory"].rstrip("/")
    return f"{root}/{job['name'].rsplit('/', 1)[1]}/run"


def place_of(*, local: bool, data: Path | None, project: str | None, region: str | None) -> tuple[str, str]:
    """Project and region of the command; with `--local`, this process talks to the local service from here on.

    Raises:
        UsageError: one of the two is not known, or no local service runs.
    """
    from tuneline.errors import Problem, UsageError

    if local:
        from tuneline.local import control

        service = control.find((data or control.default_data()).resolve())
        if not service:
            where, fix = "--local", "start one with: tuneline local up --background"
            raise UsageError([Problem(where=where, what="no local service runs", fix=fix)])
        control.use(service)
    project = project or ("tuneline-local" if local else os.environ.get("GOOGLE_CLOUD_PROJECT", ""))
    region = region or os.environ.get("TUNELINE_REGION") or ("us-central1" if local else "")
    problems = [
        Problem(where=f"--{name}", what="is not set", fix="name it, or use --local")
        for name, value in (("project", project), ("region", region))
        if not value
    ]
    if problems:
        raise UsageError(problems)
    return project, region


def _id(job: dict) -> str:
    return str(job["name"]).rsplit("/", 1)[1]


def _state(job: dict) -> str:
    return str(job["state"]).removeprefix("PIPELINE_STATE_").lower()


def _name(run: str, project: str, region: str) -> str:
    return run if "/" in run else f"projects/{project}/locations/{region}/pipelineJobs/{run}"
