"""`tuneline config`: which settings hold here, and where each comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from tuneline.cli.output import FORMAT, dump, table


@click.group("config")
def command() -> None:
    """Show the settings that commands in this shell would use."""


@command.command()
@FORMAT
def show(form: str) -> None:
    """Show each setting, its value and where it comes from; secrets are only said to be set."""
    rows = list(_settings())
    if form == "table":
        table(("setting", "value", "from"), rows)
    else:
        dump(form, {name: {"value": value, "from": source} for name, value, source in rows})


def _settings() -> Iterator[tuple[str, str, str]]:
    from tuneline import catalog, jobs
    from tuneline.google import settings
    from tuneline.local import control

    yield "service", settings.local_url() or "Google Cloud", _variable("TUNELINE_LOCAL_URL")
    yield "storage", settings.storage_url() or "Cloud Storage", _variable("TUNELINE_LOCAL_URL", "STORAGE_EMULATOR_HOST")
    named = ("GOOGLE_CLOUD_PROJECT", "CLOUD_ML_PROJECT_ID")
    yield "project", settings.project() or "–", _variable(*named)
    yield "region", os.environ.get("TUNELINE_REGION") or "–", _variable("TUNELINE_REGION")
    yield "staging", settings.staging() or "the bucket of the pipeline root", _variable("TUNELINE_STAGING")
    overlay = catalog.overlay_path()
    there = "" if overlay.exists() else " (not there)"
    yield "catalogue of your own", f"{overlay}{there}", _variable("TUNELINE_CATALOG")
    times = jobs.settings_from_environment()
    yield "create call, seconds", f"{times.deadline_s:g}", _variable("TUNELINE_SUBMIT_DEADLINE_S")
    yield "look-up window, seconds", f"{times.window_s:g}", _variable("TUNELINE_LOOKUP_WINDOW_S")
    yield "data of the local service", str(control.default_data()), _variable("TUNELINE_DATA", "XDG_STATE_HOME")
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS"):
        secret = name.endswith("KEY")
        value = os.environ.get(name, "")
        yield name, ("set" if secret else value) if value else "–", _variable(name)


def _variable(*names: str) -> str:
    """The first of these variables that is set, or that none is."""
    return next((name for name in names if os.environ.get(name)), "default")
