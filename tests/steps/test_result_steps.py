"""From a finished job: the checkpoint is chosen and explained, the scores are of rows that say whose they are."""

import html
import json
from pathlib import Path

import pytest

from tests.checkpoints.outputs import write_metrics, write_output
from tests.steps.conftest import make_plan
from tuneline.steps import evaluate_model, report_run, select_checkpoint

ROWS = {
    20: [(8.0, 4, 1)] * 20,
    40: [(2.0, 4, 3 + i % 2) for i in range(20)],
    60: [(1.8, 4, 3 + (i + 1) % 2) for i in range(20)],
}
BASE = [(12.0, 4, i % 2) for i in range(20)]


@pytest.fixture
def job(tmp_path):
    """The output folder of a job that made predictions of its base and of step 40."""
    folder = tmp_path / "output"
    uri = write_output(folder, ROWS, base=BASE)
    write_metrics(
        folder,
        [
            {"step": 20, "/train_total_loss": 2.0, "/eval_total_loss": 2.0},
            {"step": 40, "/train_total_loss": 0.6, "/eval_total_loss": 0.5},
        ],
    )
    for name, right in (("base", False), ("step-000040", True)):
        write_predictions(folder / "predictions" / f"{name}.jsonl", right)
    result = json.loads((folder / "result.json").read_text())
    result["base"]["predictions"] = str(folder / "predictions" / "base.jsonl")
    result["checkpoints"][1]["predictions"] = str(folder / "predictions" / "step-000040.jsonl")
    (folder / "result.json").write_text(json.dumps(result))
    return uri


def write_predictions(path: Path, right: bool) -> None:
    path.parent.mkdir(exist_ok=True)
    rows = (
        {
            "index": i,
            "input": f"after {i}",
            "expected": str(i + 1),
            "prediction": str(i + 1) if right else "?",
            "loss": 1.0,
            "tokens": 2,
            "correct": 2 if right else 0,
            "finish": "stop" if i else "length",
        }
        for i in range(15)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def select(run, plan, job):
    metrics, curves = run.artifact("metrics"), run.artifact("curves.html")
    outputs = select_checkpoint.run(
        plan=json.dumps(plan.to_dict()),
        result=json.dumps({"output_uri": job}),
        metrics=metrics,
        curves=curves,
        **run.common,
    )
    return outputs.checkpoint, metrics, curves


def evaluate(run, plan, job, checkpoint):
    metrics = run.artifact("metrics")
    outputs = evaluate_model.run(
        plan=json.dumps(plan.to_dict()),
        result=json.dumps({"output_uri": job}),
        checkpoint=checkpoint,
        model_resource_name="projects/p/locations/us-central1/models/m",
        metrics=metrics,
        **run.common,
    )
    return json.loads(outputs.evaluation), metrics


def test_the_choice_its_reason_and_the_curves_are_in_outputs_record_and_page(run, tmp_path, local, job):
    checkpoint, metrics, curves = select(run, make_plan(tmp_path / "data"), job)
    chosen = json.loads(checkpoint)
    assert chosen["step"] == 40
    assert chosen["uri"].endswith("/checkpoints/step-000040")
    assert len(checkpoint) < 4_000
    assert metrics.metadata["evaluation_token_accuracy"] == pytest.approx(0.875)
    assert metrics.metadata["base_evaluation_token_accuracy"] == pytest.approx(0.125)
    assert html.escape(chosen["reason"]) in Path(curves.uri).read_text()
    record = run.record("select_checkpoint")["result"]
    assert record["checkpoint"] == chosen
    assert record["curves"]["train_loss"] == [[20, 2.0], [40, 0.6]]


def test_without_an_evaluation_set_the_last_is_kept_and_the_reason_does_not_blame_the_user(run, tmp_path, local):
    job = write_output(tmp_path / "output", {20: (), 40: ()})
    write_metrics(tmp_path / "output", [{"step": 40, "/train_total_loss": 1.0}])
    checkpoint, metrics, _ = select(run, make_plan(tmp_path / "data", evaluation=0), job)
    assert json.loads(checkpoint)["reason"].endswith("there is no evaluation set to choose by.")
    assert metrics.metadata == {"step": 40, "epoch": 4.0}


def test_selection_switched_off_keeps_the_last(run, tmp_path, local, job):
    plan = make_plan(tmp_path / "data", enable_checkpoint_selection="false")
    assert json.loads(select(run, plan, job)[0])["step"] == 60


def test_scores_on_the_test_set_come_without_a_caveat(run, tmp_path, local, job):
    plan = make_plan(tmp_path / "data", test=15)
    scored, metrics = evaluate(run, plan, job, select(run, plan, job)[0])
    assert (scored["data"], scored["n"]) == ("test", 15)
    assert metrics.metadata["exact_match"] == 1.0
    assert metrics.metadata["base_exact_match"] == 0.0
    assert scored["notes"] == ["1 of 15 answers of the tuned model were cut off at the longest length allowed."]
    assert len(json.dumps(scored)) < 8_000
    samples = run.record("evaluate_model")["result"]["samples"]
    assert len(samples) == 12
    assert samples[0] == {"index": 0, "input": "after 0", "expected": "1", "base": "?", "tuned": "1"}


def test_scores_on_the_rows_of_the_selection_say_so(run, tmp_path, local, job):
    plan = make_plan(tmp_path / "data")
    scored, _ = evaluate(run, plan, job, select(run, plan, job)[0])
    assert scored["data"] == "evaluation"
    assert scored["notes"][0] == evaluate_model.SEEN


def test_without_any_rows_the_metrics_are_empty_and_the_note_says_why(run, tmp_path, local, job):
    plan = make_plan(tmp_path / "data", evaluation=0)
    scored, metrics = evaluate(run, plan, job, select(run, plan, job)[0])
    assert (scored["n"], scored["scores"], scored["notes"]) == (0, [], [evaluate_model.NO_DATA])
    assert metrics.metadata == {}


def test_a_checkpoint_without_predictions_is_not_scored_and_the_note_says_so(run, tmp_path, local, job):
    plan = make_plan(tmp_path / "data", enable_checkpoint_selection="false")
    scored, metrics = evaluate(run, plan, job, select(run, plan, job)[0])
    assert "no predictions of this checkpoint" in scored["notes"][0]
    assert metrics.metadata == {}


def test_the_report_is_written_from_the_folder_after_a_failure_too(run, tmp_path, local, job):
    plan = make_plan(tmp_path / "data", test=15)
    select(run, plan, job)
    with pytest.raises(KeyError):
        evaluate(run, plan, job, "{}")
    report = run.artifact("report.html")
    report_run.run(
        status={"state": "FAILED", "error_message": "task evaluate-model failed"},
        model_display_name="numbers",
        report=report,
        **run.common,
    )
    page = Path(report.uri).read_text()
    assert page == (run.root / "job-1" / "run" / "report.html").read_text()
    assert "evaluate_model" in page
    assert "KeyError" in page
    told = json.loads((run.root / "job-1" / "run" / "report.json").read_text())
    assert told["state"] == "failed"
    assert told["error"]["step"] == "evaluate_model"
    assert told["checkpoint"]["step"] == 40
