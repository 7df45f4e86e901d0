"""Validating never fails on bad data, planning tells everything at once, staging moves exactly what was validated."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.steps.conftest import make_plan, write_dataset
from tuneline.errors import DatasetError, NotFound, UsageError
from tuneline.planning import Plan
from tuneline.steps import plan_tuning, upload_dataset, validate_dataset


def validate(run, train, *, evaluation="", test="", fail_on="", model="code-bison@002"):
    report, metrics = run.artifact("report.html"), run.artifact("metrics")
    outputs = validate_dataset.run(
        dataset_uri=train,
        evaluation_data_uri=evaluation,
        test_data_uri=test,
        large_model_reference=model,
        default_context="",
        fail_on=fail_on,
        report=report,
        metrics=metrics,
        **run.common,
    )
    return json.loads(outputs.facts), report, metrics


class TestValidate:
    def test_the_facts_hold_what_planning_needs_and_the_page_all_findings(self, run, tmp_path):
        train = write_dataset(tmp_path / "train.jsonl", 30)
        test = write_dataset(tmp_path / "test.jsonl", 12, start=25)
        facts, report, metrics = validate(run, train, test=test)
        assert list(facts) == ["train", "test"]
        assert facts["train"]["examples"] == 30
        assert facts["train"]["format"] == "palm-text"
        assert facts["train"]["digest"] == hashlib.sha256(Path(train).read_bytes()).hexdigest()
        assert facts["test"]["leakage"]["examples"] == 5
        assert metrics.metadata["train_examples"] == 30
        assert metrics.metadata["test_leaked_examples"] == 5
        assert Path(report.uri).read_text().lstrip().lower().startswith("<!doctype html>")
        assert run.record("validate_dataset")["result"]["facts"] == facts

    def test_a_set_of_nothing_but_errors_does_not_fail_the_step_and_keeps_the_facts_small(self, run, tmp_path):
        bad = tmp_path / "bad.jsonl"
        bad.write_text("".join(f'{{"input_text": {n}, "output_txt": "{"x" * 500}"}}\n' for n in range(400)))
        facts, _, _ = validate(run, str(bad), evaluation=str(bad), test=str(bad))
        assert facts["train"]["errors"] >= 400
        assert facts["train"]["findings"]
        assert len(json.dumps(facts)) < 8_000

    def test_a_set_that_is_not_there_is_a_fact_too(self, run, tmp_path):
        facts, report, _ = validate(run, str(tmp_path / "none.jsonl"))
        assert list(facts["train"]) == ["error"]
        assert "no such file" in facts["train"]["error"]
        assert Path(report.uri).is_file()

    def test_an_unknown_model_is_left_to_planning(self, run, tmp_path):
        facts, _, _ = validate(run, write_dataset(tmp_path / "train.jsonl", 30), model="no-such-model")
        assert facts["train"]["examples"] == 30

    def test_fail_on_error_fails_with_every_error(self, run, tmp_path):
        bad = tmp_path / "bad.jsonl"
        bad.write_text('{"input_text": "no output"}\n' * 3 + "not json\n" + '{"input_text": "a", "output_text": "b"}\n')
        with pytest.raises(DatasetError) as refused:
            validate(run, str(bad), test=str(tmp_path / "none.jsonl"), fail_on="error")
        assert len(refused.value.problems) >= 5  # three lines, the broken one, the test set that is not there
        assert "line 4" in str(refused.value)

    def test_fail_on_something_else_is_refused(self, run, tmp_path):
        with pytest.raises(UsageError, match="fail_on"):
            validate(run, write_dataset(tmp_path / "train.jsonl", 30), fail_on="eror")


class TestPlan:
    def plan(self, run, tmp_path, **parameters):
        asked = {
            "project": "tuneline-local",
            "model_display_name": "numbers",
            "large_model_reference": "gemma-3-1b-it",
            "dataset_uri": write_dataset(tmp_path / "train.jsonl", 40),
            **parameters,
        }
        facts = json.dumps(validate_dataset.facts(asked))
        return plan_tuning.run(facts=facts, **asked, **run.common)

    def test_a_plan_is_small_and_survives_the_way_through_a_string(self, run, tmp_path, local, monkeypatch):
        monkeypatch.setenv("TUNELINE_STAGING", "gs://tuneline-local")
        text = self.plan(run, tmp_path).plan
        assert len(text) < 8_000
        plan = Plan.from_dict(json.loads(text))
        assert plan.staging_uri == "gs://tuneline-local"
        assert plan.regions.pipeline == plan.regions.upload == "us-central1"
        record = run.record("plan_tuning")
        assert record["result"]["plan"] == json.loads(text)
        assert record["inputs"]["large_model_reference"] == "gemma-3-1b-it"

    def test_staging_is_the_roots_bucket_where_nothing_else_is_said(self, tmp_path, local):
        import dataclasses

        plan = dataclasses.replace(make_plan(tmp_path), staging_uri="")
        assert plan_tuning.staging(plan, "gs://bucket/some/root") == "gs://bucket"
        named = dataclasses.replace(plan, staging_uri="gs://other/prefix/")
        assert plan_tuning.staging(named, "gs://bucket/some/root") == "gs://other/prefix"
        with pytest.raises(UsageError, match="staging_uri"):
            plan_tuning.staging(plan, str(tmp_path))

    def test_all_reasons_of_request_and_data_come_in_one_error(self, run, tmp_path, local):
        few = write_dataset(tmp_path / "few.jsonl", 4)
        with pytest.raises(UsageError) as refused:
            self.plan(
                run, tmp_path, evaluation_data_uri=few, accelerator_type="GPUS", location="us-centra1", train_steps=0
            )
        places = {problem.where for problem in refused.value.problems}
        assert {"evaluation_data_uri", "accelerator_type", "location", "train_steps"} <= places
        recorded = run.record("plan_tuning")["error"]
        assert len(recorded["problems"]) == len(refused.value.problems)
        assert recorded["exit_code"] == 2


class TestUpload:
    def upload(self, run, plan):
        dataset = run.artifact("dataset")
        outputs = upload_dataset.run(plan=json.dumps(plan.to_dict()), dataset=dataset, **run.common)
        return json.loads(outputs.staged), dataset

    def test_each_set_lies_under_the_digest_of_its_bytes(self, run, tmp_path, local):
        plan = make_plan(tmp_path, test=12)
        staged, dataset = self.upload(run, plan)
        assert list(staged) == ["train", "evaluation", "test"]
        for name, entry in staged.items():
            source = Path(getattr(plan, name).uri).read_bytes()
            assert entry["uri"] == f"{tmp_path}/staging/tuneline/data/{hashlib.sha256(source).hexdigest()}.jsonl"
            assert Path(entry["uri"]).read_bytes() == source
            assert entry["crc32c"] == getattr(plan, name).crc32c
        assert dataset.uri == staged["train"]["uri"]
        assert dataset.metadata["examples"] == 40

    def test_a_set_that_is_there_is_not_written_again(self, run, tmp_path, local):
        plan = make_plan(tmp_path)
        first, _ = self.upload(run, plan)
        before = Path(first["train"]["uri"]).stat()
        second, _ = self.upload(run, plan)
        after = Path(second["train"]["uri"]).stat()
        assert second == first
        assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)

    def test_a_set_that_changed_since_validation_is_refused(self, run, tmp_path, local):
        plan = make_plan(tmp_path)
        with Path(plan.train.uri).open("a") as file:
            file.write('{"input_text": "late", "output_text": "row"}\n')
        with pytest.raises(DatasetError, match="changed since it was validated"):
            self.upload(run, plan)
        assert not list((tmp_path / "staging").rglob("*.jsonl"))

    def test_a_damaged_staged_object_is_replaced(self, run, tmp_path, local):
        plan = make_plan(tmp_path)
        staged, _ = self.upload(run, plan)
        Path(staged["train"]["uri"]).write_text("half of it")
        again, _ = self.upload(run, plan)
        assert Path(again["train"]["uri"]).read_bytes() == Path(plan.train.uri).read_bytes()

    def test_a_set_that_is_gone_is_told(self, run, tmp_path, local):
        plan = make_plan(tmp_path)
        Path(plan.evaluation.uri).unlink()
        with pytest.raises(NotFound, match=r"evaluation\.jsonl"):
            self.upload(run, plan)
