"""A run's report is made from its folder alone, is complete after a good end, and says why after a bad one."""

import json
import re

import pytest

from tuneline import reports
from tuneline.reports import summary

PLAN = {
    "model_display_name": "next-number",
    "engine": "custom_training",
    "base_model": {
        "requested": "text-bison@002",
        "name": "gemma-3-1b-it",
        "replaced": "text-bison@002 retired on 2025-04-09",
    },
    "training": {
        "train_steps": 300,
        "batch_size": 8,
        "examples_seen": 2400,
        "epochs": 3.0,
        "learning_rate_multiplier": 1.0,
        "evaluation_interval": 20,
        "early_stopping": True,
    },
    "regions": {"pipeline": "us-central1", "tuning": "us-central1", "upload": "us-central1"},
    "slice": {"name": "a100x8", "machine_spec": {"machineType": "a2-ultragpu-8g"}},
    "provisioning": "standard",
    "duration_s": {"low": None, "high": None, "unknown": "never timed on this slice"},
    "cost_usd": {"low": 10.0, "high": 20.0, "unknown": ""},
    "warnings": [],
    "notes": ["a note of the plan"],
}
SCORE = {
    "metric": "exact_match",
    "title": "exact match",
    "n": 100,
    "base": 0.05,
    "tuned": 0.8,
    "difference": 0.75,
    "low": 0.66,
    "high": 0.84,
    "verdict": "better",
}


def record(folder, step, *, minute, state="succeeded", result=None, error=None):
    folder.mkdir(parents=True, exist_ok=True)
    value = {
        "step": step,
        "state": state,
        "version": "0.1.0",
        "started": f"2026-11-21T07:{minute:02}:00+00:00",
        "ended": None if state == "running" else f"2026-11-21T07:{minute:02}:30+00:00",
        "inputs": {"dataset_uri": "gs://b/<script>alert(1)</script>.jsonl"},
        "result": result or {},
        "error": error,
    }
    (folder / f"{step}.json").write_text(json.dumps(value))


@pytest.fixture
def good(tmp_path):
    folder = tmp_path / "job-1" / "run"
    facts = {
        "train": {
            "uri": "gs://b/t.jsonl",
            "examples": 800,
            "format": "palm-text",
            "tokens": {"total": 9000, "low": 8800, "high": 9200},
            "errors": 0,
        }
    }
    record(folder, "validate_dataset", minute=1, result={"facts": json.dumps(facts)})
    record(folder, "plan_tuning", minute=2, result={"plan": json.dumps(PLAN)})
    tuned = {
        "seconds": 21.5,
        "tokens_per_second": 9000,
        "base_model": {"stand_in": True, "name": "tuneline-tiny", "parameters": 1_200_000},
    }
    record(folder, "wait_for_tuning_job", minute=3, result={"result": json.dumps(tuned)})
    curves = {
        "train_loss": [[1, 2.0], [300, 0.1]],
        "eval_loss": [[20, 1.0], [300, 0.2]],
        "train_accuracy": [],
        "eval_accuracy": [],
    }
    checkpoint = {"step": 280, "reason": "Step 280 is the earliest of 15.", "candidates": 15, "uri": "gs://b/c"}
    record(folder, "select_checkpoint", minute=4, result={"checkpoint": json.dumps(checkpoint), "curves": curves})
    samples = [{"index": 0, "input": "<b>22</b>", "expected": "23", "base": "22", "tuned": "23"}]
    evaluation = {"n": 100, "verdict": "The tuned model is better.", "scores": [SCORE]}
    record(folder, "evaluate_model", minute=5, result={"evaluation": json.dumps(evaluation), "samples": samples})
    return str(folder)


def test_a_good_run_is_told_whole(good):
    data = reports.build(good)
    assert (data["state"], data["job"], data["seconds"]) == ("succeeded", "job-1", 270.0)
    assert data["checkpoint"]["step"] == 280
    assert next(step["step"] for step in data["steps"]) == "validate_dataset"
    page = reports.render(data)
    for text in (
        "next-number",
        "Step 280 is the earliest",
        "80.0%",
        "a note of the plan",
        "10.00 USD to 20.00 USD",
        "<svg",
    ):
        assert text in page
    assert json.loads(json.dumps(data)) == data


def test_the_page_needs_no_network_and_runs_nothing(good):
    page = reports.render(reports.build(good))
    assert not re.search(r"(src|href)=[\"']?(http|//)", page)
    assert "<script" not in page
    assert "&lt;b&gt;22" in page


def test_a_stand_in_says_so_on_page_and_terminal(good):
    data = reports.build(good)
    assert "tuneline-tiny (1.2M parameters) was tuned in place of gemma-3-1b-it" in reports.render(data)
    assert any("tuneline-tiny" in line for line in summary.lines(data))


def test_the_summary_names_checkpoint_and_scores(good):
    text = "\n".join(summary.lines(reports.build(good)))
    assert "Step 280 is the earliest" in text
    assert re.search(r"exact match:\s+base\s+5.0%\s+tuned\s+80.0%", text)


def test_a_refused_run_lists_every_reason(tmp_path):
    folder = tmp_path / "job-2" / "run"
    record(folder, "validate_dataset", minute=1)
    problems = [
        {"where": "accelerator_type", "what": "'CPU' is none of GPU, TPU", "fix": "give GPU"},
        {"where": "location", "what": "us-centra1", "fix": "us-central1"},
    ]
    error = {"type": "UsageError", "message": "the request is refused (2)", "problems": problems, "exit_code": 2}
    record(folder, "plan_tuning", minute=2, state="failed", error=error)
    data = reports.build(str(folder), state="FAILED")
    assert data["error"]["step"] == "plan_tuning"
    page = reports.render(data)
    assert "give GPU" in page
    assert "us-centra1" in page


def test_a_killed_step_is_named_with_what_the_pipeline_says(tmp_path):
    folder = tmp_path / "job-3" / "run"
    record(folder, "validate_dataset", minute=1)
    record(folder, "submit_tuning_job", minute=2, state="running")
    data = reports.build(str(folder), state="FAILED", message="the task was killed by signal 9")
    assert data["error"] == {"step": "submit_tuning_job", "message": "the task was killed by signal 9", "problems": []}
    assert "killed by signal 9" in reports.render(data)


def test_a_run_that_wrote_nothing_still_has_a_report(tmp_path):
    folder = tmp_path / "job-4" / "run"
    folder.mkdir(parents=True)
    assert "Tuning run" in reports.render(reports.build(str(folder), state="FAILED", message="no step ran"))


def test_the_choices_that_were_refused_are_told_with_the_one_that_was_not(good, tmp_path):
    """On the page and on the terminal; the wait's own submission is the newer one."""
    folder = tmp_path / "job-1" / "run"
    plan = {**PLAN, "alternatives": [{"name": "tpu-v6e-4"}]}
    record(folder, "plan_tuning", minute=2, result={"plan": json.dumps(plan)})
    record(folder, "submit_tuning_job", minute=3, result={"submission": {"name": "first", "choice": 0, "refused": []}})
    moved = {"name": "second", "choice": 1, "refused": ["failed: no machines"]}
    waited = json.loads((folder / "wait_for_tuning_job.json").read_text())["result"]
    record(folder, "wait_for_tuning_job", minute=3, result={**waited, "submission": moved})
    data = reports.build(good)
    assert data["submission"]["name"] == "second"
    page = reports.render(data)
    assert "a100x8 given up" in page
    assert "failed: no machines" in page
    lines = list(summary.lines(data))
    assert "capacity    a100x8 given up: failed: no machines" in lines
    assert "capacity    tuned instead on: tpu-v6e-4" in lines
