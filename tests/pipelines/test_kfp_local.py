"""The compiled YAML, unedited, runs from end to end under kfp.local against the local service."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuneline import objects
from tuneline.runs.records import STEPS

DATA = Path(__file__).resolve().parents[2] / "examples" / "data" / "numbers"
COMPILED = Path(__file__).resolve().parents[2] / "compiled"

ROWS = 30
"""Of the test set: few, since generating is what takes long."""

RUNNER = """
import json, sys
from kfp import components, local
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[1])
component = components.load_component_from_file(sys.argv[2])
task = component(**json.loads(sys.argv[3]))
outputs = {name: getattr(value, "metadata", value) for name, value in task.outputs.items()}
print("OUTPUTS=" + json.dumps(outputs))
"""


def run_local(vertex, root: Path, file: Path, arguments: dict) -> tuple[int, str]:
    """Runs a compiled file as a user of kfp would, against the service: its exit code, and all it said."""
    environment = vertex.environment()
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    ran = subprocess.run(
        [sys.executable, "-c", RUNNER, str(root), str(file), json.dumps(arguments)],
        env=environment,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    return ran.returncode, ran.stdout


def request(**changes) -> dict:
    """A small run on the sample numbers, uploaded where the service keeps objects."""
    uris = {}
    for name, rows in {"train": 200, "evaluation": 40, "test": ROWS}.items():
        uris[name] = f"gs://tuneline-local/sample/{name}.jsonl"
        lines = (DATA / f"{name}.jsonl").read_bytes().splitlines(keepends=True)
        objects.write_bytes(uris[name], b"".join(lines[:rows]))
    return {
        "project": "tuneline-local",
        "model_display_name": "numbers",
        "large_model_reference": "gemma-3-1b-it",
        "dataset_uri": uris["train"],
        "evaluation_data_uri": uris["evaluation"],
        "test_data_uri": uris["test"],
        "train_steps": 60,
        "evaluation_interval": 20,
        **changes,
    }


def run_folder(root: Path) -> Path:
    (folder,) = root.glob("*/run")
    return folder


def record(root: Path, step: str) -> dict:
    return json.loads((run_folder(root) / f"{step}.json").read_text())


def test_the_submitted_pipeline_tunes_and_reports(vertex_environment, tmp_path):
    code, said = run_local(
        vertex_environment, tmp_path, COMPILED / "pipelines" / "tune_large_model.yaml", request(deploy_model=True)
    )
    assert code == 0, said[-4000:]
    folder = run_folder(tmp_path)
    records = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    report = records.pop("report")
    assert {record["state"] for record in records.values()} == {"succeeded"}
    assert set(records) == {*STEPS, "report_run"}

    assert report["state"] == "succeeded"
    assert report["curves"]["train_loss"]
    assert report["samples"]
    page = (folder / "report.html").read_text()
    assert report["checkpoint"]["reason"].split(":")[0] in page

    model = vertex_environment.request("GET", f"/v1/{report['model']}")
    assert model["labels"]["google-vertex-llm-tuning-base-model-id"] == "gemma-3-1b-it"
    assert model["artifactUri"] == report["checkpoint"]["uri"]
    assert objects.exists(f"{model['artifactUri']}/adapter_model.safetensors")
    endpoint = vertex_environment.request("GET", f"/v1/{report['endpoint']}")
    assert endpoint["deployedModels"][0]["model"] == report["model"]
    job = vertex_environment.request("GET", f"/v1/{records['submit_tuning_job']['result']['job']}")
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    scores = {score["metric"]: score for score in report["evaluation"]["scores"]}
    assert scores["token_accuracy"]["n"] == ROWS
    assert scores["loss"]["tuned"] < scores["loss"]["base"]


def test_the_core_hands_out_the_model_and_its_scores(vertex_environment, tmp_path):
    """What the submitted pipeline has tuned for the same request is adopted: nothing is trained twice."""
    code, said = run_local(
        vertex_environment, tmp_path, COMPILED / "pipelines" / "tune_large_model_core.yaml", request()
    )
    assert code == 0, said[-4000:]
    outputs = json.loads(said.rsplit("OUTPUTS=", 1)[1].splitlines()[0])
    assert outputs["endpoint_resource_name"] == ""
    assert outputs["model"]["resourceName"] == outputs["model_resource_name"]
    assert outputs["metrics"]["n"] == ROWS
    assert outputs["model_resource_name"] == record(tmp_path, "upload_model")["result"]["model_resource_name"]


def test_a_refused_request_says_everything_in_the_report_and_makes_no_job(fresh_vertex, tmp_path, monkeypatch):
    for name, value in fresh_vertex.environment().items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "root"
    root.mkdir()
    arguments = request(
        accelerator_type="GPUS",
        location="us-centra1",
        evaluation_data_uri="gs://tuneline-local/sample/none.jsonl",
    )
    code, _ = run_local(fresh_vertex, root, COMPILED / "pipelines" / "tune_large_model.yaml", arguments)
    assert code != 0
    report = json.loads((run_folder(root) / "report.json").read_text())
    assert report["state"] == "failed"
    assert report["error"]["step"] == "plan_tuning"
    assert {"accelerator_type", "location", "evaluation_data_uri"} <= {
        problem["where"] for problem in report["error"]["problems"]
    }
    page = (run_folder(root) / "report.html").read_text()
    assert "did you mean us-central1" in page
    assert fresh_vertex.calls("CreateCustomJob") == []


@pytest.mark.parametrize("name", ["validate_dataset", "deploy_model"])
def test_a_single_component_runs_on_its_own(name, vertex_environment, tmp_path):
    """As one that composes a pipeline of its own would call it; the run's name comes from the caller."""
    arguments = {"pipeline_root": str(tmp_path), "pipeline_job_name": "mine"}
    if name == "validate_dataset":
        arguments |= {"dataset_uri": request()["dataset_uri"], "large_model_reference": "code-bison@002"}
    else:
        arguments |= {"plan": json.dumps(plan()), "model_resource_name": "projects/p/locations/l/models/m"}
    code, said = run_local(vertex_environment, tmp_path, COMPILED / "components" / f"{name}.yaml", arguments)
    assert code == 0, said[-4000:]
    assert record(tmp_path, name)["state"] == "succeeded"


def plan() -> dict:
    from tuneline import planning
    from tuneline.steps.validate_dataset import facts

    arguments = request()
    return planning.plan(arguments, facts(arguments), region="us-central1").to_dict()
