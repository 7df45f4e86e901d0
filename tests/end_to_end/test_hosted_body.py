"""A body written for the hosted tune-large-model is accepted as it is, and refused with every reason at once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Datasets, custom_jobs, pipeline_jobs, tuneline, wait_until
from tuneline.testing import LocalVertex

HOSTED = "https://us-kfp.pkg.dev/ml-pipeline/large-language-model-pipelines/tune-large-model/v3.0.0"
PARENT = "/v1/projects/my-project/locations/europe-west4/pipelineJobs"


def body(**more: object) -> dict[str, object]:
    """As the documentation has it: the interval and the flag quoted, the multiplier a whole number."""
    parameters = {
        "project": "my-project",
        "model_display_name": "my-model",
        "location": "us-central1",
        "large_model_reference": "text-bison@002",
        "train_steps": 20,
        "learning_rate_multiplier": 1,
        "dataset_uri": "gs://my-bucket/train.jsonl",
        "evaluation_data_uri": "gs://my-bucket/evaluation.jsonl",
        "evaluation_interval": "10",
        "enable_early_stopping": "true",
        "enable_checkpoint_selection": "true",
        "accelerator_type": "TPU",
        **more,
    }
    return {
        "displayName": "tune",
        "runtimeConfig": {"gcsOutputDirectory": "gs://my-bucket/output", "parameterValues": parameters},
        "templateUri": HOSTED,
    }


def curl(service: LocalVertex, file: Path, text: str, *, by_host: bool) -> tuple[int, dict]:
    """The documentation's own command; `by_host`: to Google's address, redirected by environment alone."""
    file.write_text(text)
    query = "?pipelineJobId=" + file.stem
    host = "https://europe-west4-aiplatform.googleapis.com" if by_host else service.url
    command = ["curl", "-sS", "-X", "POST", "-H", "Authorization: Bearer token", "-w", "\n%{http_code}"]
    command += [
        "-H",
        "Content-Type: application/json; charset=utf-8",
        "--data-binary",
        f"@{file}",
        host + PARENT + query,
    ]
    done = subprocess.run(command, env=service.environment(), capture_output=True, text=True, timeout=60, check=True)
    answer, code = done.stdout.rsplit("\n", 1)
    return int(code), json.loads(answer)


@pytest.fixture
def bucket(local_vertex: LocalVertex, datasets: Datasets) -> str:
    buckets = local_vertex.request("GET", "/storage/v1/b?project=my-project").get("items", [])
    if "my-bucket" not in [item["name"] for item in buckets]:
        local_vertex.request("POST", "/storage/v1/b?project=my-project", {"name": "my-bucket"})
    for name, path in (("train", datasets.train), ("evaluation", datasets.evaluation)):
        address = f"/upload/storage/v1/b/my-bucket/o?uploadType=media&name={name}.jsonl"
        local_vertex.request("POST", address, path.read_bytes())
    return "my-bucket"


def test_it_is_accepted_says_what_it_serves_and_runs(local_vertex: LocalVertex, bucket: str, tmp_path: Path):
    code, job = curl(local_vertex, tmp_path / "tune-large-model-20261121000001.json", json.dumps(body()), by_host=True)
    assert code == 200, job
    assert job["name"].endswith("/tune-large-model-20261121000001")
    assert "tuneline" in json.dumps(job.get("labels", {})) + json.dumps(job.get("templateMetadata", {}))
    assert job["pipelineSpec"]["pipelineInfo"]["name"] == "tune-large-model"
    ended = ("PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED")

    def end() -> dict | None:
        now = local_vertex.request("GET", "/v1/" + job["name"])
        return now if now["state"] in ended else None

    done = wait_until(end, timeout_s=240, what="the run's end")
    assert done["state"] == "PIPELINE_STATE_SUCCEEDED", done.get("error")
    # Tuned where the accelerator says, uploaded where `location` says.
    path = "/v1/projects/my-project/locations/{}"
    assert len(local_vertex.request("GET", path.format("europe-west4") + "/customJobs")["customJobs"]) == 1
    models = local_vertex.request("GET", path.format("us-central1") + "/models")["models"]
    assert models[0]["labels"]["google-vertex-llm-tuning-base-model-id"] == "text-bison-002"


def test_the_command_line_posts_to_the_hosted_address_once(local_vertex: LocalVertex, bucket: str, tmp_path: Path):
    """The same id and request again is the same job, and what is run in the hosted template's place is said."""
    parameters = body()["runtimeConfig"]["parameterValues"]
    pairs = [word for name, value in parameters.items() for word in ("--set", f"{name}={value}")]
    place = ["--local", "--region", "europe-west4", "--root", "gs://my-bucket/output", "--template-uri", HOSTED]
    words = ["submit", "tune-large-model", *pairs, *place, "--job-id", "hosted-once"]
    made, again = (tuneline(local_vertex, *words, cwd=tmp_path) for _ in range(2))
    assert (made.returncode, again.returncode) == (0, 0), made.stderr + again.stderr
    assert made.stdout == again.stdout
    assert made.stdout.strip().endswith("/pipelineJobs/hosted-once")
    assert f"template tune-large-model stands in for {HOSTED}" in made.stderr
    job = local_vertex.request("GET", "/v1/" + made.stdout.strip())
    assert job["templateUri"] == HOSTED
    assert job["runtimeConfig"]["parameterValues"]["train_steps"] == 20
    other = tuneline(local_vertex, *words, "--set", "train_steps=30", cwd=tmp_path)
    assert other.returncode == 2
    assert "hosted-once is the job of another request" in other.stderr
    tuneline(local_vertex, "runs", "cancel", made.stdout.strip(), "--local", cwd=tmp_path)


def test_the_command_line_refuses_what_the_hosted_template_does_not_know(local_vertex: LocalVertex, tmp_path: Path):
    """Every parameter of ours by name; and a cost limit, since nobody knows what the hosted template costs."""
    parameters = body()["runtimeConfig"]["parameterValues"]
    pairs = [word for name, value in parameters.items() for word in ("--set", f"{name}={value}")]
    words = ["submit", "tune-large-model", *pairs, "--template-uri", HOSTED, "--region", "us-central1"]
    real = [*words, "--project", "my-project", "--root", "gs://my-bucket"]
    ours = ["--set", "provisioning=spot", "--set", "labels.team=ml"]
    done = tuneline(local_vertex, *real, *ours, cwd=tmp_path)
    assert done.returncode == 2
    for text in ("provisioning", "labels", "the hosted template does not know it", "shut down 2025-04-09", "qwen3-8b"):
        assert text in done.stderr, text
    done = tuneline(local_vertex, *words, "--local", *ours, cwd=tmp_path)
    assert done.returncode == 2
    assert "shut down" not in done.stderr


def test_a_misspelt_key_is_refused_by_name(local_vertex: LocalVertex, bucket: str, tmp_path: Path):
    wrong = body(**{"evaluation_data_uri:": "gs://my-bucket/evaluation.jsonl"})
    before = len(local_vertex.calls("CreateCustomJob"))
    code, answer = curl(local_vertex, tmp_path / "misspelt.json", json.dumps(wrong), by_host=False)
    assert code == 400
    assert "evaluation_data_uri:" in answer["error"]["message"]
    assert "did you mean" in answer["error"]["message"]
    assert len(local_vertex.calls("CreateCustomJob")) == before


def test_a_body_that_is_not_strict_json_is_told_line_column_and_fix(local_vertex: LocalVertex, tmp_path: Path):
    text = json.dumps(body(), indent=2).replace('},\n  "templateUri"', '}\n  "templateUri"')
    line = next(number for number, each in enumerate(text.splitlines(), start=1) if "templateUri" in each) - 1
    code, answer = curl(local_vertex, tmp_path / "comma.json", text, by_host=False)
    assert code == 400
    assert f"line {line}" in answer["error"]["message"]
    assert "comma" in answer["error"]["message"]


def test_every_violation_comes_in_one_message_and_no_job_is_made(fresh_vertex: LocalVertex, tmp_path: Path):
    words = {
        "model_display_name": "",
        "large_model_reference": "text-bizon@002",
        "dataset_uri": "gs://tuneline-local/nothing.jsonl",
        "accelerator_type": "CPU",
        "location": "us-centra1",
        "evaluation_interval": 5,
        "encryption_spec_key_name": "my-key",
        "train_step": 100,
    }
    pairs = [word for name, value in words.items() for word in ("--set", f"{name}={value}")]
    done = tuneline(fresh_vertex, "run", "tune-large-model", "--local", *pairs, cwd=tmp_path)
    assert done.returncode == 2
    for text in ("model_display_name", "text-bison@002", "GPU", "us-central1", "evaluation_interval", "keyRings"):
        assert text in done.stderr, text
    assert "did you mean train_steps" in done.stderr.replace("`", "")
    assert not fresh_vertex.calls("CreatePipelineJob")
    assert not custom_jobs(fresh_vertex)


def test_bad_data_ends_the_run_with_the_code_of_data_and_no_job(
    fresh_vertex: LocalVertex, datasets: Datasets, tmp_path: Path
):
    """What only the data shows: an evaluation set that is too small, and a training set of the other family."""
    (tmp_path / "few.jsonl").write_text("".join(datasets.evaluation.read_text().splitlines(keepends=True)[:3]))
    chat = {"messages": [{"author": "user", "content": "a"}, {"author": "assistant", "content": "b"}]}
    (tmp_path / "chat.jsonl").write_text((json.dumps(chat) + "\n") * 20)
    parameters = datasets.parameters(evaluation_data_uri="few.jsonl", dataset_uri="chat.jsonl")
    pairs = [word for name, value in parameters.items() for word in ("--set", f"{name}={value}")]
    done = tuneline(fresh_vertex, "run", "tune-large-model", "--local", *pairs, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "10 to 250" in done.stderr
    assert "tune-large-chat-model" in done.stderr or "chat" in done.stderr
    assert len(pipeline_jobs(fresh_vertex)) == 1
    assert not fresh_vertex.calls("CreateCustomJob")
    page = next(tmp_path.glob("runs/*/report.html")).read_text()
    assert "10 to 250" in page
