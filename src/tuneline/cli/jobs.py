"""`tuneline jobs`: tuning jobs of every engine, and the models that they made."""

from __future__ import annotations

import sys

import click

from tuneline.cli.output import FORMAT, dump, table
from tuneline.cli.runs import place_of, place_options

ENGINES = click.Choice(["custom_training", "vertex_tuning", "gemini_api"])
ENGINE = click.option("--engine", type=ENGINES, help="Look with this engine alone.")


@click.group("jobs")
def command() -> None:
    """List, show, watch, cancel and delete tuning jobs, and test what they made.

    JOB is a full resource name (…/customJobs/ID, …/tuningJobs/ID, tunedModels/ID) or a bare id.
    """


@command.command("list")
@place_options
@ENGINE
@click.option("--all", "everything", is_flag=True, help="CustomJobs that tuneline has not made as well.")
@FORMAT
def list_(form: str, engine: str | None, everything: bool, **place: object) -> None:
    """List the tuning jobs of a project in a region, over all engines, newest first for each."""
    from tuneline import jobs
    from tuneline.errors import NotPermitted
    from tuneline.runs import tuning_jobs

    project, region = place_of(**place)
    found = []
    for name in [engine] if engine else tuning_jobs.ENGINES:
        held = jobs.engine(name)
        try:
            listed = list(held.list(project, region))
        except NotPermitted as error:
            if engine:
                raise
            click.echo(f"{name}: not listed: {error}", err=True)  # few have the right to, or a key for, all three
            continue
        kept = [job for job in listed if name != "custom_training" or everything or tuning_jobs.is_ours(job)]
        found += [tuning_jobs.facts(held, job) for job in kept]
    if form != "table":
        dump(form, found)
        return
    rows = [
        (
            each["name"] if each["engine"] == "gemini_api" else each["name"].rpartition("/")[2],
            each["engine"],
            each["state"].lower(),
            each["created"] or "",
            each["display_name"],
        )
        for each in found
    ]
    table(("job", "engine", "state", "created", "name"), rows)


@command.command()
@click.argument("job")
@place_options
@ENGINE
@FORMAT
def show(job: str, form: str, engine: str | None, **place: object) -> None:
    """Show one job: its state and times, its loss, and what it made."""
    from tuneline.cli.view import loss_line, sparkline
    from tuneline.runs import tuning_jobs
    from tuneline.runs.follow import newest

    held, found = tuning_jobs.find(job, *place_of(**place), engine=engine or "")
    told = tuning_jobs.facts(held, found)
    rows = tuning_jobs.curve(held, found)
    if found.state.name == "SUCCEEDED" and (held.name != "custom_training" or tuning_jobs.is_ours(found)):
        told["result"] = held.result(found.name, output_uri=found.output_uri)
    if form != "table":
        dump(form, {**told, "curve": rows})
        return
    for key, value in told.items():
        if value and key not in ("labels", "result"):
            click.echo(f"{key.replace('_', ' '):<13} {value}")
    if rows:
        losses = [row["/train_total_loss"] for row in rows if "/train_total_loss" in row]
        click.echo(f"{'training':<13} {loss_line(newest(rows, tuning_jobs.total_steps(held, found)))}")
        click.echo(f"{'loss':<13} {sparkline(losses)}")
    for key in ("model", "endpoint", "experiment"):
        if told.get("result", {}).get(key):
            click.echo(f"{key:<13} {told['result'][key]}")


@command.command()
@click.argument("job")
@place_options
@ENGINE
@click.option("--timeout", type=float, default=7 * 86400.0, show_default="a week", help="Seconds to watch at most.")
def watch(job: str, timeout: float, engine: str | None, **place: object) -> None:
    """Watch a job until it has ended, with its loss as it falls; exit code 0 if it has succeeded.

    Stopping to watch (Ctrl-C) leaves the job alone.
    """
    from tuneline.cli.view import view
    from tuneline.runs import tuning_jobs

    held, found = tuning_jobs.find(job, *place_of(**place), engine=engine or "")
    with view() as shown:
        ended = tuning_jobs.follow(held, found, deadline_s=timeout, show=shown.show, say=shown.say)
    ended.raise_unless_succeeded()


@command.command()
@click.argument("job")
@place_options
@ENGINE
def cancel(job: str, engine: str | None, **place: object) -> None:
    """Cancel a job, and say what it has cost so far; one that has ended is left as it is."""
    from tuneline.runs import tuning_jobs

    held, found = tuning_jobs.find(job, *place_of(**place), engine=engine or "")
    if found.state.terminal:
        click.echo(f"{found.name} has ended: {found.words}", err=True)
        return
    held.cancel(found.name)
    click.echo(f"cancelling {found.name}; {tuning_jobs.billed(found)}", err=True)


@command.command()
@click.argument("job")
@place_options
@ENGINE
def delete(job: str, engine: str | None, **place: object) -> None:
    """Delete a job that has ended: a CustomJob's record, or a tuned model of the Gemini API.

    What a CustomJob wrote stays. A tuning job of Gemini on Vertex AI, and the model that it made, cannot be deleted.
    """
    from tuneline.runs import tuning_jobs

    held, found = tuning_jobs.find(job, *place_of(**place), engine=engine or "")
    tuning_jobs.delete(held, found)
    click.echo(f"deleted {found.name}", err=True)


@command.command()
@click.argument("model")
@place_options
@click.option("--display-name", help="Its new display name.")
@click.option("--description", help="Its new description.")
def update(model: str, display_name: str | None, description: str | None, **place: object) -> None:
    """Rename or describe a tuned model of the Gemini API; MODEL is tunedModels/ID, or the bare ID."""
    from tuneline.runs import tuning_jobs

    held, found = tuning_jobs.find(model, *place_of(**place), engine="gemini_api")
    made = tuning_jobs.update(held, found, display_name=display_name, description=description)
    click.echo(f"{made.name} is now {made.display_name}", err=True)


@command.command()
@click.argument("model")
@click.argument("prompt")
@place_options
@click.option("--system", default="", help="System instruction.")
@click.option("--temperature", type=click.FloatRange(min=0), help="0: always the likeliest token.")
@click.option("--top-p", type=click.FloatRange(0, 1), help="Draw from the likeliest tokens of this total probability.")
@click.option("--top-k", type=click.IntRange(min=1), help="Draw from this many likeliest tokens.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer, in tokens.")
@click.option("--stream", is_flag=True, help="Print the answer as it comes.")
@FORMAT
def test(
    model: str,
    prompt: str,
    system: str,
    temperature: float | None,
    top_p: float | None,
    top_k: int | None,
    max_tokens: int | None,
    stream: bool,
    form: str,
    **place: object,
) -> None:
    """Prompt a tuned model, and print its answer.

    MODEL is an endpoint, a deployed model, a tuning job or a tuned model; PROMPT `-` is read from standard input.
    """
    from tuneline.runs import prompting

    target = prompting.resolve(model, *place_of(**place))
    sampling = prompting.Sampling(temperature=temperature, top_p=top_p, top_k=top_k, max_tokens=max_tokens)
    text = sys.stdin.read() if prompt == "-" else prompt
    click.echo(f"asking {target.name}", err=True)
    parts = []
    for part in prompting.answer(target, text, sampling, system=system, stream=stream):
        parts.append(part)
        if form == "table":
            click.echo(part, nl=False)
    if form == "table":
        click.echo()
    else:
        dump(form, {"target": target.name, "prompt": text, "answer": "".join(parts)})
