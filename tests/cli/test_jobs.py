"""`tuneline jobs` lists, shows, watches, cancels and tests the jobs of every engine, on the local service."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.jobs.plans import plan
from tuneline import errors, jobs, objects, registry
from tuneline.cli.root import cli
from tuneline.testing import LocalVertex, local_vertex, vertex_environment

__all__ = ["local_vertex", "vertex_environment"]

NUMBERS = [(str(number), str(number + 1)) for number in range(16)]
PLACE = ("--project", "tuneline-local", "--region", "us-central1")


def run(*arguments: str, fails: type[Exception] | None = None, **more: str) -> Result:
    done = CliRunner().invoke(cli, ["jobs", *arguments], **more)
    if fails:
        assert isinstance(done.exception, fails), done.output
    else:
        assert done.exit_code == 0, done.output + repr(done.exception)
    return done


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The names of one job of each engine, made by the same data."""

    custom: str
    managed: str
    gemini: str
    watched: str
    """What watching the three to their end said."""


def request(config: str = "") -> jobs.Request:
    """A CustomJob of four steps; with a config named, one that waits for that and does no work."""
    train = {"uri": "gs://tuneline-local/jobs/pairs.jsonl", "digest": "numbers"}
    staged = {"train": train, "evaluation": None, "test": None}
    wanted = jobs.custom_training.request(plan(training__train_steps=4, training__evaluation_interval=0), staged)
    if config:
        container = wanted.body["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]
        container["args"] = ["--config", config]
    return wanted


@pytest.fixture(scope="module")
def tuned(local_vertex: LocalVertex) -> Iterator[Tuned]:
    """One job of each engine, watched to its end."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in local_vertex.environment().items():
            patch.setenv(name, value)
        pairs = [{"input_text": one, "output_text": other} for one, other in NUMBERS]
        turns = [
            {
                "contents": [
                    {"role": role, "parts": [{"text": text}]}
                    for role, text in zip(("user", "model"), pair, strict=True)
                ]
            }
            for pair in NUMBERS
        ]
        for name, rows in (("pairs", pairs), ("turns", turns)):
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            objects.write_bytes(f"gs://tuneline-local/jobs/{name}.jsonl", lines.encode())
        managed = jobs.vertex_tuning.request(
            project="tuneline-local",
            location="us-central1",
            display_name="numbers",
            base_model="gemini-2.5-flash",
            training_data_uri="gs://tuneline-local/jobs/turns.jsonl",
            staging="gs://tuneline-local",
            digests={"train": "numbers"},
            epoch_count=2,
        )
        gemini = jobs.gemini_api.request(
            display_name="numbers",
            base_model="gemini-1.5-flash-001-tuning",
            examples=NUMBERS,
            staging="gs://tuneline-local",
            epoch_count=1,
        )
        names = {
            "custom": jobs.submit(jobs.engine("custom_training"), request()).name,
            "managed": jobs.submit(jobs.engine("vertex_tuning"), managed).name,
            "gemini": jobs.submit(jobs.engine("gemini_api"), gemini).name,
        }
        watched = "".join(run("watch", name, *PLACE).stderr for name in names.values())
        yield Tuned(**names, watched=watched)


@pytest.fixture
def here(tuned: Tuned, vertex_environment: LocalVertex) -> LocalVertex:
    return vertex_environment


def test_watching_tells_each_change_and_the_loss(tuned: Tuned):
    for name in (tuned.custom, tuned.managed, tuned.gemini):
        assert f"{name.rpartition('/')[2]}: succeeded" in tuned.watched
    assert "step 4/4  loss " in tuned.watched  # of the custom job and, by its operation's total, of the tuned model


def test_a_managed_jobs_curve_is_read_from_the_tensorboard_of_its_experiment(here: LocalVertex, tuned: Tuned):
    """A row a step, under the metrics' own names, as for a job of the trainer."""
    curve = json.loads(run("show", tuned.managed, *PLACE, "--format", "json").stdout)["curve"]
    trained = [row["/train_total_loss"] for row in curve if "/train_total_loss" in row]
    assert len(trained) >= 2
    assert trained[-1] < trained[0]
    assert [row["step"] for row in curve] == sorted(row["step"] for row in curve)
    assert {"/train_num_predictions", "/train_fraction_of_correct_next_step_preds"} <= set(curve[-1])
    assert "loss" in run("show", tuned.managed, *PLACE).stdout


def test_the_list_is_over_all_engines(here: LocalVertex, tuned: Tuned):
    listed = json.loads(run("list", *PLACE, "--format", "json").stdout)
    assert {(each["engine"], each["name"]) for each in listed} >= {
        ("custom_training", tuned.custom),
        ("vertex_tuning", tuned.managed),
        ("gemini_api", tuned.gemini),
    }
    table = run("list", *PLACE, "--engine", "vertex_tuning").stdout
    assert tuned.managed.rpartition("/")[2] in table
    assert "succeeded" in table
    assert tuned.gemini not in table


def test_a_bare_id_is_found_and_shown(here: LocalVertex, tuned: Tuned):
    shown = run("show", tuned.custom.rpartition("/")[2], *PLACE).stdout
    assert "SUCCEEDED" in shown
    assert "step 4/4  loss " in shown
    told = json.loads(run("show", tuned.managed.rpartition("/")[2], *PLACE, "--format", "json").stdout)
    assert told["engine"] == "vertex_tuning"
    assert "/models/" in told["result"]["model"]
    steps = json.loads(run("show", tuned.gemini, *PLACE, "--format", "json").stdout)["curve"]
    assert [row["step"] for row in steps] == [1, 2, 3, 4]
    assert all(row["/train_total_loss"] > 0 for row in steps)


def test_what_is_no_job_is_refused_with_the_way_to_find_one(here: LocalVertex, tuned: Tuned):
    assert "tuneline jobs list" in str(run("show", "123456", *PLACE, fails=errors.UsageError).exception)
    pipeline = "projects/p/locations/us-central1/pipelineJobs/1"
    assert "no tuning job" in str(run("watch", pipeline, *PLACE, fails=errors.UsageError).exception)


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    """A configuration that never comes: the trainer waits for it, which costs no work."""
    os.mkfifo(tmp_path / "pipe")
    return str(tmp_path / "pipe")


def test_a_running_job_is_cancelled_and_watching_it_ends_with_its_state(here: LocalVertex, tuned: Tuned, pipe: str):
    name = jobs.submit(jobs.engine("custom_training"), request(pipe)).name
    assert name.rpartition("/")[2] in run("list", *PLACE).stdout
    assert "nothing is billed" in run("cancel", name, *PLACE).stderr
    ended = run("watch", name, *PLACE, "--timeout", "60", fails=errors.JobFailed)
    assert "cancelled" in str(ended.exception)
    assert "has ended: cancelled" in run("cancel", name, *PLACE).stderr


def test_a_job_that_runs_on_is_left_alone_at_the_time_limit(here: LocalVertex, tuned: Tuned, pipe: str):
    """Made by another hand, so it is listed on demand alone; watching it ends with code 8 and without a cancel."""
    wanted = request(pipe)
    wanted.body["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"] += ["--output", f"{pipe}-output"]
    path = "/v1/projects/tuneline-local/locations/us-central1/customJobs"
    name = here.request("POST", path, {**wanted.body, "displayName": "theirs"})["name"]
    assert name.rpartition("/")[2] not in run("list", *PLACE).stdout
    assert name.rpartition("/")[2] in run("list", *PLACE, "--all").stdout
    late = run("watch", name, *PLACE, "--timeout", "0.5", fails=errors.StillRunning)
    assert late.exception.exit_code == 8
    assert "RUNNING" in run("show", name, *PLACE).stdout
    assert jobs.engine("custom_training").get(name).state.live
    run("cancel", name, *PLACE)


@pytest.mark.parametrize("more", [(), ("--stream",)])
def test_the_tuned_models_answer(here: LocalVertex, tuned: Tuned, more: tuple[str, ...]):
    greedy = ("--temperature", "0", "--max-tokens", "4")
    for name in (tuned.managed, tuned.gemini):
        answer = run("test", name, "7", *PLACE, *greedy, *more).stdout
        assert answer.strip()
        assert answer == run("test", name, "-", *PLACE, *greedy, *more, input="7").stdout


def test_sampling_reaches_the_model(here: LocalVertex, tuned: Tuned):
    """Drawn hot the answer is another one than the likeliest, but not from the likeliest token alone."""

    def answer(*sampling: str) -> str:
        return run("test", tuned.managed, "7", *PLACE, *sampling).stdout

    hot = ("--temperature", "3", "--max-tokens", "16")
    likeliest = answer("--temperature", "0", "--max-tokens", "16")
    assert answer(*hot) != likeliest
    assert answer(*hot, "--top-k", "1") == likeliest
    assert answer(*hot, "--top-p", "0.000001") == likeliest
    assert len(answer("--temperature", "3", "--max-tokens", "1")) < len(answer(*hot))


def test_a_model_answers_through_its_endpoint_or_says_that_it_has_none(here: LocalVertex, tuned: Tuned):
    result = jobs.engine("custom_training").result(tuned.custom)
    model = registry.upload(
        registry.Upload(
            project="tuneline-local",
            location="us-central1",
            display_name="numbers",
            artifact_uri=str(result["checkpoints"][-1]["uri"]),
            serving_image="us-docker.pkg.dev/theirs/serve:1",
            base_model="builtin:tiny",
            base_label="tiny",
        )
    )
    assert "not deployed" in str(run("test", model.name, "7", *PLACE, fails=errors.UsageError).exception)
    assert "serves nothing" in str(run("test", tuned.custom, "7", *PLACE, fails=errors.UsageError).exception)
    endpoint = registry.deploy(registry.Deployment(model=model.name, display_name="numbers"))
    said = json.loads(run("test", model.name, "7", *PLACE, "--max-tokens", "4", "--format", "json").stdout)
    assert said["target"] == endpoint.name
    assert said["answer"]
    streamed = run("test", endpoint.name, "7", *PLACE, "--stream", fails=errors.UsageError)
    assert "`predict` alone" in str(streamed.exception)


def test_a_job_is_found_with_nothing_but_local(
    tuned: Tuned, local_vertex: LocalVertex, vertex_environment: LocalVertex
):
    shown = run("show", tuned.managed.rpartition("/")[2], "--local", "--data", str(local_vertex.data)).stdout
    assert "vertex_tuning" in shown


def test_endpoints_of_other_checkpoints_are_cleaned_away_and_the_default_one_stays(
    tuned: Tuned, tmp_path: Path
) -> None:
    """Each checkpoint has an endpoint of its own; the tuned model goes on answering at its default one."""
    made = json.loads(run("show", tuned.managed, *PLACE, "--format", "json").stdout)["result"]
    endpoints = {each["endpoint"] for each in made["checkpoints"]}
    assert made["endpoint"] in endpoints
    assert len(endpoints) > 1
    words = ["clean", "--staging", str(tmp_path), "--older-than", "0s", "--endpoints", *PLACE, "--format", "json"]
    done = CliRunner().invoke(cli, words)
    assert set(json.loads(done.stdout)["endpoints"]) == endpoints - {made["endpoint"]}
    assert CliRunner().invoke(cli, [*words, "--yes"]).exit_code == 0
    assert json.loads(CliRunner().invoke(cli, words).stdout)["endpoints"] == []
    assert run("test", tuned.managed, "7", *PLACE, "--max-tokens", "2").stdout.strip()
