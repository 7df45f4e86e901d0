"""The chosen checkpoint is the earliest that the evaluation set cannot tell from the best, and the reason says so."""

import numpy as np
import pytest

from tests.checkpoints.outputs import write_output
from tuneline.checkpoints import choose, read_result
from tuneline.errors import JobFailed, TunelineError, UsageError

N = 60
TOKENS = 10


def rows(accuracy: float, *, seed: int = 0, loss: float = 1.0):
    """N examples whose tokens are right with a probability, by the same luck for the same seed."""
    luck = np.random.default_rng(seed).random((N, TOKENS))
    return [(loss * TOKENS, TOKENS, int(right)) for right in (luck < accuracy).sum(axis=1)]


def chosen(tmp_path, evaluations, selection="default", base=None):
    return choose(read_result(write_output(tmp_path / "output", evaluations, base=base)), selection)


def test_the_earliest_of_those_that_only_chance_divides_is_taken(tmp_path):
    """Steps 40 to 80 differ by luck; step 20 is clearly worse; so 40 is kept, not the best by a hair."""
    choice = chosen(
        tmp_path,
        {20: rows(0.5), 40: rows(0.80, seed=1), 60: rows(0.82, seed=2), 80: rows(0.81, seed=3)},
        base=rows(0.2),
    )
    assert choice.checkpoint.step == 40
    assert choice.selection == "evaluation"
    assert choice.against_best is not None
    assert choice.against_best.low <= 0 < choice.against_best.high
    for part in ("Step 40 is the earliest of 4 checkpoints", f"n = {N}", "best, step", "token accuracy", "above the"):
        assert part in choice.reason


def test_a_clear_best_is_kept_over_every_earlier_one(tmp_path):
    choice = chosen(tmp_path, {20: rows(0.3), 40: rows(0.5), 60: rows(0.9)})
    assert choice.checkpoint.step == choice.best_step == 60
    assert choice.against_best is None
    assert "best evaluation of 3 checkpoints" in choice.reason


def test_a_later_overfitted_checkpoint_is_not_taken(tmp_path):
    choice = chosen(tmp_path, {20: rows(0.4), 40: rows(0.9), 60: rows(0.6)})
    assert (choice.checkpoint.step, choice.best_step) == (40, 40)


def test_equal_accuracy_goes_to_the_lower_loss(tmp_path):
    """The best is named by its loss; the earlier one is still kept, since nothing tells them apart in accuracy."""
    choice = chosen(tmp_path, {20: rows(0.8, loss=2.0), 40: rows(0.8, loss=0.5)})
    assert (choice.checkpoint.step, choice.best_step) == (20, 40)


def test_false_is_the_last_even_where_an_earlier_one_is_better(tmp_path):
    choice = chosen(tmp_path, {20: rows(0.9), 40: rows(0.3)}, "false")
    assert (choice.checkpoint.step, choice.selection) == (40, "last")
    assert "switched off" in choice.reason


def test_default_without_an_evaluation_set_is_the_last(tmp_path):
    choice = chosen(tmp_path, {20: (), 40: ()})
    assert (choice.checkpoint.step, choice.selection) == (40, "last")
    assert choice.reason == "Step 40 is the last checkpoint; there is no evaluation set to choose by."


def test_true_without_evaluations_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(UsageError, match="evaluation_data_uri"):
        chosen(tmp_path, {20: ()}, "true")


def test_a_base_that_is_not_beaten_is_said(tmp_path):
    choice = chosen(tmp_path, {20: rows(0.5, seed=1)}, base=rows(0.5, seed=2))
    assert "not told apart from the untuned base" in choice.reason
    worse = chosen(tmp_path / "second", {20: rows(0.3)}, base=rows(0.8))
    assert "BELOW the untuned base's" in worse.reason


def test_a_job_that_kept_nothing_has_failed(tmp_path):
    with pytest.raises(JobFailed, match="kept no checkpoint"):
        chosen(tmp_path, {})


def test_the_choice_as_json_is_small_and_has_the_figures(tmp_path):
    import json

    choice = chosen(tmp_path, {step: rows(0.5, seed=step) for step in range(20, 1020, 20)}, base=rows(0.1))
    text = json.dumps(choice.to_dict())
    assert len(text) < 2_000
    assert json.loads(text)["against_base"]["significant"]


def test_a_broken_row_is_named_by_file_and_line(tmp_path):
    uri = write_output(tmp_path / "output", {20: rows(0.4), 40: rows(0.5)})
    file = tmp_path / "output" / "evaluations" / "step-000040.jsonl"
    file.write_text(file.read_text().replace('"index": 7,', '"index": 8,'))
    with pytest.raises(TunelineError, match=r"step-000040\.jsonl evaluates example 8 twice"):
        choose(read_result(uri))
    file.write_text("{}\n")
    with pytest.raises(TunelineError, match=r"step-000040\.jsonl, line 1"):
        choose(read_result(uri))


def test_examples_that_were_skipped_leave_gaps(tmp_path):
    """The trainer leaves out examples that do not fit; the others keep their places, and are compared by them."""
    uri = write_output(tmp_path / "output", {20: rows(0.2), 40: rows(0.9)}, base=rows(0.1))
    for file in (tmp_path / "output" / "evaluations").iterdir():
        file.write_text("".join(line for line in file.read_text().splitlines(True) if '"index": 7,' not in line))
    assert choose(read_result(uri)).checkpoint.step == 40
    base = tmp_path / "output" / "evaluations" / "step-000000.jsonl"
    base.write_text("".join(base.read_text().splitlines(True)[1:]))
    with pytest.raises(TunelineError, match="not all of the same examples"):
        choose(read_result(uri))


def test_a_result_that_is_none_is_named_by_its_key(tmp_path):
    (tmp_path / "result.json").write_text('{"steps": 3}')
    with pytest.raises(TunelineError, match="'checkpoints'"):
        read_result(str(tmp_path))
