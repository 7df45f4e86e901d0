"""Each component is a thin, typed front of its step: one import, one call, the version it was compiled for."""

import ast
import importlib
import inspect
import textwrap

import pytest
import yaml

from components.image import IMAGE
from pipelines.compile import COMPONENTS
from tuneline._version import __version__
from tuneline.runs import templates

STEPS = {"plan_gemini_tuning": "plan_tuning", "plan_gemini_api_tuning": "plan_tuning"}
"""Components that are typed fronts of one step: each passes the template whose rules hold."""
MINOR = ".".join(__version__.split(".")[:2])


def component(name):
    return getattr(importlib.import_module(f"components.{name}"), name)


def body(name):
    """The statements of a component's function, its docstring apart."""
    source = textwrap.dedent(inspect.getsource(component(name).python_func))
    function = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    return function.body[1:]


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_body_is_one_import_and_one_call_with_every_parameter(name):
    """So that the logic lies in the library, where it is tested, and in no YAML."""
    imported, called = body(name)
    assert isinstance(imported, ast.ImportFrom)
    step = STEPS.get(name, name)
    assert (imported.module, [alias.name for alias in imported.names]) == ("tuneline.steps", [step])
    call = called.value
    assert ast.unparse(call.func) == f"{step}.run"
    passed = {keyword.arg: keyword.value for keyword in call.keywords}
    constants = {"compiled_for"} | ({"template"} if name in STEPS else set())
    assert set(passed) == {*inspect.signature(component(name).python_func).parameters, *constants}
    assert all(ast.unparse(value) == key for key, value in passed.items() if key not in constants)


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_body_names_the_minor_version_of_the_library(name):
    _, called = body(name)
    compiled_for = next(keyword.value for keyword in called.value.keywords if keyword.arg == "compiled_for")
    assert compiled_for.value == MINOR


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_step_takes_what_its_component_passes(name):
    """The step's own signature binds every parameter of the component, so that no call can fail by a name."""
    step = importlib.import_module(f"tuneline.steps.{STEPS.get(name, name)}")
    parameters = inspect.signature(component(name).python_func).parameters
    inspect.signature(step.run).bind(**dict.fromkeys([*parameters, "compiled_for"], None))


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_steps_outputs_are_those_of_its_component(name):
    annotation = inspect.signature(component(name).python_func).return_annotation
    step = importlib.import_module(f"tuneline.steps.{STEPS.get(name, name)}")
    declared = () if annotation is inspect.Signature.empty else annotation._fields
    assert getattr(getattr(step, "Outputs", None), "_fields", ()) == declared


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_parameter_is_described_in_the_yaml_and_every_run_is_its_own(name):
    spec = templates.spec(name)
    assert f"# Description: {inspect.getdoc(component(name).python_func).splitlines()[0]}" in templates.text(name)
    parameters = spec["components"][f"comp-{name.replace('_', '-')}"]["inputDefinitions"]["parameters"]
    assert {"pipeline_root", "pipeline_job_name"} <= set(parameters)
    undescribed = [
        key
        for key, value in parameters.items()
        if not value.get("description") and value["parameterType"] != "TASK_FINAL_STATUS"
    ]
    assert not undescribed


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_installs_nothing_and_runs_in_the_one_image(name):
    executors = templates.spec(name)["deploymentSpec"]["executors"].values()
    for container in (executor["container"] for executor in executors):
        assert container["image"] == IMAGE
        assert "pip install" not in " ".join(container["command"])
    assert "python" in IMAGE


def test_unset_is_an_empty_text_or_nought():
    """Optional parameters fail in kfp.local; a default that is None would make one."""
    for name in COMPONENTS:
        for parameter in inspect.signature(component(name).python_func).parameters.values():
            assert parameter.default is not None


def test_the_image_is_one_setting_read_when_compiling(tmp_path, monkeypatch):
    """`TUNELINE_IMAGE` reaches every step of a fresh compilation."""
    import subprocess
    import sys
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    subprocess.run(
        [sys.executable, "-m", "pipelines.compile", str(tmp_path)],
        check=True,
        cwd=root,
        env={"PATH": "/usr/bin:/bin", "TUNELINE_IMAGE": "registry.example/mine-python:7"},
        capture_output=True,
    )
    for path in tmp_path.rglob("*.yaml"):
        spec = yaml.safe_load(path.read_text())
        images = {executor["container"]["image"] for executor in spec["deploymentSpec"]["executors"].values()}
        assert images == {"registry.example/mine-python:7"}, path.name


def test_the_bodies_run_as_plain_functions(tmp_path, monkeypatch):
    """`.python_func` is the component's body: two steps in a row, from a dataset to a plan."""
    import json

    from tests.steps.conftest import Artifact, write_dataset

    monkeypatch.setenv("TUNELINE_LOCAL_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TUNELINE_REGION", "us-central1")
    monkeypatch.setenv("TUNELINE_STAGING", "gs://tuneline-local")
    run = {"pipeline_root": str(tmp_path), "pipeline_job_name": "job"}
    asked = {"dataset_uri": write_dataset(tmp_path / "train.jsonl", 40), "large_model_reference": "gemma-3-1b-it"}
    validated = component("validate_dataset").python_func(
        **asked, **run, report=Artifact(uri=str(tmp_path / "report.html")), metrics=Artifact(uri="unused")
    )
    planned = component("plan_tuning").python_func(
        **asked, **run, facts=validated.facts, project="tuneline-local", model_display_name="numbers"
    )
    assert json.loads(planned.plan)["train"]["examples"] == 40
    assert (tmp_path / "report.html").is_file()
    assert sorted(path.stem for path in (tmp_path / "job" / "run").iterdir()) == ["plan_tuning", "validate_dataset"]
