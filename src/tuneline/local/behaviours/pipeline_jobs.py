"""PipelineJob: checked whole before it exists, run by a driver of its own, and taken up again after any crash."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneline.errors import Problem, TunelineError, UsageError
from tuneline.local import containers, pipelines
from tuneline.local.pipelines import job_file
from tuneline.local.pipelines.parameters import read_parameters
from tuneline.local.pipelines.python_tasks import OUR_IMAGE, image_name, needs_container
from tuneline.local.processes import Supervised, log_tail
from tuneline.local.resources.behaviour import Message, PassiveBehaviour, Service, behaviour
from tuneline.local.resources.errors import ApiError, invalid

log = logging.getLogger("tuneline.local.pipelines")

CRASHES = 5
"""How often a driver may die without any task having gone on before its job is given up."""
SETTLED_NS = 100_000_000
SEEN_AT_MOST = 500
"""Jobs whose state is kept as it was last answered: a long list of ended jobs is not read from disk each time."""
STOOD_IN = "tuneline-served-template"
"""Label of a job whose hosted template was stood in for by ours of that name."""
INSTALL_PREFIXES = ("PIP_", "UV_")
INSTALL_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "requests_ca_bundle")


@behaviour
class PipelineJobs(PassiveBehaviour):
    """Pipeline jobs of all projects; each runs in `data/pipelines/<folder of the name>`."""

    kind = "PipelineJob"

    def __init__(self) -> None:
        self.drivers: dict[Path, Supervised] = {}
        self.crashes: dict[Path, tuple[int, int]] = {}
        """Job folder → (progress at the last crash, crashes since any progress)."""
        self.seen: dict[Path, tuple[pipelines.Stamp, Message]] = {}

    # -- what the engine calls ---------------------------------------------------------------------------------

    def creating(self, service: Service, resource: Message, request: Message) -> None:
        """Refuse, in one answer, everything that the request alone shows to be wrong."""
        job = service.api.to_json(resource)
        spec, template = _spec_of(service, resource, job)
        reasons = pipelines.check(spec)
        if reasons:
            violations = [("pipelineSpec", reason) for reason in reasons]
            text = "\n".join(["This pipeline cannot be run here:", *(f"  - {reason}" for reason in reasons)])
            raise ApiError("INVALID_ARGUMENT", text, violations=violations)
        _, problems = _parameters(resource.name, spec, job, template)
        root = job.get("runtimeConfig", {}).get("gcsOutputDirectory", "")
        if not root.startswith("gs://") or root == "gs://":
            what = f"{root!r} is no folder in Cloud Storage" if root else "is required and not given"
            problems.append(Problem(where="runtimeConfig.gcsOutputDirectory", what=what, fix="send gs://BUCKET/FOLDER"))
        if problems:
            refusal = UsageError(problems)
            violations = [(problem.where, str(problem)) for problem in problems]
            raise ApiError("INVALID_ARGUMENT", str(refusal), violations=violations)
        if not resource.display_name:
            resource.display_name = resource.name.rpartition("/")[2]
        if not job.get("pipelineSpec"):
            # As the hosted service does: who named a template by its address reads back what is run.
            resource.MergeFrom(service.api.from_json({"pipelineSpec": spec}, resource.DESCRIPTOR.full_name))
        resource.state = "PIPELINE_STATE_PENDING"

    def created(self, service: Service, resource: Message) -> None:
        """Write the job's folder and start its driver."""
        self._write(service, resource)
        self._start(service, resource.name)

    def reading(self, service: Service, resource: Message) -> None:
        """Everything that the run determines, as it stands now."""
        folder = folder_of(service, resource.name)
        if not (folder / "job.json").exists():
            return
        for field, value in self._seen(service, folder).ListFields():
            resource.ClearField(field.name)
            if field.message_type is None:
                setattr(resource, field.name, value)
            else:
                getattr(resource, field.name).CopyFrom(value)

    def _seen(self, service: Service, folder: Path) -> Message:
        """The run's fields as a message, made again only when the run's state has changed."""
        stamp = pipelines.stamp(folder)
        known = self.seen.get(folder)
        if known is not None and known[0] == stamp:
            return known[1]
        message = service.api.from_json(pipelines.read(folder), "google.cloud.aiplatform.v1beta1.PipelineJob")
        # A file that has just changed may change again within the same tick of its clock.
        if time.time_ns() - max((changed for changed, _ in stamp), default=0) > SETTLED_NS:
            self.seen.pop(folder, None)
            self.seen[folder] = (stamp, message)
            while len(self.seen) > SEEN_AT_MOST:
                self.seen.pop(next(iter(self.seen)))
        return message

    def cancel(self, service: Service, resource: Message) -> None:
        """Stop the running tasks; exit tasks still run, and the job ends CANCELLED."""
        folder = folder_of(service, resource.name)
        if pipelines.has_ended(folder):
            state = pipelines.read(folder)["state"]
            raise ApiError(
                "FAILED_PRECONDITION", f"'{resource.name}' has ended: it is {state} and cannot be cancelled."
            )
        pipelines.cancel(folder)

    def deleting(self, service: Service, resource: Message) -> None:
        """A running job has to be cancelled first; what it wrote to Cloud Storage stays."""
        folder = folder_of(service, resource.name)
        if (folder / "job.json").exists() and not pipelines.has_ended(folder):
            raise ApiError("FAILED_PRECONDITION", f"'{resource.name}' is running: cancel it before deleting it.")
        shutil.rmtree(folder, ignore_errors=True)

    def recover(self, service: Service) -> None:
        """Take up every job that has not ended, at the address the service has now."""
        service.at_stop(lambda: self._let_go(service))
        for resource in service.store.list(self.kind):
            folder = folder_of(service, resource.name)
            if not (folder / "job.json").exists():
                self._write(service, resource)
            if not pipelines.has_ended(folder):
                spec = job_file.load(folder)["pipelineSpec"]
                pipelines.amend(folder, {"engine": None, **_places(service, resource.name, spec)})
                self._start(service, resource.name)

    # -- drivers -----------------------------------------------------------------------------------------------

    def _write(self, service: Service, resource: Message) -> None:
        job = service.api.to_json(resource)
        spec, template = _spec_of(service, resource, job)
        given = job["runtimeConfig"].get("parameterValues", {})
        values, _ = read_parameters(spec, given, lenient=bool(template))
        folder = folder_of(service, resource.name)
        folder.mkdir(parents=True, exist_ok=True)
        record = {
            **job,
            "pipelineSpec": spec,
            "runtimeConfig": {**job["runtimeConfig"], "parameterValues": values},
            **_places(service, resource.name, spec),
        }
        job_file.write_json(folder / "job.json", record)

    def _start(self, service: Service, name: str) -> None:
        folder = folder_of(service, name)
        process = pipelines.start(folder, installing=_install_environment())
        self.drivers[folder] = process
        service.hold(name, "pipeline job")
        loop = asyncio.get_running_loop()
        fd = process.fileno()

        def ended() -> None:
            loop.remove_reader(fd)
            self._ended(service, name, process)

        loop.add_reader(fd, ended)

    def _let_go(self, service: Service) -> None:
        """The service ends: its drivers end too, and go on when it is back."""
        for folder, process in list(self.drivers.items()):
            if folder.is_relative_to(service.data):
                asyncio.get_running_loop().remove_reader(process.fileno())
                process.close()
                del self.drivers[folder]

    def _ended(self, service: Service, name: str, process: Supervised) -> None:
        """The driver of a job is gone: because the job has ended, or else it is started again."""
        folder = folder_of(service, name)
        self.drivers.pop(folder, None)
        try:
            how = str(process.wait())
        except TunelineError as error:
            how = str(error)
        if not folder.exists() or pipelines.has_ended(folder):
            self.crashes.pop(folder, None)
            service.release(name)
            return
        progress = _progress(folder)
        before, count = self.crashes.get(folder, (-1, 0))
        count = count + 1 if progress == before else 1
        self.crashes[folder] = (progress, count)
        tail = log_tail(folder / pipelines.DRIVER)
        if count >= CRASHES:
            pipelines.fail(folder, f"The pipeline's driver died {count} times without getting on: {how}\n{tail}")
            service.release(name)
            return
        log.warning("the driver of %s died (%s); starting it again\n%s", name, how, tail)
        self._start(service, name)


def folder_of(service: Service, name: str) -> Path:
    """The folder of a job: its id, and the project and region where they tell two jobs of one id apart."""
    _, project, _, location, _, job = name.split("/")
    return service.data / "pipelines" / project / location / job


def _places(service: Service, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """What of a job's file depends on where the service is: its tasks' environment, folders it shares, an engine."""
    region = folder_of(service, name).parent.relative_to(service.data / "pipelines")
    return {
        "environment": service.environment("driver", name=name),
        "environments": str(service.data / "environments"),
        "cache": str(service.data / "cache" / region),
        "data": str(service.data),
        **_engine(service, spec),
    }


def _engine(service: Service, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The container engine that the pipeline needs; nothing where it needs none, or none answers any more."""
    executors = spec.get("deploymentSpec", {}).get("executors", {}).values()
    if not any("container" in each and needs_container(each["container"]) for each in executors):
        return {}
    try:
        return {"engine": vars(containers.for_use(service.data))}
    except ApiError as error:
        log.warning("a pipeline needs a container engine: %s", error.message)
        return {}


def _spec_of(service: Service, resource: Message, job: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """(the pipeline, our template's name where it is one); a hosted template's address gives ours, with a label."""
    from tuneline.runs import templates

    if job.get("pipelineSpec"):
        spec: dict[str, Any] = job["pipelineSpec"]
        name = spec.get("pipelineInfo", {}).get("name", "")
        return spec, name if name in templates.names() and _all_ours(spec) else ""
    uri = job.get("templateUri", "")
    if not uri:
        raise invalid("pipelineSpec", "a pipeline job needs a pipelineSpec or a templateUri.")
    found = service.template(uri)
    if found is None:
        raise invalid("templateUri", f"no template is served here under {uri}.", fix="Send the pipelineSpec itself.")
    name = found["pipelineInfo"]["name"]
    if resource.labels.get(STOOD_IN) != name:
        resource.labels[STOOD_IN] = name
        resource.template_metadata.version = uri.rstrip("/").rpartition("/")[2]
        log.warning("%s: %s is stood in for by this project's template %s", resource.name, uri, name)
    return found, name


def _all_ours(spec: Mapping[str, Any]) -> bool:
    """Whether every container is this project's image: a pipeline of the same name by another author is not ours."""
    executors = spec.get("deploymentSpec", {}).get("executors", {}).values()
    return all(OUR_IMAGE in image_name(executor.get("container", {}).get("image", OUR_IMAGE)) for executor in executors)


def _parameters(
    name: str, spec: Mapping[str, Any], job: Mapping[str, Any], template: str
) -> tuple[dict[str, Any], list[Problem]]:
    """The request's parameters typed, and all that is wrong with them: for our own templates by planning's rules."""
    given = job.get("runtimeConfig", {}).get("parameterValues", {})
    values, problems = read_parameters(spec, given, lenient=bool(template))
    if template:
        from tuneline.planning import check_request

        # Whatever the address: what is run here is our own template, and so its parameters are what counts.
        found = check_request(
            template.removesuffix("-core"),
            given,
            given=set(given),
            region=name.split("/")[3],
            encryption_key=job.get("encryptionSpec", {}).get("kmsKeyName", ""),
            local=True,
        )
        told = {problem.where for problem in found}
        problems = [*found, *(problem for problem in problems if problem.where not in told)]
    return values, problems


def _progress(folder: Path) -> int:
    """A number that grows as a job gets on: tasks ended."""
    ended = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELLED", "NOT_TRIGGERED")
    return sum(task["state"] in ended for task in pipelines.read(folder)["jobDetail"]["taskDetails"])


def _install_environment() -> dict[str, str]:
    """What pip needs to reach the index the user has set up; the tasks themselves get none of it."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(INSTALL_PREFIXES) or name.lower() in INSTALL_NAMES
    }
