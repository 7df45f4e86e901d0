"""`tuneline local faults`: let the next calls of a method fail, as the real service now and then does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tuneline.cli.local_options import DATA, DURATION, FORMAT, folder_of


@click.group("faults")
def faults() -> None:
    """Let calls fail on demand: refused, slow, cut off before or after their effect.

    A fault strikes the next calls of its method, over REST and gRPC alike, and is then used up. Faults of one method
    strike in the order in which they were added.
    """


@faults.command()
@DATA
@click.option("--method", required=True, help="What it strikes: CreateTuningJob, 'Get*', storage.objects.insert.")
@click.option("--status", help="Refuse with this HTTP status, or canonical code: 503, RESOURCE_EXHAUSTED.")
@click.option("--times", type=click.IntRange(min=1), default=1, show_default=True, help="How many calls it strikes.")
@click.option("--delay", type=DURATION, help="Wait before the effect: 1s, 500ms.")
@click.option("--drop", type=click.Choice(["before", "after"]), help="Cut the connection before or after the effect.")
@click.option("--late", type=DURATION, help="Cut the connection now, and let the effect happen so much later.")
@click.option("--lag", type=DURATION, help="A list leaves out what was made in the last so much time.")
@click.option("--message", help="The error's text, with --status.")
@click.option("--retry-after", "retryAfter", type=DURATION, help="When the error says to come back, with --status.")
def add(data: Path | None, **fault: Any) -> None:
    """Add a fault.

    \b
    The next two creates are refused:        --method CreateTuningJob --status 503 --times 2
    A job is made, and the answer is lost:   --method CreateTuningJob --drop after
    A job appears after the client gave up:  --method CreateTuningJob --late 5s
    A list does not know the newest yet:     --method ListTuningJobs --lag 30s --times 10
    A job that was made gets no machines:    --method RunCustomJob --status RESOURCE_EXHAUSTED
    """
    from tuneline.local import control

    service = control.running(folder_of(data))
    said = {name: value for name, value in fault.items() if value is not None}
    _show(control.tell(service, "POST", "/faults", said)["faults"])


@faults.command("list")
@DATA
@FORMAT
def list_(data: Path | None, form: str) -> None:
    """List the faults that are still to strike."""
    from tuneline.local import control

    waiting = control.tell(control.running(folder_of(data)), "GET", "/faults")["faults"]
    if form == "json":
        click.echo(json.dumps(waiting, indent=2))
    else:
        _show(waiting)


@faults.command()
@DATA
def clear(data: Path | None) -> None:
    """Take back all faults that have not struck."""
    from tuneline.local import control

    control.tell(control.running(folder_of(data)), "DELETE", "/faults")


def _show(waiting: list[dict[str, Any]]) -> None:
    for fault in waiting:
        what = "  ".join(f"{name}={value}" for name, value in fault.items() if name not in ("method", "times"))
        click.echo(f"{fault['method']}  {fault['times']}x  {what}")
