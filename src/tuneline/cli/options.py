"""The options that `run`, `submit` and `plan` share, and the request they make together."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tuneline.local.control import LocalService
    from tuneline.runs.request import RunRequest

LOCAL_ROOT = "gs://tuneline-local/pipeline_root"


def run_options(function: Callable[..., None]) -> Callable[..., None]:
    """Adds the argument TEMPLATE and the options that say what is run, and where."""
    for option in reversed(
        (
            click.argument("template"),
            click.option(
                "--config",
                type=click.Path(path_type=Path, dir_okay=False),
                help="YAML file with parameters, project, region, pipeline_root.",
            ),
            click.option(
                "--set",
                "assignments",
                multiple=True,
                metavar="KEY=VALUE",
                help="Set a parameter; wins over the file. May be repeated.",
            ),
            click.option("--local", is_flag=True, help="Run on the local Vertex AI, started if none runs."),
            click.option("--data", type=click.Path(path_type=Path), help="Data folder of the local service."),
            click.option("--project", help="Google Cloud project."),
            click.option("--region", help="Region of the pipeline job."),
            click.option("--root", help="gs:// folder for the run's artifacts."),
            click.option("--image", help="Image of the steps, instead of the one compiled in."),
            click.option(
                "--max-cost", type=float, help="Refuse, before anything is made, what may cost more than this (USD)."
            ),
        )
    ):
        function = option(function)
    return function


def gather(
    *,
    template: str,
    config: Path | None,
    assignments: tuple[str, ...],
    local: bool,
    data: Path | None,
    project: str | None,
    region: str | None,
    root: str | None,
    image: str | None,
    max_cost: float | None,
) -> tuple[RunRequest, LocalService | None]:
    """The checked request, its local files uploaded; and the local service it goes to, if any.

    Everything that can be refused without a service is refused before one is started.
    """
    from tuneline.errors import Problem, UsageError
    from tuneline.planning import check_request
    from tuneline.runs import templates
    from tuneline.runs.request import RunRequest, job_id, read_assignments, read_config

    templates.spec(template)
    settings = read_config(config) if config else {}
    parameters = dict(settings.get("parameters", {})) | read_assignments(assignments)
    if max_cost is not None:
        parameters["max_cost_usd"] = max_cost
    place = {
        "project": project
        or parameters.get("project")
        or settings.get("project")
        or ("tuneline-local" if local else os.environ.get("GOOGLE_CLOUD_PROJECT", "")),
        "region": region
        or settings.get("region")
        or os.environ.get("TUNELINE_REGION")
        or ("us-central1" if local else ""),
        "root": root or settings.get("pipeline_root") or (LOCAL_ROOT if local else ""),
    }
    parameters["project"] = place["project"]
    problems = [
        Problem(where=f"--{name}", what="is not set", fix=fix)
        for name, fix in (
            ("project", "name a project, or run on this machine with --local"),
            ("region", "name the region of the pipeline job, e.g. us-central1"),
            ("root", "name a gs:// folder for the run's artifacts"),
        )
        if not place[name]
    ]
    if place["root"] and not str(place["root"]).startswith("gs://"):
        problems.append(
            Problem(where="--root", what=f"{place['root']!r} is not a gs:// folder", fix="write gs://bucket/folder")
        )
    uploads, missing = _local_files(parameters)
    problems += missing
    checked = parameters | {name: f"gs://uploads/{path.name}" for name, path in uploads.items()}
    problems += check_request(template, checked, given=set(parameters))
    if problems:
        raise UsageError(problems)
    service = _service(data) if local else None
    for name, path in uploads.items():
        parameters[name] = _upload(path, str(place["root"]))
    request = RunRequest(
        template=template,
        project=str(place["project"]),
        region=str(place["region"]),
        pipeline_root=str(place["root"]).rstrip("/"),
        parameters=parameters,
        job_id=job_id(template),
        display_name=str(settings.get("display_name") or ""),
        image=image or str(settings.get("image") or ""),
        service_account=str(settings.get("service_account") or parameters.get("service_account") or ""),
        network=str(settings.get("network") or ""),
        labels=settings.get("labels") or {},
    )
    return request, service


def _service(data: Path | None) -> LocalService:
    from tuneline.local import control

    service = control.ensure((data or control.default_data()).resolve())
    control.use(service)
    return service


def _local_files(parameters: dict[str, object]) -> tuple[dict[str, Path], list]:
    """The parameters that name files of this machine, and what is wrong with those that do not exist."""
    from tuneline.errors import Problem
    from tuneline.runs.request import URI_PARAMETERS, is_local_path

    files = {name: Path(str(parameters[name])) for name in URI_PARAMETERS if is_local_path(parameters.get(name))}
    problems = [
        Problem(where=name, what=f"there is no file {path}", fix="name an existing file or a gs:// object")
        for name, path in files.items()
        if not path.is_file()
    ]
    return {name: path for name, path in files.items() if path.is_file()}, problems


def _upload(path: Path, root: str) -> str:
    """A local dataset as an object of the run's bucket, under its content's digest, so that it is sent once."""
    import hashlib

    from tuneline import objects
    from tuneline.errors import AlreadyExists

    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    bucket = root.removeprefix("gs://").split("/", 1)[0]
    uri = f"gs://{bucket}/tuneline/uploads/{digest[:16]}/{path.name}"
    if not objects.exists(uri):
        try:
            objects.upload_file(str(path), uri)
        except AlreadyExists:
            pass
    return uri
