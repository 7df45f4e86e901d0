"""The templates of the managed services: the parameters that the rules know, the steps of every template, no cache."""

import inspect
from pathlib import Path

import pytest
import yaml

from pipelines import tune_gemini, tune_gemini_api
from tests.pipelines.test_tune_large_model import STEPS, dag, leaves
from tuneline.planning.parameters import NAMES, TEMPLATES
from tuneline.runs import templates

PLANNED = {"tune-gemini": "plan-gemini-tuning", "tune-gemini-api": "plan-gemini-api-tuning"}
KINDS = {"str": "STRING", "int": "NUMBER_INTEGER", "float": "NUMBER_DOUBLE", "bool": "BOOLEAN", "map": "STRUCT"}


@pytest.mark.parametrize("template", PLANNED)
@pytest.mark.parametrize("suffix", ["", "-core"])
def test_the_parameters_are_those_that_the_rules_know(template: str, suffix: str) -> None:
    """Name, type and default of each; all are described."""
    parameters = templates.spec(template + suffix)["root"]["inputDefinitions"]["parameters"]
    declared = {each.name: each for each in TEMPLATES[template]}
    assert set(parameters) == set(declared)
    for name, value in parameters.items():
        assert value["parameterType"] == KINDS.get(declared[name].kind, "STRING"), name
        assert value.get("defaultValue") == declared[name].default, name
        assert value["description"], name


@pytest.mark.parametrize("template", PLANNED)
def test_planning_gets_every_parameter_and_the_data_goes_to_validation(template: str) -> None:
    """Each parameter under its own name; the sets under the names that the one validator has."""
    tasks = dag(templates.spec(f"{template}-core"))
    planned = tasks[PLANNED[template]]["inputs"]["parameters"]
    for each in TEMPLATES[template]:
        assert planned[each.name] == {"componentInputParameter": each.name}
    given = tasks["validate-dataset"]["inputs"]["parameters"]
    names = NAMES[template]
    wired = {"dataset_uri": names.train, "evaluation_data_uri": names.evaluation, "test_data_uri": names.test}
    for parameter, name in {**wired, "large_model_reference": names.model}.items():
        assert given[parameter] == {"componentInputParameter": name}


@pytest.mark.parametrize("template", PLANNED)
def test_a_plan_is_carried_out_by_the_steps_of_every_template(template: str) -> None:
    """The same tasks, each wired as in tune-large-model."""
    managed, other = dag(templates.spec(f"{template}-core")), dag(templates.spec("tune-large-model-core"))
    assert set(managed) == STEPS - {"plan-tuning"} | {PLANNED[template]}
    for step in STEPS - {"validate-dataset", "plan-tuning"}:
        wired = str(managed[step]["inputs"]).replace(PLANNED[template], "plan-tuning")
        assert wired == str(other[step]["inputs"]), step


@pytest.mark.parametrize("template", PLANNED)
def test_the_submitted_pipeline_reports_on_every_path_and_caches_nothing(template: str) -> None:
    """As every template does."""
    spec = templates.spec(template)
    report = spec["root"]["dag"]["tasks"]["report-run"]
    assert report["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    for step, task in leaves(spec):
        assert not task.get("cachingOptions", {}).get("enableCache"), step
        assert task["inputs"]["parameters"]["pipeline_job_name"]["runtimeValue"], step


def test_what_asks_the_service_for_answers_is_tried_again() -> None:
    """Beside what every template repeats: what was answered is kept, so a repetition goes on where it was."""
    retried = {
        name: {step for step, task in leaves(templates.spec(name)) if "retryPolicy" in task}
        for name in ("tune-large-model", *PLANNED)
    }
    for template in PLANNED:
        assert retried[template] - retried["tune-large-model"] == {"select-checkpoint", "evaluate-model"}


def test_both_functions_have_the_same_signature() -> None:
    """Of each template: what is submitted takes what is composed with."""
    for outer, core in (
        (tune_gemini.tune_gemini, tune_gemini.tune_gemini_core),
        (tune_gemini_api.tune_gemini_api, tune_gemini_api.tune_gemini_api_core),
    ):
        signatures = [inspect.signature(each.pipeline_func).parameters for each in (outer, core)]
        assert signatures[0] == signatures[1]


def test_the_core_is_a_step_of_somebody_elses_pipeline(tmp_path: Path) -> None:
    """Its outputs feed what comes after, as those of every core do."""
    from google_cloud_pipeline_components.types.artifact_types import VertexModel
    from kfp import compiler, dsl

    from tuneline.pipelines import tune_gemini_core

    @dsl.component(base_image="python:3.11", install_kfp_package=False)
    def look(model: dsl.Input[VertexModel], endpoint: str) -> None:
        assert endpoint in model.uri

    @dsl.pipeline(name="weekly")
    def weekly(project: str, data: str) -> None:
        tuned = tune_gemini_core(project=project, base_model="gemini-2.5-flash", training_dataset_uri=data)
        look(model=tuned.outputs["model"], endpoint=tuned.outputs["endpoint_resource_name"])

    compiler.Compiler().compile(weekly, str(tmp_path / "weekly.yaml"))
    tasks = yaml.safe_load((tmp_path / "weekly.yaml").read_text())["root"]["dag"]["tasks"]
    assert set(tasks) == {"tune-gemini-core", "look"}
