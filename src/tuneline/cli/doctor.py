"""`tuneline doctor`: what this environment has, and what is missing for which command."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys

import click

from tuneline._version import __version__

PARTS = {
    "compose and submit": (
        "kfp",
        "google.cloud.aiplatform",
        "google.cloud.storage",
        "google_cloud_pipeline_components",
    ),
    "local Vertex AI (tuneline[local])": ("uvicorn", "grpc", "h2", "cryptography", "google_crc32c"),
    "trainer (tuneline[trainer])": ("jax", "optax", "safetensors", "tokenizers"),
}


@click.command("doctor")
def command() -> None:
    """Look at the environment and say what is missing, and what it is needed for."""
    from tuneline.local import control

    click.echo(
        f"tuneline {__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    )
    complete = True
    for purpose, modules in PARTS.items():
        missing = [name for name in modules if not _present(name)]
        complete &= not missing
        click.echo(f"{'missing' if missing else 'ok':<8} {purpose}" + (f": {', '.join(missing)}" if missing else ""))
    data = control.default_data()
    service = control.find(data)
    click.echo(
        f"{'ok' if service else '–':<8} local service: {service.url if service else 'not running'}, data in {data}"
    )
    existing = next(folder for folder in (data, *data.parents) if folder.exists())
    click.echo(f"{'ok':<8} free disk there: {shutil.disk_usage(existing).free / 2**30:.1f} GiB")
    click.echo(f"{'–':<8} container engine: {_engine()}")
    credentials = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    click.echo(
        f"{'–':<8} GOOGLE_APPLICATION_CREDENTIALS: {credentials or 'not set (gcloud or the metadata server is asked)'}"
    )
    sys.exit(0 if complete else 1)


def _engine() -> str:
    """What runs other people's images on the local Vertex AI, or why nothing does."""
    from tuneline.local import containers
    from tuneline.local.resources.errors import ApiError

    try:
        return containers.find().program
    except ApiError as error:
        return error.message


def _present(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
