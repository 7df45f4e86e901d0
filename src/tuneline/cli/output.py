"""How commands print what they found: a table for people, JSON or YAML for programs, always on standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

import click

FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True
)


def dump(form: str, value: object) -> None:
    """Prints a value as `json` or `yaml`; dates as RFC 3339 has them."""
    text = json.dumps(value, indent=2, default=_plain)
    if form == "yaml":
        import yaml

        text = yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True).rstrip()
    click.echo(text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows under their heads, each column as wide as its widest cell; nothing where there is no row."""
    if not rows:
        return
    widths = [max(len(line[i]) for line in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def fields(rows: Sequence[tuple[str, object]]) -> None:
    """Prints names and values, a pair a line; what has no value is left out."""
    shown = [(name, value) for name, value in rows if value not in (None, "", (), [], {})]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name:<{width}}  {value}")


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
