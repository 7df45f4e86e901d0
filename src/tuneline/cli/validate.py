"""`tuneline validate`: every problem of a dataset, its place and the fix; or a corrected copy."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

INVALID = 3


@click.command("validate")
@click.argument("dataset")
@click.option("--against", metavar="DATASET", help="The other set of the pair: names the inputs that are in both.")
@click.option("--model", help="Check against the limits and the price of this model.")
@click.option("--format", "form", help="Take the examples to be of this format, instead of finding out.")
@click.option(
    "--report",
    "kind",
    type=click.Choice(["text", "json", "sarif", "html"]),
    default="text",
    show_default=True,
    help="How the report is written.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the report there.")
@click.option("--max-findings", type=click.IntRange(1), default=100, show_default=True, help="Listed of each code.")
@click.option("--tokenizer", type=click.Path(), help="A tokenizer.json to count tokens with.")
@click.option("--evaluation", is_flag=True, help="DATASET is an evaluation set: other limits hold for it.")
@click.option("--near-duplicates", is_flag=True, help="Also look for almost equal texts (slow).")
@click.option("--personal-data", is_flag=True, help="Also look for personal data and secrets (slow).")
@click.option("--processes", type=click.IntRange(1), help="Processes to use; chosen by the size if not given.")
@click.option("--fix", "fixed", metavar="FILE", help="Write a corrected copy there, then check that.")
@click.option("--epochs", type=click.FloatRange(0), default=0.0, help="Passes over the set, for the cost.")
@click.option("--steps", type=click.IntRange(0), default=0, help="Training steps, for epochs and cost.")
@click.option("--batch-size", type=click.IntRange(0), default=0, help="Examples a step.")
def command(
    dataset: str,
    against: str | None,
    model: str | None,
    form: str | None,
    kind: str,
    output: Path | None,
    evaluation: bool,
    fixed: str | None,
    **options: object,
) -> None:
    """Check DATASET, a file or gs:// object: every problem in one pass.

    Leaves with 0 if nothing found is an error, else with 3. With --fix the report is that of the corrected copy; what
    was changed stands in FILE.changes.jsonl.
    """
    from tuneline import datasets

    if fixed:
        click.echo(datasets.render_changes(datasets.fix(dataset, fixed, format=form)), err=True)
        dataset = fixed
    purpose = "evaluation" if evaluation else "training"
    report = datasets.check(
        dataset, against=against, model=model, format=form, purpose=purpose, digest=kind in ("json", "html"), **options
    )
    if kind == "json":
        text = json.dumps(report.to_dict(), ensure_ascii=False, indent=2) + "\n"
    elif kind == "sarif":
        text = json.dumps(datasets.render_sarif(report), ensure_ascii=False, indent=2) + "\n"
    elif kind == "html":
        text = datasets.render_html(report)
    else:
        text = datasets.render_text(report, colour=output is None and sys.stdout.isatty())
    if output:
        from tuneline import objects

        objects.write_bytes(str(output), text.encode())
        click.echo(f"wrote {output}: {'valid' if report.valid else 'not valid'}", err=True)
    else:
        click.echo(text, nl=False)
    if not report.valid:
        sys.exit(INVALID)
