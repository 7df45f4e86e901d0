"""`tuneline compile`: the templates that this package ships, with the image of your choice."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("compile")
@click.argument("names", nargs=-1)
@click.option("--image", help="Image of the steps, instead of the one compiled in.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder to write to."
)
def command(names: tuple[str, ...], image: str | None, output: Path) -> None:
    """Write the templates NAMES (default: all) as YAML files to submit or to schedule."""
    import yaml

    from tuneline import objects
    from tuneline.runs import templates

    output.mkdir(parents=True, exist_ok=True)
    for name in names or templates.names():
        path = output / f"{name}.yaml"
        text = yaml.safe_dump(templates.spec(name, image=image), sort_keys=True, allow_unicode=True, width=120)
        objects.write_bytes(str(path), text.encode())
        click.echo(path)
