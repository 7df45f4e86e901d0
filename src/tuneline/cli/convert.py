"""`tuneline convert`: a dataset in another format, one example a line."""

from __future__ import annotations

import click

FORMATS = ("gemini", "gemini-1.0-messages", "palm-text", "palm-chat", "gemini-api", "openai-messages")
FORMATS += ("prompt-completion", "preference")


@click.command("convert")
@click.argument("dataset")
@click.option("--to", required=True, type=click.Choice(FORMATS), help="The format to write.")
@click.option("-o", "--output", required=True, metavar="FILE", help="The new file, or gs:// object.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="The format to read, instead of finding out.")
@click.option("--default-context", default="", help="System text of examples that have none.")
@click.option("--drop", multiple=True, metavar="FIELD", help="Leave a field of another's format behind; repeatable.")
def command(dataset: str, to: str, output: str, form: str | None, default_context: str, drop: tuple[str, ...]) -> None:
    """Write DATASET in another format.

    All of every example is carried over. Where the format has no place for something, nothing is written, and the lines
    are named. Also makes JSON lines of arrays, wrapped lists and pretty-printed values: convert to the same format.
    """
    from tuneline import datasets

    done = datasets.convert(dataset, to, output, format=form, default_context=default_context, drop=drop)
    origin = "another's format" if done.source_format == "unknown" else done.source_format
    click.echo(f"wrote {output}: {done.examples:,} examples, from {origin} to {done.format}", err=True)
    for path, number in done.left_behind.items():
        click.echo(f"left behind: {path}, in {number:,} examples", err=True)
