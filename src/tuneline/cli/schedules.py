"""`tuneline schedules`: runs that are started again and again, by cron."""

from __future__ import annotations

import click

from tuneline.cli.options import gather, run_options
from tuneline.cli.output import FORMAT, dump, table
from tuneline.cli.runs import place_of, place_options


@click.group("schedules")
def command() -> None:
    """Make, list, pause, resume, run and delete schedules of pipeline runs.

    SCHEDULE is a full resource name or a bare id.
    """


@command.command()
@run_options
@click.option("--cron", required=True, help="When: five fields, e.g. '0 6 * * 1'; 'TZ=Europe/Berlin 0 6 * * 1'.")
@click.option("--most-at-once", type=click.IntRange(min=1), default=1, show_default=True, help="Runs that may overlap.")
def apply(cron: str, most_at_once: int, **options: object) -> None:
    """Schedule TEMPLATE; the same request again is the same schedule, another one is another."""
    from tuneline.runs import schedules

    request, _ = gather(**options)
    made = schedules.apply(request, cron=cron, most_at_once=most_at_once)
    click.echo(made.name)
    click.echo("it was there already" if made.adopted else "made", err=True)


@command.command("list")
@place_options
@FORMAT
def list_(form: str, **place: object) -> None:
    """List the schedules of a project in a region."""
    from tuneline.runs import schedules

    keys = ("name", "displayName", "state", "cron", "nextRunTime", "startedRunCount")
    found = [{key: each.get(key) for key in keys} for each in schedules.list_schedules(*place_of(**place))]
    if form != "table":
        dump(form, found)
        return
    rows = [
        (
            str(each["name"]).rpartition("/")[2],
            str(each["state"]).lower(),
            str(each["cron"]),
            str(each["nextRunTime"] or ""),
            str(each["displayName"] or ""),
        )
        for each in found
    ]
    table(("schedule", "state", "cron", "next run", "name"), rows)


@command.command()
@click.argument("schedule")
@place_options
def pause(schedule: str, **place: object) -> None:
    """Start no further run until it is resumed; what runs goes on."""
    from tuneline.runs import schedules

    schedules.pause(schedules.name_of(schedule, *place_of(**place)))


@command.command()
@click.argument("schedule")
@place_options
def resume(schedule: str, **place: object) -> None:
    """Start runs again, from the next time on."""
    from tuneline.runs import schedules

    schedules.resume(schedules.name_of(schedule, *place_of(**place)))


@command.command()
@click.argument("schedule")
@place_options
def run(schedule: str, **place: object) -> None:
    """Start one run of it now, beside its times; prints the pipeline job's resource name."""
    from tuneline.runs import schedules

    click.echo(schedules.run_now(schedules.name_of(schedule, *place_of(**place)))["name"])


@command.command()
@click.argument("schedule")
@place_options
def delete(schedule: str, **place: object) -> None:
    """Remove a schedule; what it has started is left alone."""
    from tuneline.runs import schedules

    schedules.delete(schedules.name_of(schedule, *place_of(**place)))
