"""The template's frozen interface: parameters, outputs, names that others rely on, caching and the exit handler."""

import inspect

import pytest
from google_cloud_pipeline_components.types.artifact_types import VertexModel
from kfp import compiler, dsl

import tuneline
from pipelines import tune_large_model as template
from tuneline.runs import templates

STEPS = {
    "validate-dataset",
    "plan-tuning",
    "upload-dataset",
    "submit-tuning-job",
    "wait-for-tuning-job",
    "select-checkpoint",
    "upload-model",
    "evaluate-model",
    "deploy-model",
}

HOSTED = {
    "project": None,
    "model_display_name": None,
    "large_model_reference": None,
    "dataset_uri": None,
    "location": "",
    "accelerator_type": "GPU",
    "train_steps": 300,
    "learning_rate_multiplier": 1,
    "evaluation_data_uri": "",
    "evaluation_interval": 20,
    "enable_early_stopping": True,
    "enable_checkpoint_selection": "default",
    "tensorboard_resource_id": "",
    "encryption_spec_key_name": "",
    # The older SDK sends these as well.
    "batch_size": 0,
    "learning_rate": 0,
    "max_context_length": "",
    "default_context": "",
}

OURS = {
    "base_model_uri": "",
    "engine": "",
    "slice": "",
    "fallback_slices": "",
    "provisioning": "standard",
    "trainer_image": "",
    "serving_image": "",
    "deploy_model": False,
    "test_data_uri": "",
    "staging_uri": "",
    "service_account": "",
    "network": "",
    "labels": {},
    "seed": 0,
    "force": False,
    "on_cancel": "cancel",
    "max_cost_usd": 0,
}


@pytest.mark.parametrize("name", ["tune-large-model", "tune-large-model-core"])
def test_the_parameters_are_those_of_the_hosted_template_and_ours_with_defaults(name):
    parameters = templates.spec(name)["root"]["inputDefinitions"]["parameters"]
    assert {key: value.get("defaultValue") for key, value in parameters.items()} == HOSTED | OURS
    assert {key for key, value in parameters.items() if not value.get("isOptional")} == {
        key for key, default in HOSTED.items() if default is None
    }
    assert all(value["description"] for value in parameters.values())


def test_both_pipelines_have_the_same_parameters_and_descriptions():
    outer, core = (
        templates.spec(name)["root"]["inputDefinitions"] for name in ("tune-large-model", "tune-large-model-core")
    )
    assert outer == core


def test_planning_gets_every_parameter_of_the_pipeline():
    planned = dag(templates.spec("tune-large-model-core"))["plan-tuning"]["inputs"]["parameters"]
    for name in HOSTED | OURS:
        assert planned[name] == {"componentInputParameter": name}


def test_the_core_hands_out_what_others_compose_with():
    outputs = templates.spec("tune-large-model-core")["root"]["outputDefinitions"]
    assert {key: value["artifactType"]["schemaTitle"] for key, value in outputs["artifacts"].items()} == {
        "model": "google.VertexModel",
        "metrics": "system.Metrics",
    }
    assert {key: value["parameterType"] for key, value in outputs["parameters"].items()} == {
        "model_resource_name": "STRING",
        "endpoint_resource_name": "STRING",
    }


def test_the_submitted_pipeline_reports_on_every_path():
    spec = templates.spec("tune-large-model")
    assert spec["pipelineInfo"]["name"] == "tune-large-model"
    tasks = spec["root"]["dag"]["tasks"]
    report = tasks["report-run"]
    assert report["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert report["dependentTasks"] == ["exit-handler-1"]
    assert report["inputs"]["parameters"]["status"] == {"taskFinalStatus": {"producerTask": "exit-handler-1"}}


def test_the_names_that_the_older_sdk_looks_for_are_there():
    upload = dag(templates.spec("tune-large-model-core"))["upload-model"]
    assert upload["taskInfo"]["name"] == "upload-model"
    outputs = templates.spec("upload-model")["components"]["comp-upload-model"]["outputDefinitions"]
    assert outputs["parameters"]["model_resource_name"]["parameterType"] == "STRING"


def test_no_step_is_cached_and_none_can_be():
    """Caching is off, and each step takes the run's name, so that a run-level switch cannot bring it back."""
    for name in ("tune-large-model", "tune-large-model-core"):
        found = dict(leaves(templates.spec(name)))
        assert set(found) - {"report-run"} == STEPS
        for step, task in found.items():
            assert not task.get("cachingOptions", {}).get("enableCache"), step
            given = task["inputs"]["parameters"]["pipeline_job_name"]
            assert given["runtimeValue"]["constant"] == "{{$.pipeline_job_name}}", step


def test_only_what_may_be_repeated_is_retried():
    retried = {step for step, task in leaves(templates.spec("tune-large-model")) if "retryPolicy" in task}
    assert retried == {"upload-dataset", "submit-tuning-job", "wait-for-tuning-job", "upload-model", "deploy-model"}


def test_steps_ask_for_little():
    for executor in templates.spec("tune-large-model")["deploymentSpec"]["executors"].values():
        resources = executor["container"]["resources"]
        assert resources["resourceCpuLimit"] == "1"
        assert resources["resourceMemoryLimit"] == "4G"


def test_both_functions_have_the_same_signature():
    outer = inspect.signature(template.tune_large_model.pipeline_func)
    core = inspect.signature(template.tune_large_model_core.pipeline_func)
    assert outer.parameters == core.parameters


def test_another_pipeline_calls_the_core_and_uses_its_model(tmp_path):
    """The nested use: what was released composes, by its types, with a step of the caller's own."""

    @dsl.component(base_image="caller/python:1", install_kfp_package=False)
    def announce(model: dsl.Input[VertexModel], name: str, metrics: dsl.Input[dsl.Metrics]) -> str:
        return f"{name} {model.metadata['resourceName']} {metrics.metadata}"

    @dsl.pipeline(name="callers-own")
    def callers_own(dataset_uri: str, train_steps: int = 10) -> str:
        tuned = tuneline.load("tune-large-model-core", image="caller/tuneline-python:1")(
            project="p",
            model_display_name="m",
            large_model_reference="gemma-3-1b-it",
            dataset_uri=dataset_uri,
            train_steps=train_steps,
        )
        told = announce(
            model=tuned.outputs["model"],
            name=tuned.outputs["model_resource_name"],
            metrics=tuned.outputs["metrics"],
        )
        return told.output

    compiler.Compiler().compile(callers_own, str(tmp_path / "callers_own.yaml"))
    text = (tmp_path / "callers_own.yaml").read_text()
    assert "image: caller/tuneline-python:1" in text
    assert "image: tuneline/" not in text


def dag(spec):
    return spec["root"]["dag"]["tasks"]


def leaves(spec):
    """Every task that runs a container, at any depth."""
    groups = [spec["root"]["dag"], *(each["dag"] for each in spec["components"].values() if "dag" in each)]
    for group in groups:
        for task in group["tasks"].values():
            if "executorLabel" in spec["components"][task["componentRef"]["name"]]:
                yield task["taskInfo"]["name"], task
