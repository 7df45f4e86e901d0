"""The options that `run`, `submit` and `plan` share, and the request they make together."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
                "--template-uri",
                metavar="URI",
                help="Let the service fetch the template from this address, instead of sending ours.",
            ),
            click.option(
                "--max-cost", type=float, help="Refuse, before anything is made, what may cost more than this (USD)."
            ),
        )
    ):
        function = option(function)
    return function


JOB_ID = click.option(
    "--job-id",
    metavar="ID",
    help="The pipelineJobId. The same id and request again is the same job. [default: a new one]",
)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A request that passed every check which needs no service."""

    template: str
    project: str
    region: str
    root: str
    parameters: dict[str, object]
    files: dict[str, Path]
    """Parameter → file of this machine that it names."""
    settings: dict[str, object]
    image: str
    template_uri: str


def settle(
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
    template_uri: str | None,
    max_cost: float | None,
) -> Settled:
    """File and options as one request.

    Raises:
        UsageError: everything that is wrong with it.
        OverCostLimit: there is a limit, and nobody knows the price.
    """
    from tuneline.errors import Problem, UsageError
    from tuneline.planning import check_cost, check_request, is_hosted
    from tuneline.runs import templates
    from tuneline.runs.request import read_assignments, read_config

    templates.spec(template)
    settings = read_config(config) if config else {}
    parameters = dict(settings.get("parameters", {})) | read_assignments(assignments)
    template_uri = template_uri or str(settings.get("template_uri") or "")
    limit = {} if max_cost is None else {"max_cost_usd": max_cost}
    if not is_hosted(template_uri):
        parameters |= limit  # the run's own plan holds it to that too
    region = region or settings.get("region") or os.environ.get("TUNELINE_REGION") or ("us-central1" if local else "")
    root = root or settings.get("pipeline_root") or (LOCAL_ROOT if local else "")
    if "project" not in parameters or project:
        fallback = "tuneline-local" if local else os.environ.get("GOOGLE_CLOUD_PROJECT", "")
        parameters["project"] = project or settings.get("project") or fallback
    problems = [
        Problem(where=where, what="is not set", fix=fix)
        for where, value, fix in (
            ("--region", region, "name the region of the pipeline job, e.g. us-central1"),
            ("--root", root, "name a gs:// folder for the run's artifacts"),
        )
        if not value
    ]
    if root and not root.startswith("gs://"):
        problems.append(Problem(where="--root", what=f"{root!r} is not a gs:// folder", fix="write gs://bucket/folder"))
    files, missing = _local_files(parameters)
    problems += missing
    # A local file is uploaded later; to the rules it is already the object that it will be.
    checked = parameters | {name: f"gs://uploads/{path.name}" for name, path in files.items()}
    problems += check_request(
        template, checked, given=set(parameters), region=region, template_uri=template_uri, local=local
    )
    if template_uri and (image or settings.get("image")):
        what = "belongs to the template that is sent, and here the service fetches one"
        problems.append(Problem(where="--image", what=what, fix="leave it out"))
    if problems:
        raise UsageError(problems)
    check_cost(template, parameters | limit, local=local)
    return Settled(
        template=template,
        project=str(parameters["project"]),
        region=region,
        root=root.rstrip("/"),
        parameters=parameters,
        files=files,
        settings=settings,
        image=image or str(settings.get("image") or ""),
        template_uri=template_uri,
    )


def gather(
    *, local: bool, data: Path | None, job_id: str | None = None, **options: Any
) -> tuple[RunRequest, LocalService | None]:
    """The checked request, its local files uploaded; and the local service it goes to, if any.

    Everything that can be refused without a service is refused before one is started.
    """
    from tuneline.errors import Problem, UsageError
    from tuneline.runs.request import JOB_ID, RunRequest
    from tuneline.runs.request import job_id as new_job_id

    if job_id and not JOB_ID.fullmatch(job_id):
        fix = "a letter, then a-z, 0-9 and -, 128 in all"
        raise UsageError([Problem(where="--job-id", what=f"{job_id!r} is no id of a pipeline job", fix=fix)])
    settled = settle(local=local, data=data, **options)
    service = service_of(data) if local else None
    uploaded = {name: _upload(path, settled.root) for name, path in settled.files.items()}
    settings = settled.settings
    request = RunRequest(
        template=settled.template,
        project=settled.project,
        region=settled.region,
        pipeline_root=settled.root,
        parameters=settled.parameters | uploaded,
        job_id=job_id or new_job_id(settled.template),
        display_name=str(settings.get("display_name") or ""),
        image=settled.image,
        template_uri=settled.template_uri,
        service_account=str(settings.get("service_account") or settled.parameters.get("service_account") or ""),
        network=str(settings.get("network") or settled.parameters.get("network") or ""),
        labels=settings.get("labels") or {},
    )
    return request, service


def service_of(data: Path | None) -> LocalService:
    """The local service of that folder, started if none runs; from now on this process talks to it."""
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

    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    bucket = root.removeprefix("gs://").split("/", 1)[0]
    uri = f"gs://{bucket}/tuneline/uploads/{digest[:16]}/{path.name}"
    if not objects.exists(uri):
        objects.upload_file(str(path), uri)
    return uri
