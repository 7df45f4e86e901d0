"""A prediction run writes what docs/trainer.md says, goes on where it died, and refuses what it cannot do well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.conftest import finish, json_lines, rows, write_rows
from tuneline.errors import UsageError
from tuneline.trainer.config import PredictionConfig, read_config

Start = Callable[..., Any]
Write = Callable[..., str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where the tuning job whose adapters are predicted with will be, once a test has made it."""
    return {"folder": tmp_path_factory.mktemp("trained") / "output"}


@pytest.fixture
def tuned(trained: dict[str, Path], start: Start, write_config: Write) -> Path:
    """A finished tuning job of 4 steps with predictions over three examples."""
    if not trained["folder"].exists():
        finish(start(write_config(train_steps=4, evaluation_data="", learning_rate=0.02), trained["folder"]))
    return trained["folder"]


@pytest.fixture
def write_prediction(tmp_path: Path, small_base: Path) -> Write:
    """Writes a prediction run's data and config; keyword arguments change its fields."""

    def write(**changes: Any) -> str:
        config = {
            "version": 1,
            "mode": "predict",
            "base_model": str(small_base),
            "data": write_rows(tmp_path / "data.jsonl", rows(3, first=200)),
            "max_new_tokens": 4,
        }
        path = tmp_path / "predict.json"
        path.write_text(json.dumps({**config, **changes}))
        return str(path)

    return write


def test_a_base_and_its_adapters_predict_what_the_tuning_job_did(
    tuned: Path, start: Start, write_prediction: Write, tmp_path: Path
) -> None:
    """The same rows as at the end of the job that made the adapters, and a result that sums them up."""
    adapter = str(tuned / "checkpoints" / "step-000004")
    models = [{"name": "base"}, {"name": "champion", "adapter": adapter}]
    output = tmp_path / "output"
    finish(start(write_prediction(models=models), output))
    result = json.loads((output / "result.json").read_text())
    assert [model["name"] for model in result["models"]] == ["base", "champion"]
    assert result["mode"] == "predict"
    for model, before in zip(result["models"], ("base", "step-000004"), strict=True):
        found, expected = json_lines(Path(model["predictions"])), json_lines(tuned / "predictions" / f"{before}.jsonl")
        assert [row["prediction"] for row in found] == [row["prediction"] for row in expected]
        assert [row["loss"] for row in found] == pytest.approx([row["loss"] for row in expected], rel=1e-5)
        tokens = sum(row["tokens"] for row in found)
        assert model["evaluation"]["tokens"] == tokens
        assert model["evaluation"]["loss"] == pytest.approx(sum(row["loss"] for row in found) / tokens)
    assert result["models"][0]["evaluation"]["loss"] != result["models"][1]["evaluation"]["loss"]
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.json*")}
    assert "complete already" in finish(start(write_prediction(models=models), output))
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.json*")} == before
    said = finish(start(write_prediction(models=models, temperature=1), output), code=2)
    assert "temperature: was 0.0 when this output was begun, and is 1.0" in said


def test_a_killed_run_goes_on_to_the_same_bytes(
    start: Start, write_prediction: Write, tmp_path: Path, tuned: Path
) -> None:
    """kill -9 after the first part: what is complete is not done again, and sampled texts are those of a whole run."""
    settings = {
        "models": [{"name": "base"}, {"name": "tuned", "adapter": str(tuned / "checkpoints" / "step-000004")}],
        "data": write_rows(tmp_path / "many.jsonl", rows(24)),
        "batch_size": 1,
        "temperature": 1.5,
        "top_p": 0.9,
        "seed": 3,
    }
    config = write_prediction(**settings)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(start(config, whole))
    process = start(config, killed)
    for line in process.stderr:
        if line.startswith("predictions of base: 8 of 24"):
            break
    process.kill()
    process.communicate()
    parts = [path.name for path in (killed / "parts" / "base").iterdir()]
    assert "000000.jsonl" in parts
    assert not (killed / "result.json").exists()
    said = finish(start(config, killed))
    assert "predictions of base: 8 of 24" not in said
    for name in ("base", "tuned"):
        file = f"predictions/{name}.jsonl"
        assert (killed / file).read_bytes() == (whole / file).read_bytes()
    assert not [path for path in (killed / "parts").rglob("*") if path.is_file()]
    texts = {row["prediction"] for row in json_lines(whole / "predictions" / "base.jsonl")}
    assert len(texts) > 12


def test_bad_input_is_told_before_anything_is_written(start: Start, write_prediction: Write, tmp_path: Path) -> None:
    """Every model that cannot be used is named in one message; nothing is written."""
    models = [{"name": "gone", "adapter": str(tmp_path / "gone")}, {"name": "too", "adapter": str(tmp_path / "too")}]
    said = finish(start(write_prediction(models=models), tmp_path / "output"), code=2).splitlines()[-1]
    assert "models: gone" in said
    assert "models: too" in said
    assert "adapter_model.safetensors" in said
    assert not (tmp_path / "output" / "run.json").exists()


def test_a_prediction_configuration_is_checked_as_a_whole() -> None:
    """Names, settings and unknown fields are told at once; what training needs is no field of it."""
    wrong = {
        "version": 1,
        "mode": "predict",
        "base_model": "builtin:tiny",
        "train_data": "train.jsonl",
        "top_p": 0,
        "temperature": -1,
        "models": [{"name": "a/b"}, {"name": "c"}, {"name": "c", "adapter": 1}, {"adapters": ""}],
    }
    with pytest.raises(UsageError) as caught:
        read_config(wrong, where="config.json")
    told = {problem.where.removeprefix("config.json: ") for problem in caught.value.problems}
    assert told == {
        "data",
        "train_data",
        "top_p",
        "temperature",
        "models[0].name",
        "models[2].name",
        "models[2].adapter",
        "models[3]",
    }


def test_a_prediction_configuration_has_defaults() -> None:
    """The base alone, greedily."""
    sound = {"version": 1, "mode": "predict", "base_model": "builtin:tiny", "data": "test.jsonl"}
    config = read_config(sound, where="config.json")
    assert isinstance(config, PredictionConfig)
    assert [(model.name, model.adapter) for model in config.models] == [("base", "")]
    assert config.temperature == 0
    with pytest.raises(UsageError, match="must be train or predict"):
        read_config({**sound, "mode": "guess"}, where="config.json")
