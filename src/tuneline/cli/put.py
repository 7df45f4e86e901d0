"""`tuneline local put`: a file into the local Cloud Storage."""

from __future__ import annotations

from pathlib import Path

import click

from tuneline.cli.local_options import DATA, folder_of


@click.command("put")
@DATA
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("uri", metavar="gs://BUCKET/NAME")
def put(data: Path | None, source: Path, uri: str) -> None:
    """Put a file, or all files of a folder, into the local Cloud Storage; the bucket is made if there is none.

    So that programs find data where they expect it: a sample that reads gs://cloud-samples-data/x.jsonl runs unchanged
    once that object is here. Nothing is fetched from the real one.
    """
    from tuneline import objects
    from tuneline.local import control

    if not uri.startswith("gs://") or len(uri) == len("gs://"):
        raise click.UsageError(f"{uri!r} is no place in Cloud Storage: gs://BUCKET/NAME")
    service = control.ensure(folder_of(data))
    control.use(service)
    control.make_bucket(service, uri.removeprefix("gs://").partition("/")[0])
    files = [path for path in sorted(source.rglob("*")) if path.is_file()] if source.is_dir() else [source]
    for path in files:
        name = path.relative_to(source).as_posix() if source.is_dir() else ""
        target = objects.join(uri, name or (source.name if uri.count("/") < 3 or uri.endswith("/") else ""))
        objects.upload_file(path, target)
        click.echo(target)
