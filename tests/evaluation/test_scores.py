"""Base and tuned model are scored on the same rows, and the verdict claims no more than the rows can show."""

import json

import pytest

from tuneline.errors import GateNotPassed, NotFound, TunelineError, UsageError
from tuneline.evaluation import Prediction, compare_models, gate, read_predictions, samples

WORDS = ["one", "two", "three", "four", "five"]


def rows(right, n=50, forced=True):
    """n predictions of which those whose index `right` accepts are right."""
    made = []
    for index in range(n):
        expected = f"{WORDS[index % 5]} {index}"
        good = right(index)
        made.append(
            Prediction(
                index=index,
                input=f"before {expected}",
                expected=expected,
                prediction=expected if good else "no idea",
                loss=(0.2 if good else 4.0) if forced else None,
                tokens=4 if forced else None,
                correct=(4 if good else 1) if forced else None,
            )
        )
    return made


def test_a_clear_gain_is_better_in_every_metric_and_in_one_sentence():
    scores = compare_models(rows(lambda i: i % 10 == 0), rows(lambda i: i % 10 != 0))
    assert {s.metric.name: s.verdict for s in scores.scores} == dict.fromkeys(
        ("token_accuracy", "exact_match", "rouge_l", "edit_similarity", "loss"), "better"
    )
    exact = scores.of("exact_match")
    assert (exact.comparison.first, exact.comparison.second) == (0.1, 0.9)
    assert scores.verdict.startswith("The tuned model is better than its base: token accuracy 92.5% against 32.5%")
    assert "n = 50" in scores.verdict


def test_luck_is_not_called_a_gain_and_a_loss_is_not_hidden():
    same = compare_models(rows(lambda i: i % 2 == 0), rows(lambda i: i % 2 == 1))
    assert same.verdict.startswith("No difference")
    assert "cannot be shown" in same.verdict
    worse = compare_models(rows(lambda i: True), rows(lambda i: i < 5))
    assert worse.verdict.startswith("The tuned model is WORSE")
    assert worse.of("loss").verdict == "worse"


def test_without_teacher_forced_figures_the_verdict_is_by_the_text():
    scores = compare_models(rows(lambda i: False, forced=False), rows(lambda i: True, forced=False))
    assert [s.metric.name for s in scores.scores] == ["exact_match", "rouge_l", "edit_similarity"]
    assert "ROUGE-L 100.0% against 0.0%" in scores.verdict


def test_parsing_is_scored_for_code_alone():
    def code(predictions):
        return [
            Prediction(index=i, input="", expected="return f(x)", prediction=text) for i, text in enumerate(predictions)
        ]

    scores = compare_models(code(["return ("] * 9 + [""]), code(["return f(y)"] * 10))
    parsing = scores.of("parses_as_python")
    assert (parsing.comparison.first, parsing.comparison.second) == (0.0, 1.0)
    assert compare_models(rows(lambda i: True), rows(lambda i: True)).of("parses_as_python") is None


def test_different_examples_are_never_compared():
    with pytest.raises(TunelineError, match="not of the same examples"):
        compare_models(rows(lambda i: True, n=4), rows(lambda i: True, n=5))
    with pytest.raises(TunelineError, match="nothing to compare"):
        compare_models([], [])


def test_samples_are_spread_over_the_set():
    shown = samples(rows(lambda i: False), rows(lambda i: True), count=12)
    assert [each["index"] for each in shown] == list(range(0, 48, 4))
    assert shown[0] == {
        "index": 0,
        "input": "before one 0",
        "expected": "one 0",
        "base": "no idea",
        "tuned": "one 0",
    }
    assert len(samples(rows(lambda i: False, n=3), rows(lambda i: True, n=3))) == 3


def test_predictions_are_read_in_the_order_of_the_set_and_broken_ones_named(tmp_path):
    file = tmp_path / "predictions.jsonl"
    line = {"input": "a", "expected": "b", "prediction": "c\u2028d", "tokens": 2, "correct": 1, "loss": 0.5}
    file.write_text("\n".join(json.dumps({"index": i, **line}, ensure_ascii=False) for i in (1, 0)))
    found = read_predictions(str(file))
    assert [each.index for each in found] == [0, 1]
    assert found[0].prediction == "c\u2028d"
    file.write_text(json.dumps({"index": 0, **line}) + "\n" + json.dumps({"index": 0, **line}))
    with pytest.raises(TunelineError, match="line 2 predicts example 0 a second time"):
        read_predictions(str(file))
    with pytest.raises(NotFound):
        read_predictions(str(tmp_path / "none.jsonl"))


class TestGate:
    """A challenger passes only by more than chance, by more than the wanted gain, and without breaking a guard."""

    scores = compare_models(rows(lambda i: i % 2 == 0), rows(lambda i: i % 10 != 0))

    def test_a_real_gain_passes(self):
        decision = gate(self.scores, metric="exact_match")
        assert decision.passed
        assert "n = 50" in decision.reasons[0]
        decision.raise_unless_passed()

    def test_a_gain_below_the_wanted_one_does_not(self):
        decision = gate(self.scores, metric="exact_match", gain=0.39)
        assert not decision.passed
        with pytest.raises(GateNotPassed, match="not above the wanted"):
            decision.raise_unless_passed()

    def test_a_difference_that_may_be_chance_does_not(self):
        few = compare_models(rows(lambda i: i % 2 == 0, n=8), rows(lambda i: i % 2 == 0 or i == 1, n=8))
        assert few.of("exact_match").comparison.difference > 0
        assert not gate(few, metric="exact_match").passed

    def test_a_guard_that_falls_too_far_stops_it_and_each_reason_is_told(self):
        worse = compare_models(rows(lambda i: i % 10 != 0), rows(lambda i: i % 2 == 0))
        decision = gate(worse, metric="exact_match", guards={"rouge_l": 0.05, "loss": 10.0})
        assert not decision.passed
        assert len(decision.reasons) == 2
        assert decision.reasons[1].startswith("ROUGE-L falls by")

    def test_less_loss_counts_as_a_gain(self):
        assert gate(self.scores, metric="loss").passed

    def test_a_metric_that_was_not_measured_is_refused_by_name(self):
        with pytest.raises(UsageError, match="bleu was not measured"):
            gate(self.scores, metric="bleu")
