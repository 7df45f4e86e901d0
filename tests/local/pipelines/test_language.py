"""Conditions, placeholders, values and checks: what the compiler writes is understood, anything else is named."""

from __future__ import annotations

from typing import Any

import pytest

from tuneline.local.pipelines import check, conditions, placeholders, python_tasks, values

GIVEN = {"n": 5, "x": 2.5, "s": "it's", "flag": True, "text": "7"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("inputs.parameter_values['s'] == 'it\\'s'", True),
        ("inputs.parameter_values['s'] == \"it's\"", True),
        ("inputs.parameter_values['s'] != 'x' && int(inputs.parameter_values['n']) >= 5", True),
        ("!(inputs.parameter_values['flag'] == true) || inputs.parameter_values['x'] < 3", True),
        ("!(inputs.parameter_values['n'] == 5)", False),
        ("int(inputs.parameter_values['text']) == 7", True),
        ("double(inputs.parameter_values['text']) > 6.5", True),
        ("-1 < 0 && 'a' in ['a', 'b']", True),
        ("true || false && false", True),
        ("'a' == 'b' || (1 == 1 && 2 > 1.5)", True),
    ],
)
def test_conditions_hold_or_not(condition: str, expected: bool) -> None:
    assert conditions.holds(condition, GIVEN) is expected


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("inputs.parameter_values['s'] == 'it's'", "is not understood"),
        ("1 ==", "ends too early"),
        ("(1 == 1", "ends too early"),
        ("1 == 1 2", "goes on after its end"),
        ("size('a') == 1", "uses size"),
        ("inputs.parameter_values['absent'] == 1", "asks for absent"),
        ("inputs.parameter_values['s'] < 3", "compares"),
        ("int(inputs.parameter_values['s']) == 3", "makes int of"),
        ("inputs.parameter_values['n']", "neither true nor false"),
        ("__import__('os')", "uses __import__"),
    ],
)
def test_bad_conditions_say_what_is_wrong(condition: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        conditions.holds(condition, GIVEN)


CONTEXT = placeholders.Context(
    constants={"pipeline_root": "gs://b/r", "pipeline_job_name": "j"},
    executor_input={
        "inputs": {
            "parameterValues": {"text": "{{$.pipeline_root}}", "number": 3, "list": [1, "a"]},
            "artifacts": {"data": {"artifacts": [{"uri": "gs://b/data", "name": "d", "metadata": {"k": "v", "n": 1}}]}},
        },
        "outputs": {
            "outputFile": "/t/out.json",
            "parameters": {"p": {"outputFile": "/t/p"}},
            "artifacts": {"o": {"artifacts": [{"uri": "gs://b/o"}]}},
        },
    },
    mount="/t/gcs/",
)


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("{{$.pipeline_root}}/{{$.pipeline_job_name}}", "gs://b/r/j"),
        ("<{{$.inputs.parameters['number']}}>", "<3>"),
        ("{{$.inputs.parameters['list']}}", '[1, "a"]'),
        ("{{$.inputs.parameters[''number'']}}", "3"),
        ("{{$.inputs.artifacts['data'].uri}} {{$.inputs.artifacts['data'].path}}", "gs://b/data /t/gcs/b/data"),
        ("{{$.inputs.artifacts['data'].metadata['k']}}", "v"),
        ("{{$.outputs.artifacts['o'].path}} {{$.outputs.parameters['p'].output_file}}", "/t/gcs/b/o /t/p"),
        ("{{$.outputs.output_file}}", "/t/out.json"),
        ("{{not one}} {{ $ }} {}", "{{not one}} {{ $ }} {}"),
    ],
)
def test_placeholders_are_filled(written: str, filled: str) -> None:
    assert placeholders.fill(written, CONTEXT) == filled


def test_a_value_that_looks_like_a_placeholder_stays() -> None:
    """Data is never read as a template: what an input holds is put in as it is."""
    assert placeholders.fill("{{$.inputs.parameters['text']}}", CONTEXT) == "{{$.pipeline_root}}"


def test_an_unknown_placeholder_is_an_error() -> None:
    with pytest.raises(ValueError, match="is not known"):
        placeholders.fill("{{$.workspace_path}}", CONTEXT)
    assert placeholders.unknown("a {{$.workspace_path}} {{$.pipeline_root}} {{$}}") == ["{{$.workspace_path}}"]


def test_concat_and_if_present() -> None:
    line = [
        '{"Concat": ["--n=", "{{$.inputs.parameters[\'number\']}}", {"IfPresent": {"InputName": "no", "Then": "x"}}]}',
        '{"IfPresent": {"InputName": "number", "Then": ["-a", "b"], "Else": ["c"]}}',
        '{"IfPresent": {"InputName": "no", "Then": ["-a"], "Else": ["c"]}}',
        '{"IfPresent": {"InputName": "no", "Then": ["-a"]}}',
    ]
    assert placeholders.command(line, CONTEXT) == ["--n=3", "-a", "b", "c"]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (3.0, "NUMBER_INTEGER", 3),
        ("20", "NUMBER_INTEGER", 20),
        (1, "NUMBER_DOUBLE", 1.0),
        ("True", "BOOLEAN", True),
        ([1.0, {"a": 2.0, "b": 0.5}], "LIST", [1, {"a": 2, "b": 0.5}]),
        ('{"a": 1}', "STRUCT", {"a": 1}),
        ("3.0", "STRING", "3.0"),
        (3.0, "STRING", "3"),
    ],
)
def test_values_take_the_declared_type(value: Any, kind: str, expected: Any) -> None:
    found = values.typed(value, kind)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2.5, "NUMBER_INTEGER"),
        (True, "NUMBER_INTEGER"),
        ("x", "NUMBER_DOUBLE"),
        (1, "BOOLEAN"),
        ({}, "LIST"),
        ("", "STRUCT"),
    ],
)
def test_values_of_another_type_are_refused(value: Any, kind: str) -> None:
    with pytest.raises(ValueError, match=f"is no {kind}"):
        values.typed(value, kind)


def spec(executor: dict[str, Any], **task: Any) -> dict[str, Any]:
    return {
        "schemaVersion": "2.1.0",
        "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}, **task}}}},
        "components": {"comp-a": {"executorLabel": "exec-a"}},
        "deploymentSpec": {"executors": {"exec-a": executor}},
    }


OURS = {"container": {"image": "x/tuneline-python:1", "command": ["true"]}}


@pytest.mark.parametrize(
    ("refused", "what"),
    [
        ({"schemaVersion": "1.0"}, "compile it with kfp>=2"),
        ({"schemaVersion": "2.1.0"}, "has no root"),
        (spec({"resolver": {}}), "its executor is a resolver"),
        (spec(OURS, triggerPolicy={"condition": "size(1) > 2"}), "uses size"),
        (spec(OURS, dependentTasks=["b"]), "task a depends on b, which is not in root"),
        (spec(OURS, dependentTasks=["a"]), "wait for each other"),
        (spec(OURS, componentRef={"name": "gone"}), "'gone', which is not in it"),
        (
            spec({"container": {"image": "tuneline-python", "command": ["{{$.workspace_path}}"]}}),
            "uses the placeholder {{\\$.workspace_path}}",
        ),
    ],
)
def test_what_cannot_run_is_named(refused: dict[str, Any], what: str) -> None:
    import re

    problems = check(refused)
    assert any(re.search(what, problem, re.IGNORECASE) for problem in problems), problems


def test_what_can_run_is_accepted() -> None:
    assert check(spec(OURS)) == []


PROLOGUE = """
if ! [ -x "$(command -v pip)" ]; then
    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip
fi

PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location 'six==1.16' 'b[c]>=2'  \
&&  python3 -m pip install --quiet --no-warn-script-location 'kfp==2.17.0' '--no-deps' \
'typing-extensions>=3.7.4,<5; python_version<"3.9"' && "$0" "$@"
"""


def test_a_lightweight_component_is_taken_apart() -> None:
    container = {
        "image": "docker.io/library/python:3.11",
        "command": [
            "sh",
            "-c",
            PROLOGUE,
            "sh",
            "-ec",
            '_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main "$program_path/ephemeral_component.py" "$@"',
            "def f(): ...",
        ],
        "args": ["--executor_input", "{{$}}", "--function_to_execute", "f"],
    }
    found = python_tasks.parse(container)
    assert found is not None
    assert (found.source, found.function) == ("def f(): ...", "f")
    assert python_tasks.requirements(found.installs) == [
        "six==1.16",
        "b[c]>=2",
        "kfp==2.17.0",
        'typing-extensions>=3.7.4,<5; python_version<"3.9"',
    ]
    assert python_tasks.needs_container(container) == ""
    own = {**container, "image": "gcr.io/p/special:1"}
    assert python_tasks.needs_container(own) == "a Python component on an image of its own (gcr.io/p/special:1)"
    assert python_tasks.needs_container({"image": "alpine"}) == "a container component (alpine)"
    assert python_tasks.needs_container(OURS["container"]) == ""


@pytest.mark.parametrize(
    ("installs", "met"),
    [
        ([("--quiet", "pytest>=1")], True),
        ([("pytest>=1000",)], False),
        ([("no-such-package-anywhere",)], False),
        ([('no-such-package-anywhere; python_version<"3"',)], True),
        ([("--index-url", "https://x", "pytest")], True),
        ([("-r", "requirements.txt")], False),
        ([("git+https://x/y.git",)], False),
        ([], True),
    ],
)
def test_requirements_are_met_here_or_not(installs: list[tuple[str, ...]], met: bool) -> None:
    assert python_tasks.met_here(installs) is met
