"""tune-gemini and tune-gemini-api end with a tuned, tested model: by the command line, and by Google's own SDK."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import NUMBERS, Datasets, assignments, tuneline, wait_until
from tuneline.testing import LocalVertex

COMPILED = Path("compiled/pipelines").resolve()
PARENT = "/v1/projects/tuneline-local/locations/us-central1"


@dataclass(frozen=True)
class GeminiData:
    """The small next-number sets in the format of tuning jobs."""

    train: Path
    evaluation: Path
    test: Path

    def parameters(self, **more: Any) -> dict[str, Any]:
        """A request for two epochs, a checkpoint each."""
        return {
            "tuned_model_display_name": "small-gemini",
            "base_model": "gemini-2.5-flash",
            "training_dataset_uri": str(self.train),
            "validation_dataset_uri": str(self.evaluation),
            "test_data_uri": str(self.test),
            "epoch_count": 2,
            **more,
        }


@pytest.fixture(scope="module")
def gemini(tmp_path_factory: pytest.TempPathFactory) -> GeminiData:
    folder = tmp_path_factory.mktemp("gemini")
    for name, count in (("train", 40), ("evaluation", 10), ("test", 10)):
        lines = (NUMBERS.parent / "gemini" / f"{name}.jsonl").read_text().splitlines(keepends=True)
        (folder / f"{name}.jsonl").write_text("".join(lines[:count]))
    return GeminiData(folder / "train.jsonl", folder / "evaluation.jsonl", folder / "test.jsonl")


def report_of(folder: Path) -> dict[str, Any]:
    """The report of the one run that was started from a folder, from beside its page on the service."""
    (page,) = folder.glob("runs/*/report.html")
    return {"job": page.parent.name, "page": page.read_text()}


def run(service: LocalVertex, template: str, parameters: dict[str, Any], cwd: Path) -> dict[str, Any]:
    """The JSON report of a run by the command line."""
    cwd.mkdir()
    done = tuneline(service, "run", template, "--local", *assignments(parameters), cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert "stand-in" in done.stdout
    told = report_of(cwd)
    name = f"pipeline_root/{told['job']}/run/report.json".replace("/", "%2F")
    return service.request("GET", f"/storage/v1/b/tuneline-local/o/{name}?alt=media") | {"page": told["page"]}


def jobs(service: LocalVertex, *arguments: str, cwd: Path, fails: int = 0) -> str:
    """What `tuneline jobs` says on the local service."""
    done = tuneline(service, "jobs", *arguments, "--local", cwd=cwd)
    assert done.returncode == fails, done.stderr
    return done.stdout + done.stderr


def test_the_command_line_tunes_gemini_and_leads_its_life(
    local_vertex: LocalVertex, gemini: GeminiData, tmp_path: Path
):
    """A job, its checkpoints' answers, the default, the scores; then list, show, test, and no delete."""
    made = len(local_vertex.calls("CreateTuningJob"))
    report = run(local_vertex, "tune-gemini", gemini.parameters(), tmp_path / "run")
    assert len(local_vertex.calls("CreateTuningJob")) == made + 1
    chosen, scores = report["checkpoint"], report["evaluation"]
    assert [each["n"] for each in chosen["scores"]] == [10, 10]
    assert chosen["selection"] == "evaluation"
    assert (scores["data"], scores["n"]) == ("test", 10)
    assert {score["metric"] for score in scores["scores"]} >= {"exact_match", "rouge_l"}
    model = local_vertex.request("GET", f"/v1beta1/{report['model']}")
    assert model["defaultCheckpointId"] == chosen["checkpoint_id"]
    assert report["endpoint"] == chosen["endpoint"]
    evaluated = [step for step, _ in report["curves"]["eval_loss"]]
    assert evaluated == [0, *(each["step"] for each in chosen["scores"])]
    assert "<svg" in report["page"]

    job = report["submission"]["name"]
    identifier = job.rpartition("/")[2]
    assert identifier in jobs(local_vertex, "list", "--engine", "vertex_tuning", cwd=tmp_path)
    shown = jobs(local_vertex, "show", identifier, "--format", "json", cwd=tmp_path)
    told = json.loads(shown)
    assert (told["state"], len(told["result"]["checkpoints"])) == ("SUCCEEDED", 2)
    sampling = ("--temperature", "0", "--top-p", "0.9", "--top-k", "5", "--max-tokens", "8", "--stream")
    assert jobs(local_vertex, "test", chosen["endpoint"], "22", *sampling, cwd=tmp_path).strip()
    assert "cannot be deleted" in jobs(local_vertex, "delete", identifier, cwd=tmp_path, fails=2)
    assert "has ended" in jobs(local_vertex, "cancel", identifier, cwd=tmp_path)


@pytest.mark.slow
def test_the_same_request_again_costs_neither_job_nor_answer(
    local_vertex: LocalVertex, gemini: GeminiData, tmp_path: Path
):
    """The job is adopted and the predictions are found; with `force` both are made anew."""
    parameters = gemini.parameters(epoch_count=1, export_last_checkpoint_only=True, adapter_size=2)
    first = run(local_vertex, "tune-gemini", parameters, tmp_path / "first")
    assert "the job kept no other" in first["checkpoint"]["reason"]
    counted = [len(local_vertex.calls(name)) for name in ("CreateTuningJob", "GenerateContent")]
    again = run(local_vertex, "tune-gemini", parameters, tmp_path / "again")
    assert again["submission"]["adopted"]
    assert (again["model"], again["evaluation"]) == (first["model"], first["evaluation"])
    assert [len(local_vertex.calls(name)) for name in ("CreateTuningJob", "GenerateContent")] == counted
    forced = run(local_vertex, "tune-gemini", parameters | {"force": True}, tmp_path / "forced")
    assert forced["model"] != first["model"]


@pytest.mark.slow
def test_a_tuned_model_is_tuned_further_on_preferences(local_vertex: LocalVertex, gemini: GeminiData, tmp_path: Path):
    """From the checkpoint that was chosen, over pairs; the base of the scores is the model that it went on from."""
    first = run(local_vertex, "tune-gemini", gemini.parameters(epoch_count=1), tmp_path / "first")
    pairs = tmp_path / "pairs.jsonl"
    rows = [json.loads(line) for line in gemini.train.read_text().splitlines()]
    scored = [
        {
            "contents": row["contents"][:1],
            "completions": [
                {"completion": row["contents"][1], "score": 1},
                {"completion": {"role": "model", "parts": [{"text": "no idea"}]}, "score": 0},
            ],
        }
        for row in rows
    ]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in scored[:30]))
    test = tmp_path / "test.jsonl"
    test.write_text("".join(json.dumps(row) + "\n" for row in scored[30:]))
    parameters = {
        "tuned_model_display_name": "preferred",
        "base_model": first["model"],
        "checkpoint_id": first["checkpoint"]["checkpoint_id"],
        "training_dataset_uri": str(pairs),
        "test_data_uri": str(test),
        "epoch_count": 1,
        "preference_tuning": True,
        "beta": 0.2,
    }
    before = len(local_vertex.calls("GenerateContent"))
    report = run(local_vertex, "tune-gemini", parameters, tmp_path / "further")
    job = local_vertex.request("GET", f"/v1beta1/{report['submission']['name']}")
    assert job["preTunedModel"]["tunedModelName"].partition("@")[0] == first["model"]
    assert job["preTunedModel"]["checkpointId"] == first["checkpoint"]["checkpoint_id"]
    assert job["preferenceOptimizationSpec"]["hyperParameters"]["beta"] == 0.2
    assert report["evaluation"]["n"] == 10
    asked = {call["resource"] for call in local_vertex.calls("GenerateContent")[before:]}
    assert asked == {first["endpoint"], report["endpoint"]}


@pytest.mark.slow
def test_the_command_line_tunes_a_model_of_the_developer_api(
    local_vertex: LocalVertex, datasets: Datasets, tmp_path: Path
):
    """Pairs in another format are converted; the loss curve is drawn; then show, test, update and delete."""
    parameters = {
        "tuned_model_display_name": "small-api",
        "tuned_model_id": "small-api",
        "base_model": "gemini-1.5-flash-001-tuning",
        "dataset_uri": str(datasets.train),
        "test_data_uri": str(datasets.test),
        "epoch_count": 2,
        "batch_size": 8,
        "learning_rate_multiplier": 1.5,
    }
    report = run(local_vertex, "tune-gemini-api", parameters, tmp_path / "run")
    assert report["model"] == "tunedModels/small-api"
    assert report["curves"]["train_loss"]
    assert "the API keeps no other" in report["checkpoint"]["reason"]
    assert report["evaluation"]["n"] == 12
    model = local_vertex.request("GET", "/v1beta/tunedModels/small-api")
    assert model["tuningTask"]["hyperparameters"] == {
        "learningRateMultiplier": 1.5,
        "epochCount": 2,
        "batchSize": 8,
    }
    assert "small-api" in jobs(local_vertex, "list", "--engine", "gemini_api", cwd=tmp_path)
    assert "loss" in jobs(local_vertex, "show", "small-api", cwd=tmp_path)
    assert jobs(local_vertex, "test", "tunedModels/small-api", "22", "--max-tokens", "8", cwd=tmp_path).strip()
    jobs(local_vertex, "update", "small-api", "--display-name", "renamed", cwd=tmp_path)
    assert local_vertex.request("GET", "/v1beta/tunedModels/small-api")["displayName"] == "renamed"
    jobs(local_vertex, "delete", "small-api", cwd=tmp_path)
    assert "small-api" not in jobs(local_vertex, "list", "--engine", "gemini_api", cwd=tmp_path)


@pytest.mark.slow
def test_a_tuning_that_is_cut_short_is_cancelled_at_the_service(
    local_vertex: LocalVertex, datasets: Datasets, gemini: GeminiData, tmp_path: Path
):
    """By the command line: a TuningJob ends cancelled; a tuned model by its operation, and what is left has failed."""
    address = "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=cancel/train.jsonl"
    local_vertex.request("POST", address, gemini.train.read_bytes())
    spec = {"trainingDatasetUri": "gs://tuneline-local/cancel/train.jsonl", "hyperParameters": {"epochCount": "400"}}
    asked = {"baseModel": "gemini-2.5-flash", "supervisedTuningSpec": spec}
    job = local_vertex.request("POST", f"{PARENT}/tuningJobs", asked)["name"]
    lines = [json.loads(line) for line in datasets.train.read_text().splitlines()]
    examples = [{"textInput": row["input_text"], "output": row["output_text"]} for row in lines]
    body = {
        "baseModel": "models/gemini-1.5-flash-001-tuning",
        "tuningTask": {
            "hyperparameters": {"epochCount": 400},
            "trainingData": {"examples": {"examples": examples}},
        },
    }
    local_vertex.request("POST", "/v1beta/tunedModels?tunedModelId=too-long", body)
    for name in (job.rpartition("/")[2], "tunedModels/too-long"):
        assert "cancelling" in jobs(local_vertex, "cancel", name, cwd=tmp_path)

    def ended() -> bool:
        states = (
            local_vertex.request("GET", f"/{name}")["state"] for name in (f"v1/{job}", "v1beta/tunedModels/too-long")
        )
        return list(states) == ["JOB_STATE_CANCELLED", "FAILED"]

    wait_until(ended, what="the end of both tunings")


SDK_SCRIPT = """
    import json, sys
    from google.cloud import aiplatform, storage

    template, files, parameters = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
    bucket = storage.Client().bucket("tuneline-local")
    for name, path in files.items():
        bucket.blob(f"sdk/{name}.jsonl").upload_from_filename(path)
        parameters[name] = f"gs://tuneline-local/sdk/{name}.jsonl"
    job = aiplatform.PipelineJob(
        display_name="by-the-sdk", template_path=template, pipeline_root="gs://tuneline-local/sdk-root",
        project="tuneline-local", location="us-central1", parameter_values=parameters)
    job.submit()
    job.wait()
    from google import genai
    client = genai.Client(vertexai=True, project="tuneline-local", location="us-central1")
    details = {task.task_name: task for task in job.task_details}
    endpoint = dict(details["deploy-model"].execution.metadata)["output:endpoint_resource_name"]
    said = client.models.generate_content(model=endpoint, contents="22")
    print(json.dumps({"state": job.state.name, "endpoint": endpoint, "said": said.text}))
"""


@pytest.mark.slow
def test_googles_sdk_submits_it_and_its_other_client_asks_the_model(
    local_vertex: LocalVertex, gemini: GeminiData, tmp_path: Path
):
    """The compiled template, unedited; the tuned model answers google-genai."""
    script = tmp_path / "submit.py"
    script.write_text(textwrap.dedent(SDK_SCRIPT))
    parameters = gemini.parameters(project="tuneline-local", learning_rate_multiplier=1.5)
    files = {name: parameters.pop(name) for name in ("training_dataset_uri", "validation_dataset_uri", "test_data_uri")}
    command = (str(COMPILED / "tune_gemini.yaml"), json.dumps(files), json.dumps(parameters))
    done = tuneline(local_vertex, "local", "run", "--", sys.executable, str(script), *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["state"] == "PIPELINE_STATE_SUCCEEDED"
    assert answer["said"]
