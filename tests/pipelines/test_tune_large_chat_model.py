"""The chat template is tune-large-model but for evaluation: its parameters, rules and outputs, over the same steps."""

import inspect

import pytest

from pipelines import tune_large_chat_model as template
from tests.pipelines.test_tune_large_model import HOSTED, OURS, STEPS, dag, leaves
from tuneline.planning.parameters import EVALUATION_NAMES, TEMPLATES
from tuneline.runs import templates

NAMES = ("tune-large-chat-model", "tune-large-chat-model-core")
EXPECTED = {name: default for name, default in (HOSTED | OURS).items() if name not in EVALUATION_NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_are_those_of_the_other_template_without_evaluation(name):
    parameters = templates.spec(name)["root"]["inputDefinitions"]["parameters"]
    assert {key: value.get("defaultValue") for key, value in parameters.items()} == EXPECTED
    assert {key for key, value in parameters.items() if not value.get("isOptional")} == {
        key for key, default in EXPECTED.items() if default is None
    }
    assert all(value["description"] for value in parameters.values())


def test_the_parameters_are_those_that_the_rules_know():
    assert {each.name for each in TEMPLATES["tune-large-chat-model"]} == set(EXPECTED)


def test_planning_gets_every_parameter_and_knows_whose_rules_hold():
    planned = dag(templates.spec("tune-large-chat-model-core"))["plan-tuning"]["inputs"]["parameters"]
    for name in EXPECTED:
        assert planned[name] == {"componentInputParameter": name}
    assert planned["template"] == {"runtimeValue": {"constant": "tune-large-chat-model"}}
    other = dag(templates.spec("tune-large-model-core"))["plan-tuning"]["inputs"]["parameters"]
    assert other["template"] == {"runtimeValue": {"constant": "tune-large-model"}}


def test_both_templates_carry_a_plan_out_by_the_same_tasks():
    chat, other = (dag(templates.spec(name)) for name in ("tune-large-chat-model-core", "tune-large-model-core"))
    assert set(chat) == set(other) == STEPS
    for step in STEPS - {"validate-dataset", "plan-tuning"}:
        assert chat[step] == other[step]
    outputs = [templates.spec(f"{name}-core")["root"]["outputDefinitions"] for name in TEMPLATES]
    assert outputs[0]["artifacts"].keys() == outputs[1]["artifacts"].keys() == {"model", "metrics"}
    assert outputs[0]["parameters"].keys() == outputs[1]["parameters"].keys()


def test_the_submitted_pipeline_reports_on_every_path_and_caches_nothing():
    spec = templates.spec("tune-large-chat-model")
    assert spec["pipelineInfo"]["name"] == "tune-large-chat-model"
    report = spec["root"]["dag"]["tasks"]["report-run"]
    assert report["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    for step, task in leaves(spec):
        assert not task.get("cachingOptions", {}).get("enableCache"), step
        assert task["inputs"]["parameters"]["pipeline_job_name"]["runtimeValue"], step


def test_both_functions_have_the_same_signature():
    outer = inspect.signature(template.tune_large_chat_model.pipeline_func)
    core = inspect.signature(template.tune_large_chat_model_core.pipeline_func)
    assert outer.parameters == core.parameters
