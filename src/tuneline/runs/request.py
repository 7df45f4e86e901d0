"""What a user asks to be run: template, parameters and place, gathered from a file and the command line."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from tuneline.errors import Problem, UsageError

URI_PARAMETERS = (
    "dataset_uri",
    "training_dataset_uri",
    "evaluation_data_uri",
    "validation_dataset_uri",
    "test_data_uri",
)
"""Parameters that may name a local file, which is uploaded before the run."""

_PLACE_KEYS = (
    "template",
    "project",
    "region",
    "pipeline_root",
    "service_account",
    "network",
    "image",
    "template_uri",
    "display_name",
    "labels",
)


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """One run of one template, complete: nothing is read from the environment after this."""

    template: str
    project: str
    region: str
    pipeline_root: str
    """`gs://bucket[/folder]` under which the run keeps its artifacts."""
    parameters: Mapping[str, object]
    """As the user gave them; a parameter that is not here was not given."""
    job_id: str
    display_name: str = ""
    image: str = ""
    """The image of the steps; empty: the one the template was compiled with."""
    template_uri: str = ""
    """Address of the template that the service is to fetch; empty: the compiled one is sent."""
    service_account: str = ""
    network: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def run_folder(self) -> str:
        """Where the steps write their records (`docs/run-folder.md`)."""
        return f"{self.pipeline_root}/{self.job_id}/run"


JOB_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
"""google.cloud.aiplatform.v1.CreatePipelineJobRequest.pipeline_job_id."""


def job_id(template: str) -> str:
    """A new pipeline job id: the template, the second, and random hex digits, since two runs may share a second."""
    return f"{template}-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"


def read_config(path: Path) -> dict[str, object]:
    """The run configuration in a YAML or JSON file; relative dataset paths become absolute, seen from the file.

    Two forms are taken: ours (`parameters:` beside `project:`, `region:` ...), and a REST body written for the hosted
    templates (`runtimeConfig.parameterValues`). Raises `UsageError` with the line and column of a syntax error.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise UsageError(
            [Problem(where=str(path), what=error.strerror or "cannot be read", fix="name an existing file")]
        ) from error
    config = _parse(path, text)
    if not isinstance(config, dict):
        raise UsageError(
            [Problem(where=str(path), what="holds no mapping", fix="write `parameters:` with one line a parameter")]
        )
    if "runtimeConfig" in config:
        config = _from_body(config)
    problems = [
        Problem(where=f"{path}: {key}", what="is not a known key", fix=_suggestion(key, ("parameters", *_PLACE_KEYS)))
        for key in config
        if key not in ("parameters", *_PLACE_KEYS)
    ]
    parameters = config.get("parameters") or {}
    if not isinstance(parameters, dict):
        problems.append(
            Problem(where=f"{path}: parameters", what="is not a mapping", fix="write one `name: value` a line")
        )
    if problems:
        raise UsageError(problems)
    resolved = {
        name: str((path.parent / value).resolve()) if name in URI_PARAMETERS and is_local_path(value) else value
        for name, value in parameters.items()
    }
    return config | {"parameters": resolved}


def read_assignments(pairs: Iterable[str]) -> dict[str, object]:
    """`key=value` words as parameters; a dot makes a mapping (`labels.team=ml`); numbers and booleans are typed."""
    values: dict[str, object] = {}
    problems = []
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign or not key:
            problems.append(Problem(where=f"--set {pair}", what="is not key=value", fix="write --set train_steps=200"))
            continue
        name, dot, part = key.partition(".")
        if dot:
            inner = values.setdefault(name, {})
            if isinstance(inner, dict):
                inner[part] = text
            else:
                problems.append(
                    Problem(
                        where=f"--set {pair}",
                        what=f"{name} was already given a plain value",
                        fix="give one or the other",
                    )
                )
        else:
            values[name] = _value(text)
    if problems:
        raise UsageError(problems)
    return values


def is_local_path(value: object) -> bool:
    """Whether a parameter names a file on this machine rather than an object."""
    return isinstance(value, str) and bool(value) and not re.match(r"^[a-z][a-z0-9+.-]*://", value)


def _value(text: str) -> object:
    if re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false", text):
        return json.loads(text)
    return text


def _parse(path: Path, text: str) -> object:
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            place = f"{path}, line {error.lineno}, column {error.colno}"
            fix = "strict JSON has a comma between members and none after the last"
            raise UsageError([Problem(where=place, what=error.msg, fix=fix)]) from error
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise UsageError(
            [Problem(where=place, what=error.problem or str(error), fix="correct the YAML there")]
        ) from error


def _from_body(body: dict[str, object]) -> dict[str, object]:
    """A REST body of a pipeline job as a configuration; its `templateUri` is ours to choose here."""
    runtime = body.get("runtimeConfig")
    runtime = runtime if isinstance(runtime, dict) else {}
    config: dict[str, object] = {"parameters": runtime.get("parameterValues") or {}}
    for key, source, name in (
        ("display_name", body, "displayName"),
        ("service_account", body, "serviceAccount"),
        ("pipeline_root", runtime, "gcsOutputDirectory"),
        ("labels", body, "labels"),
    ):
        if source.get(name):
            config[key] = source[name]
    return config


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else "known keys: " + ", ".join(known)
