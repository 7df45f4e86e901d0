"""`tuneline split`: an evaluation set apart from the training set."""

from __future__ import annotations

import json

import click


@click.command("split")
@click.argument("dataset")
@click.option(
    "--eval", "evaluation", required=True, metavar="N|P%", help="Examples of the evaluation set: 200, or 10%."
)
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder for train.jsonl and evaluation.jsonl.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same split.")
@click.option("--format", "form", help="Take the examples to be of this format, instead of finding out.")
def command(dataset: str, evaluation: str, output: str, seed: int, form: str | None) -> None:
    """Split an evaluation set off DATASET.

    Examples of equal input stay on one side, so that nothing leaks. Where the outputs are few classes, each class gives
    its share. DATASET itself is not changed.
    """
    from tuneline import datasets
    from tuneline.datasets.splitting import describe

    click.echo(json.dumps(describe(datasets.split(dataset, evaluation, output, seed=seed, format=form)), indent=2))
