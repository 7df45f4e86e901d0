"""One try of one container task: the folder it runs in, the command that is run, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneline.local import containers
from tuneline.local.pipelines import launcher, placeholders, python_tasks
from tuneline.local.pipelines.graph import Graph
from tuneline.local.pipelines.job_file import INSTALLING, write_json
from tuneline.local.pipelines.state import Task
from tuneline.local.pipelines.values import Value, typed
from tuneline.local.pipelines.wiring import Artifacts, in_lists, parameter_type

OUTPUT_FILE = "executor_output.json"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What is needed to start a process for a task."""

    folder: Path
    argv: list[str]
    environment: dict[str, str]
    warm: bool
    """Whether it needs nothing but this very environment, so that a prepared process can be forked for it."""


def folder_of(job_folder: Path, task: Task) -> Path:
    """Where the current try of a task runs; its log is `log.txt` there."""
    name = re.sub(r"[^\w.-]", "_", task.path.removeprefix("root/").replace("/", "."))[-80:]
    return job_folder / "tasks" / f"{name}_{task.id}" / str(task.tries)


def prepare(graph: Graph, task: Task, job_folder: Path) -> Attempt:
    """Write what the process needs into its folder; raises ValueError where a placeholder has no value."""
    component = graph.component(task)
    container = graph.spec.executor(component)["container"]
    folder = folder_of(job_folder, task).absolute()
    for name in ("tmp", "outputs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    task.log = str(folder / "log.txt")
    if apart := python_tasks.needs_container(container):
        return _in_container(graph, task, folder, apart)
    executor_input = make_input(graph, task, str(folder))
    constants = graph.constants(task)
    context = placeholders.Context(constants=constants, executor_input=executor_input, mount=f"{folder}/gcs/")
    record: dict[str, Any] = {"executor_input": executor_input}
    lightweight = python_tasks.parse(container)
    here = True
    if lightweight is None:
        words = [*container.get("command", ()), *container.get("args", ())]
        record["argv"] = placeholders.command(words, context)
    else:
        record |= {"source": lightweight.source, "function": lightweight.function}
        here = python_tasks.is_ours(container) or python_tasks.met_here(lightweight.installs)
        if not here:
            environments = graph.job.get("environments") or str(job_folder.absolute().parent.parent / "environments")
            record |= {"installs": lightweight.installs, "environments": environments}
    write_json(folder / "task.json", record)
    if here:
        argv = [sys.executable, "-P", launcher.__file__, str(folder)]
    else:
        argv = [sys.executable, "-m", "tuneline.local.pipelines.environments", str(folder)]
    environment = make_environment(graph.job, container, folder, context)
    environment |= _installing(not here)
    return Attempt(folder=folder, argv=argv, environment=environment, warm=here and lightweight is not None)


def _in_container(graph: Graph, task: Task, folder: Path, apart: str) -> Attempt:
    """The same for a task that its own image runs; raises ValueError where there is no engine any more."""
    container = graph.spec.executor(graph.component(task))["container"]
    if not graph.job.get("engine"):
        raise ValueError(f"{apart} needs a container engine, and none answered when the service was started")
    executor_input = make_input(graph, task, containers.HOME)
    constants = graph.constants(task)
    context = placeholders.Context(constants=constants, executor_input=executor_input, mount=containers.MOUNT)
    environment = make_environment(graph.job, container, folder, context)
    own = _own_variables(container, context)
    inside = containers.environment(environment, own)
    words = placeholders.command(list(container.get("command", ())), context)
    lightweight = python_tasks.parse(container)
    installs = bool(lightweight and lightweight.installs)
    argv = containers.command(
        folder,
        containers.Engine(**graph.job["engine"]),
        data=Path(graph.job["data"]),
        image=container["image"],
        entrypoint=python_tasks.installing_apart(words, inside) if installs else words,
        arguments=placeholders.command(list(container.get("args", ())), context),
        environment=own if installs else inside,
        certificate=environment.get("SSL_CERT_FILE", ""),
        inputs=launcher.input_uris(executor_input),
        outputs=sorted(launcher.output_uris(executor_input)),
        installs=installs,
        record={"executor_input": executor_input},
    )
    return Attempt(folder=folder, argv=argv, environment={**environment, **_installing(installs)}, warm=False)


def _installing(wanted: bool) -> dict[str, str]:
    """What pip is to have, from process to process."""
    return {INSTALLING: os.environ.get(INSTALLING, "{}")} if wanted else {}


def make_input(graph: Graph, task: Task, folder: str) -> dict[str, Any]:
    """The ExecutorInput message: values in, addresses for what comes out; `folder` as the task itself sees it.

    Artifacts lie where Vertex AI puts them: `<root>/<project>/<job id>/<task>_<task id>/<output>`.
    """
    component = graph.component(task)
    _, project, _, _, _, job_id = graph.job["name"].split("/")
    home = f"{graph.pipeline_root}/{project}/{job_id}/{task.key}_{task.id}"
    outputs: dict[str, Any] = {"outputFile": f"{folder}/outputs/{OUTPUT_FILE}"}
    if component.output_parameters:
        outputs["parameters"] = {
            name: {"outputFile": f"{folder}/outputs/{name}"} for name in component.output_parameters
        }
    if component.output_artifacts:
        outputs["artifacts"] = in_lists(
            {
                name: [{"name": name, "type": definition["artifactType"], "uri": f"{home}/{name}", "metadata": {}}]
                for name, definition in component.output_artifacts.items()
            }
        )
    inputs: dict[str, Any] = {}
    if task.inputs:
        inputs["parameterValues"] = task.inputs
    if task.input_artifacts:
        inputs["artifacts"] = in_lists(task.input_artifacts)
    return {"inputs": inputs, "outputs": outputs}


def make_environment(
    job: Mapping[str, Any], container: Mapping[str, Any], folder: Path, context: placeholders.Context
) -> dict[str, str]:
    """The whole environment of a task: the job's, what Vertex AI sets, and what the component asks for."""
    _, project, _, location, _, job_id = job["name"].split("/")
    labels = {"vertex-ai-pipelines-run-billing-id": str(job["uuid"]), **job.get("labels", {})}
    environment = {
        **job.get("environment", {}),
        "CLOUD_ML_PROJECT_ID": project,
        "CLOUD_ML_REGION": location,
        "VERTEX_AI_PIPELINES_RUN_LABELS": json.dumps(labels),
        "TUNELINE_PIPELINE_JOB": job_id,
        "TMPDIR": str(folder / "tmp"),
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
    }
    environment |= _own_variables(container, context)
    search = environment.get("PATH") or os.defpath
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{search}"
    return environment


def _own_variables(container: Mapping[str, Any], context: placeholders.Context) -> dict[str, str]:
    """What the component's author sets."""
    return {each["name"]: placeholders.fill(each.get("value", ""), context) for each in container.get("env", ())}


def outputs(graph: Graph, task: Task, folder: Path) -> tuple[dict[str, Value], Artifacts]:
    """What a process that ended well leaves: parameters typed as declared, and artifacts; raises ValueError."""
    component = graph.component(task)
    expected = json.loads((folder / "task.json").read_text())["executor_input"]["outputs"]
    output_file = containers.here(folder, expected["outputFile"])
    written = json.loads(output_file.read_text()) if output_file.exists() else {}
    parameters: dict[str, Value] = {}
    for name, definition in component.output_parameters.items():
        kind = parameter_type(definition)
        path = containers.here(folder, expected["parameters"][name]["outputFile"])
        value = path.read_text() if path.exists() else written.get("parameterValues", {}).get(name)
        if value is None:
            continue
        try:
            parameters[name] = typed(value, kind)
        except ValueError as error:
            raise ValueError(f"the output {name}: {error}") from None
    artifacts: Artifacts = {}
    for name, planned in expected.get("artifacts", {}).items():
        found = written.get("artifacts", {}).get(name, {}).get("artifacts") or planned["artifacts"]
        artifacts[name] = [{**planned["artifacts"][0], **artifact} for artifact in found]
    return parameters, artifacts
