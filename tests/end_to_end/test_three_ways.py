"""One compiled YAML, unedited, runs by the command line, by kfp.local and by Google's own SDK, to the same end."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

from tests.end_to_end.conftest import COMPILED, Datasets, assignments, custom_jobs, pipeline_jobs, tuneline
from tuneline.testing import LocalVertex

SDK_SCRIPT = """
    import json, sys
    from google.cloud import aiplatform, storage

    template, files, parameters = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
    bucket = storage.Client().create_bucket("sdk-bucket", location="us-central1")
    for name, path in files.items():
        bucket.blob(f"data/{name}.jsonl").upload_from_filename(path)
        parameters[name] = f"gs://sdk-bucket/data/{name}.jsonl"
    job = aiplatform.PipelineJob(
        display_name="by-the-sdk", template_path=template, pipeline_root="gs://sdk-bucket/root",
        project="my-project", location="us-central1", parameter_values=parameters)
    job.submit()
    job.wait()
    details = {task.task_name: task for task in job.task_details}
    model = dict(details["upload-model"].execution.metadata)["output:model_resource_name"]
    answer = {"state": job.state.name, "model": model, "display_name": aiplatform.Model(model).display_name}
    print(json.dumps(answer))
"""

KFP_SCRIPT = """
    import json, sys
    from kfp import components, local

    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[3])
    pipeline = components.load_component_from_file(sys.argv[1])
    pipeline(**json.loads(sys.argv[2]))
"""


def test_the_command_line_runs_it(local_vertex: LocalVertex, datasets: Datasets, tmp_path: Path):
    words = assignments(datasets.parameters(seed=1))
    done = tuneline(local_vertex, "run", "tune-large-model", "--local", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "exact match" in done.stdout
    assert "stand-in" in done.stdout
    page = next(tmp_path.glob("runs/*/report.html")).read_text()
    assert "<svg" in page


def test_googles_sdk_submits_and_waits_for_it(local_vertex: LocalVertex, datasets: Datasets, tmp_path: Path):
    script = tmp_path / "submit.py"
    script.write_text(textwrap.dedent(SDK_SCRIPT))
    parameters = datasets.parameters(seed=2, project="my-project")
    names = ("dataset_uri", "evaluation_data_uri", "test_data_uri")
    files = {name: parameters.pop(name) for name in names}
    command = (str(COMPILED), json.dumps(files), json.dumps(parameters))
    done = tuneline(local_vertex, "local", "run", "--", sys.executable, str(script), *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["state"] == "PIPELINE_STATE_SUCCEEDED"
    assert answer["model"].startswith("projects/")
    assert answer["display_name"] == "small"


def test_kfp_local_runs_it(local_vertex: LocalVertex, datasets: Datasets, tmp_path: Path):
    before = len(custom_jobs(local_vertex)), len(pipeline_jobs(local_vertex))
    script = tmp_path / "local.py"
    script.write_text(textwrap.dedent(KFP_SCRIPT))
    parameters = datasets.parameters(seed=3, project="tuneline-local")
    command = (str(COMPILED), json.dumps(parameters), str(tmp_path / "root"))
    done = tuneline(local_vertex, "local", "run", "--", sys.executable, str(script), *command, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    report = json.loads(next(tmp_path.glob("root/*/run/report.json")).read_text())
    assert report["state"] == "succeeded"
    assert report["model"]
    # The tuning job ran on the local service; the pipeline did not.
    assert (len(custom_jobs(local_vertex)), len(pipeline_jobs(local_vertex))) == (before[0] + 1, before[1])
