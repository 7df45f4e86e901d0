"""`tuneline catalog`: what can be tuned, where, and on what, with the date and source of each figure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime

import click

FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True
)


@click.group("catalog")
def command() -> None:
    """Show models, regions and slices, as the catalogue of this version and your own overlay know them."""


@command.command()
@FORMAT
@click.option("--all", "everything", is_flag=True, help="The retired ones too.")
def models(form: str, everything: bool) -> None:
    """List the models that can be tuned, with what is known of their end."""
    from tuneline import catalog

    today = datetime.now(UTC).date()
    shown = [model for model in catalog.models() if everything or model.takes_tuning(today)]
    rows = [(m.name, m.engine, m.family, m.context or "–", m.state(today), m.replacement or "") for m in shown]
    _show(form, shown, ("model", "engine", "family", "context", "state", "replacement"), rows)
    hidden = len(catalog.models()) - len(shown)
    if hidden and form == "table":
        click.echo(f"and {hidden} that take no new tuning: --all", err=True)


@command.command()
@FORMAT
def slices(form: str) -> None:
    """List the slices, with their quota and whether this project's trainer ever ran there."""
    from tuneline import catalog

    rows = [
        (
            s.name + (" (default)" if s.default else ""),
            s.accelerator_type,
            s.region,
            str(s.machine_spec.get("machineType", "")),
            str(s.replica_count),
            "tried" if s.tried else "never tried",
            f"{s.price.usd_per_hour:g} USD/h" if s.price else "price unknown",
        )
        for s in catalog.slices()
    ]
    head = ("slice", "accelerator", "region", "machine", "replicas", "our trainer", "price")
    _show(form, catalog.slices(), head, rows)


@command.command()
@FORMAT
def regions(form: str) -> None:
    """List the regions in which pipelines run and models are uploaded."""
    from tuneline import catalog

    if form == "table":
        click.echo("\n".join(catalog.regions()))
    else:
        _dump(form, list(catalog.regions()))


def _show(form: str, entries: Iterable[object], head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if form != "table":
        _dump(form, [asdict(entry) for entry in entries])
        return
    widths = [max(len(line[i]) for line in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _dump(form: str, value: object) -> None:
    if form == "json":
        click.echo(json.dumps(value, indent=2, default=_plain))
        return
    import yaml

    click.echo(yaml.safe_dump(json.loads(json.dumps(value, default=_plain)), sort_keys=False), nl=False)


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
