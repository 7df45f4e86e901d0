"""A configuration is checked as a whole: every problem is told at once, with the way out."""

from __future__ import annotations

import pytest

from tuneline.errors import UsageError
from tuneline.trainer.config import differences, read_config

SOUND = {"version": 1, "base_model": "builtin:tiny", "train_data": "train.jsonl"}


def test_only_base_and_data_are_needed() -> None:
    """Everything else has the default that docs/trainer.md states."""
    config = read_config(SOUND, where="config.json")
    assert (config.train_steps, config.batch_size, config.evaluation_interval) == (300, 8, 20)
    assert config.early_stopping
    assert config.learning_rate == 0


def test_all_problems_are_told_at_once() -> None:
    """One message names each field that is wrong, and what it should be."""
    wrong = {
        "version": 2,
        "base_model": "",
        "train_steps": 0,
        "batch_size": 2.5,
        "adapter_size": 3,
        "early_stopping": "true",
        "learning_rate_multiplier": float("nan"),
        "evaluation_intervall": 5,
        "method": "dpo",
        "beta": 0,
        "long_prompts": "keep",
    }
    with pytest.raises(UsageError) as caught:
        read_config(wrong, where="config.json")
    told = {problem.where.removeprefix("config.json: "): problem for problem in caught.value.problems}
    assert set(told) == {*wrong, "train_data"}
    assert told["evaluation_intervall"].fix == "did you mean evaluation_interval?"
    assert told["method"].what == "must be supervised or preference, and is 'dpo'"
    assert "1, 2, 4, 8, 16, 32" in told["adapter_size"].what


def test_what_is_not_an_object_is_refused() -> None:
    """A list is no configuration."""
    with pytest.raises(UsageError, match="not a JSON object"):
        read_config([], where="config.json")


def test_written_configurations_read_the_same() -> None:
    """What is written can be read back."""
    config = read_config({**SOUND, "learning_rate_multiplier": 2, "seed": 7}, where="config.json")
    assert read_config(config.to_dict(), where="again") == config


def test_differences_name_field_and_both_values() -> None:
    """A changed configuration says what was and what is."""
    (problem,) = differences({"seed": 0, "batch_size": 8}, {"seed": 1, "batch_size": 8})
    assert problem.where == "seed"
    assert "was 0" in problem.what
    assert "is 1" in problem.what
