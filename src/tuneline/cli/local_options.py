"""The options that the commands below `tuneline local` share."""

from __future__ import annotations

import math
import re
from pathlib import Path

import click

DATA = click.option("--data", type=click.Path(path_type=Path), help="Folder that holds everything the service knows.")
FORMAT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def folder_of(data: Path | None) -> Path:
    """The folder that is meant: the one named, or the user's own."""
    from tuneline.local import control

    return (data or control.default_data()).resolve()


class Duration(click.ParamType):
    """A time as a person writes it, in seconds: `500ms`, `2s`, `1.5h`, `7d`; a plain number is seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|)", str(value).strip())
        if not found or not math.isfinite(seconds := float(found[1]) * _UNITS[found[2]]):
            self.fail(f"{value!r} is no duration; write 500ms, 2s, 10m, 1.5h or 7d.", param, ctx)
        return seconds


DURATION = Duration()
