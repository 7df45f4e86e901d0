"""`tuneline local`: the local Vertex AI, from start to reset."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click

from tuneline.cli.faults import faults
from tuneline.cli.local_options import DATA, DURATION, FORMAT, folder_of
from tuneline.cli.put import put
from tuneline.cli.quota import quota


@click.group("local")
def command() -> None:
    """A Vertex AI and Cloud Storage of your own, on this machine.

    Google's clients run against it unmodified (`tuneline local run -- COMMAND`), and nothing reaches the real cloud.
    """


@command.command()
@DATA
@click.option("--port", type=int, default=0, show_default="the last one, or a free one", help="Port on 127.0.0.1.")
@click.option("--background", is_flag=True, help="Return once it is ready; it stops after 30 idle minutes.")
def up(data: Path | None, port: int, background: bool) -> None:
    """Serve until stopped (Ctrl-C, or `tuneline local down`)."""
    from tuneline.local import control

    folder = folder_of(data)
    if found := control.find(folder):
        click.echo(f"already running at {found.url} (process {found.pid}), data in {folder}", err=True)
        click.echo(found.url)
        return
    if background:
        click.echo(control.start(folder, port=port).url)
        return
    os.execv(sys.executable, [sys.executable, "-m", "tuneline.local", "--data", str(folder), "--port", str(port)])


@command.command()
@DATA
def down(data: Path | None) -> None:
    """Stop the service; its jobs go on when it is started again."""
    from tuneline.local import control

    folder = folder_of(data)
    click.echo(f"stopped ({folder})" if control.stop(folder) else f"no service runs on {folder}", err=True)


@command.command()
@DATA
@FORMAT
def status(data: Path | None, form: str) -> None:
    """Say what runs: address, data folder, jobs, and what stands in for what."""
    from tuneline.local import control

    folder = folder_of(data)
    found = control.find(folder)
    answer = control.status(found) if found else {"running": False, "data": str(folder)}
    if form == "json":
        click.echo(json.dumps(answer, indent=2))
    elif not found:
        click.echo(f"no service runs on {folder}; start one with: tuneline local up")
    else:
        for key, value in answer.items():
            click.echo(f"{key + ':':<14}{value if isinstance(value, str | int | float) else json.dumps(value)}")
    if not found:
        sys.exit(1)


@command.command()
@DATA
def env(data: Path | None) -> None:
    """Print the environment that sends Google's clients to the local service: eval "$(tuneline local env)"."""
    from tuneline.local import control, redirect

    service = control.ensure(folder_of(data))
    for name, value in redirect.environment(service.url, service.data).items():
        click.echo(f"export {name}={shlex.quote(value)}")
    for name, value in redirect.DEFAULTS.items():
        click.echo(f"export {name}=${{{name}:-{value}}}")
    for name in redirect.UNSET:
        click.echo(f"unset {name}")


@command.command(context_settings={"ignore_unknown_options": True})
@DATA
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, required=True, metavar="-- COMMAND...")
def run(data: Path | None, arguments: tuple[str, ...]) -> None:
    """Run any program against the local service, which is started if none runs.

    The program needs no change: environment variables alone send Google's clients here, and every other host is
    refused to them.
    """
    from tuneline.local import control, redirect

    service = control.ensure(folder_of(data))
    environment = {k: v for k, v in {**redirect.DEFAULTS, **os.environ}.items() if k not in redirect.UNSET}
    environment |= redirect.environment(service.url, service.data)
    try:
        child = subprocess.Popen(arguments, env=environment)
    except FileNotFoundError:
        raise click.UsageError(f"there is no program {arguments[0]!r}") from None
    except PermissionError:
        raise click.UsageError(f"{arguments[0]!r} may not be executed") from None
    # The terminal sends Ctrl-C to the child as well; it decides what that means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    sys.exit(code if code >= 0 else 128 - code)


@command.command()
@DATA
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(data: Path | None, yes: bool) -> None:
    """Stop the service and delete all it holds: jobs, models, objects."""
    from tuneline.local import control

    folder = folder_of(data)
    if not folder.exists():
        click.echo(f"nothing there: {folder}", err=True)
        return
    if not yes:
        click.confirm(f"delete everything in {folder}?", abort=True, err=True)
    control.reset(folder)
    click.echo(f"deleted {folder}", err=True)


@command.command()
@DATA
@click.option("--method", default="*", help="Only calls of this method; * stands for anything: 'Create*'.")
@click.option("--last", type=click.IntRange(min=1), help="Only so many, the newest.")
@FORMAT
def calls(data: Path | None, method: str, last: int | None, form: str) -> None:
    """List the API calls answered since the service started: what was really asked of it.

    All of them, older ones too, are in calls.jsonl in the data folder.
    """
    from fnmatch import fnmatchcase

    from tuneline.local import control

    rows = control.calls(control.running(folder_of(data)))
    # An API method is known by its last part, too: google.cloud.aiplatform.v1.JobService.CreateCustomJob.
    rows = [row for row in rows if any(fnmatchcase(n, method) for n in (row["method"], row["method"].split(".")[-1]))]
    rows = rows[-last:] if last else rows
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo("  ".join(str(row.get(key, "")) for key in ("time", "status", "method", "resource")))


@command.command()
@DATA
@click.option("--forward", "forward_s", type=DURATION, help="Move it forward by so much first: 90m, 36h, 7d.")
def clock(data: Path | None, forward_s: float | None) -> None:
    """Print the service's clock, which schedules go by; it can be moved forward, for good, and never back."""
    from tuneline.local import control

    service = control.running(folder_of(data))
    answer = control.tell(service, "POST", "/clock", {"forward_s": forward_s}) if forward_s else None
    click.echo((answer or control.tell(service, "GET", "/clock"))["now"])


for each in (faults, put, quota):
    command.add_command(each)
