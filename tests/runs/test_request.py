"""A run is asked for by a file and words of the command line; what is wrong with either is named with its place."""

import json

import pytest

from tuneline.errors import UsageError
from tuneline.runs.request import is_local_path, job_id, read_assignments, read_config


def test_numbers_and_booleans_are_typed_and_everything_else_is_text():
    given = read_assignments(
        [
            "train_steps=200",
            "learning_rate_multiplier=0.5",
            "deploy_model=true",
            "large_model_reference=text-bison@002",
            "seed=-1",
        ]
    )
    assert given == {
        "train_steps": 200,
        "learning_rate_multiplier": 0.5,
        "deploy_model": True,
        "large_model_reference": "text-bison@002",
        "seed": -1,
    }


def test_a_dot_makes_a_mapping_of_texts():
    assert read_assignments(["labels.team=ml", "labels.build=7"]) == {"labels": {"team": "ml", "build": "7"}}


def test_words_that_are_no_assignment_are_all_named():
    with pytest.raises(UsageError) as caught:
        read_assignments(["train_steps", "=5"])
    assert [p.where for p in caught.value.problems] == ["--set train_steps", "--set =5"]


def test_relative_datasets_are_seen_from_the_file(tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("parameters:\n  dataset_uri: data/train.jsonl\n  evaluation_data_uri: gs://b/e.jsonl\n")
    parameters = read_config(config)["parameters"]
    assert parameters == {"dataset_uri": str(tmp_path / "data/train.jsonl"), "evaluation_data_uri": "gs://b/e.jsonl"}


def test_a_body_for_the_hosted_template_is_a_configuration(tmp_path):
    body = {
        "displayName": "d",
        "runtimeConfig": {"gcsOutputDirectory": "gs://b/out", "parameterValues": {"train_steps": "300"}},
        "templateUri": "https://us-kfp.pkg.dev/ml-pipeline/large-language-model-pipelines/tune-large-model/v3.0.0",
    }
    config = tmp_path / "body.json"
    config.write_text(json.dumps(body))
    assert read_config(config) == {
        "parameters": {"train_steps": "300"},
        "display_name": "d",
        "pipeline_root": "gs://b/out",
    }


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("a.yaml", "parameters:\n  a: [1\n", "line 3, column 1"),
        ("a.json", '{\n "parameters": {"a": 1,}\n}', "line 2, column"),
        ("a.yaml", "paramters: {}\n", "paramters"),
        ("a.yaml", "parameters: 3\n", "parameters"),
        ("a.yaml", "- 1\n", "a.yaml"),
    ],
)
def test_a_broken_file_is_named_with_its_place(tmp_path, name, text, place):
    config = tmp_path / name
    config.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_config(config)
    assert place in str(caught.value)


def test_a_missing_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_config(tmp_path / "none.yaml")


def test_ids_of_two_runs_in_one_second_differ():
    assert len({job_id("tune-large-model") for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("value", "local"),
    [("data/x.jsonl", True), ("/x", True), ("gs://b/x", False), ("https://h/x", False), ("", False), (3, False)],
)
def test_a_local_path_is_told_from_a_uri(value, local):
    assert is_local_path(value) is local
