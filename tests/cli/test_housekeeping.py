"""Runs, schedules, settings and what is left behind, from the command line, on the local service."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from tests.jobs.plans import plan
from tests.registry.test_models import request_for
from tuneline import errors, jobs, objects, registry
from tuneline.cli.root import cli
from tuneline.testing import LocalVertex, local_vertex, vertex_environment

__all__ = ["local_vertex", "vertex_environment"]

PLACE = ("--project", "tuneline-local", "--region", "us-central1")


@pytest.fixture(autouse=True)
def here(vertex_environment: LocalVertex) -> LocalVertex:
    return vertex_environment


def run(*arguments: str, fails: type[Exception] | None = None) -> Result:
    done = CliRunner().invoke(cli, [*arguments])
    if fails:
        assert isinstance(done.exception, fails), done.output + repr(done.exception)
    else:
        assert done.exit_code == 0, done.output + repr(done.exception)
    return done


@pytest.fixture
def submitted(tmp_path: Path, here: LocalVertex) -> str:
    """The name of a run that the command line has submitted."""
    return run("submit", *asked(tmp_path), "--data", str(here.data), "--local").stdout.strip()


def asked(tmp_path: Path) -> list[str]:
    """A request over a dataset of the test's own."""
    rows = [{"input_text": f"after {n}", "output_text": str(n + 1)} for n in range(20)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    values = {
        "model_display_name": "housekeeping",
        "large_model_reference": "tuneline-tiny",
        "dataset_uri": str(tmp_path / "train.jsonl"),
        "train_steps": "2",
    }
    return ["tune-large-model", *(word for name, value in values.items() for word in ("--set", f"{name}={value}"))]


def test_a_run_is_listed_shown_and_cancelled_in_every_form(submitted: str) -> None:
    """Under its bare id, as a table for people and whole for programs."""
    identifier = submitted.rpartition("/")[2]
    assert identifier in run("runs", "list", *PLACE).stdout
    listed = json.loads(run("runs", "list", *PLACE, "--format", "json").stdout)
    assert yaml.safe_load(run("runs", "list", *PLACE, "--format", "yaml").stdout)[0]["name"] == listed[0]["name"]
    assert submitted in [each["name"] for each in listed]
    ends = time.monotonic() + 30
    while "validate-dataset" not in (said := run("runs", "show", identifier, *PLACE).stdout):
        assert time.monotonic() < ends, said
        time.sleep(0.1)  # the job's tasks come with its driver
    assert f"/{identifier}/run" in said
    told = json.loads(run("runs", "show", submitted, *PLACE, "--format", "json").stdout)
    assert told["pipelineSpec"]["pipelineInfo"]["name"] == "tune-large-model"
    run("runs", "cancel", identifier, *PLACE)


def test_a_plan_is_told_in_every_form(tmp_path: Path, here: LocalVertex) -> None:
    """The table says it in words, JSON and YAML are one plan."""
    words = ["plan", *asked(tmp_path), "--local", "--data", str(here.data)]
    assert "2 steps × 8 = 16 examples seen" in run(*words).stdout
    made = json.loads(run(*words, "--format", "json").stdout)
    assert made["training"]["examples_seen"] == 16
    assert yaml.safe_load(run(*words, "--format", "yaml").stdout) == made


def test_a_schedule_is_made_once_and_led_through_its_life(tmp_path: Path, here: LocalVertex) -> None:
    """Applied twice it is one; paused, resumed, started by hand, and deleted."""
    words = ["schedules", "apply", *asked(tmp_path), "--local", "--data", str(here.data), "--cron", "0 0 29 2 1"]
    first, again = run(*words), run(*words)
    assert first.stdout == again.stdout
    assert "it was there already" in again.stderr
    identifier = first.stdout.strip().rpartition("/")[2]

    def state() -> str:
        listed = json.loads(run("schedules", "list", *PLACE, "--format", "json").stdout)
        return next(each["state"] for each in listed if each["name"].endswith(identifier))

    assert state() == "ACTIVE"
    run("schedules", "pause", identifier, *PLACE)
    assert state() == "PAUSED"
    run("schedules", "resume", identifier, *PLACE)
    assert state() == "ACTIVE"
    started = run("schedules", "run", identifier, *PLACE).stdout.strip()
    assert "/pipelineJobs/tune-large-model-" in started
    labels = json.loads(run("runs", "show", started, *PLACE, "--format", "json").stdout)["labels"]
    assert "tuneline_nonce" not in labels
    run("runs", "cancel", started, *PLACE)
    run("schedules", "delete", identifier, *PLACE)
    assert identifier not in run("schedules", "list", *PLACE).stdout


def test_the_settings_say_where_they_come_from_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is said to be set, and never shown."""
    monkeypatch.setenv("GEMINI_API_KEY", "AIzaSecret")
    monkeypatch.setenv("TUNELINE_STAGING", "gs://somewhere")
    said = run("config", "show").stdout
    assert "AIzaSecret" not in said
    told = json.loads(run("config", "show", "--format", "json").stdout)
    assert told["GEMINI_API_KEY"] == {"value": "set", "from": "GEMINI_API_KEY"}
    assert told["staging"] == {"value": "gs://somewhere", "from": "TUNELINE_STAGING"}


def test_what_was_left_is_listed_then_removed_and_what_a_live_job_needs_is_kept(
    tmp_path: Path, here: LocalVertex
) -> None:
    """Nothing goes without being told so; a ledger stays while its job lives, data while any job does."""
    staging = str(tmp_path / "staging")
    train = objects.join(staging, "tuneline/data/abc.jsonl")
    objects.write_bytes(train, b"{}\n")
    staged = {"train": {"uri": train, "digest": "abc"}, "evaluation": None, "test": None}
    wanted = jobs.custom_training.request(plan(staging), staged)
    container = wanted.body["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    container["args"] = ["--config", str(pipe)]
    held = jobs.engine("custom_training")
    submission = jobs.submit(held, wanted)

    words = ["clean", "--staging", staging, "--older-than", "0s", "--format", "json", *PLACE]
    kept = {each["what"]: each["kept"] for each in json.loads(run(*words, "--yes").stdout)["leftovers"]}
    assert submission.name in kept["ledger of a job"]
    assert submission.name in kept["staged data"]
    assert objects.exists(train)
    held.cancel(submission.name)
    jobs.wait(held, submission.name, deadline_s=60)
    shown = run(*words)
    assert all(not each["kept"] for each in json.loads(shown.stdout)["leftovers"])
    assert "would be removed" in shown.stderr
    assert objects.exists(train)
    assert json.loads(run(*words[:4], "1h", *words[5:]).stdout)["leftovers"] == []
    run(*words, "--yes")
    assert not objects.exists(train)
    assert list(objects.list(objects.join(staging, "tuneline/jobs") + "/")) == []


def test_the_ledger_of_a_version_stays_while_the_version_does(tmp_path: Path) -> None:
    """It is what keeps the same upload from becoming another version."""
    staging = str(tmp_path)
    parent = registry.upload(request_for("kept")).name
    registry.upload_version(request_for("kept-next"), parent, staging=staging)
    data = objects.join(staging, "tuneline/data/old.jsonl")
    objects.write_bytes(data, b"{}\n")
    words = ["clean", "--staging", staging, "--older-than", "0s", "--format", "json"]
    ledger, staged = json.loads(run(*words).stdout)["leftovers"]
    assert ledger["what"] == "ledger of a model's version"
    assert f"{parent}@2" in ledger["kept"]
    # A version reads no staged data.
    assert (staged["uri"], staged["kept"]) == (data, "")


def test_jobs_are_deleted_where_their_api_can_and_else_it_is_said(here: LocalVertex) -> None:
    """A tuned Gemini model of Vertex AI cannot be; a CustomJob has to end first."""
    objects.write_bytes("gs://tuneline-local/housekeeping/train.jsonl", b"")
    body = {
        "baseModel": "gemini-2.5-flash",
        "supervisedTuningSpec": {"trainingDatasetUri": "gs://tuneline-local/housekeeping/train.jsonl"},
    }
    managed = here.request("POST", "/v1/projects/tuneline-local/locations/us-central1/tuningJobs", body)["name"]
    refused = run("jobs", "delete", managed, *PLACE, fails=errors.UsageError)
    assert "cannot be deleted" in str(refused.exception)
    staged = {"train": {"uri": "gs://tuneline-local/housekeeping/train.jsonl", "digest": "x"}, "evaluation": None}
    held = jobs.engine("custom_training")
    submission = jobs.submit(held, jobs.custom_training.request(plan(), staged))
    jobs.wait(held, submission.name, deadline_s=60)
    run("jobs", "delete", submission.name, *PLACE)
    with pytest.raises(errors.NotFound):
        held.get(submission.name)
