"""Promise: preference tuning is DPO, pair by pair, over the model that it began as; it resumes as any run does."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer.conftest import finish, json_lines, rows, write_rows
from tests.trainer.test_runs import files, run_with_kills

Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., str]
BETA = 0.3


def write_pairs(path: Path, count: int, *, first: int = 0) -> str:
    """Preference examples in the service's format: a long answer is preferred to a short one."""

    def content(role: str, text: str) -> dict[str, Any]:
        return {"role": role, "parts": [{"text": text}]}

    def row(at: int) -> dict[str, Any]:
        answers = ((f"the item is {at}", 1), (f"it is {at + 7}", 0))
        completions = [{"completion": content("model", text), "score": score} for text, score in answers]
        return {"contents": [content("user", f"item {at}")], "completions": completions}

    path.write_text("".join(json.dumps(row(at)) + "\n" for at in range(first, first + count)))
    return str(path)


@pytest.fixture
def write_preference(write_config: Write, tmp_path: Path) -> Write:
    """Writes the configuration of a run over pairs."""

    def write(**changes: Any) -> str:
        data = {
            "train_data": write_pairs(tmp_path / "pairs.jsonl", 24),
            "evaluation_data": write_pairs(tmp_path / "held.jsonl", 5, first=100),
        }
        return write_config(**{**data, "method": "preference", "beta": BETA, "learning_rate": 0.01, **changes})

    return write


@pytest.mark.parametrize("begins", [0, 1])
def test_the_loss_of_a_pair_is_that_of_the_paper(write_preference: Write, begins: int) -> None:
    """-log σ(β(m - m₀)), from the log-likelihoods that supervised evaluation gives for each response alone; 24 pairs
    in several rows and batches, whatever adapter the run begins with."""
    import jax

    from tuneline.trainer import preference
    from tuneline.trainer.config import read_config
    from tuneline.trainer.evaluation import score
    from tuneline.trainer.lora import ALPHA, initial_adapter
    from tuneline.trainer.optimizer import optimizer
    from tuneline.trainer.packing import RowShape
    from tuneline.trainer.preparation import prepare
    from tuneline.trainer.program import build

    path = write_preference()
    run = prepare(read_config(json.loads(Path(path).read_text()), where=path), stand_in="")
    architecture, weights, shape = run.base.architecture, run.base.weights, RowShape(rows=2, length=64)
    rule = optimizer(learning_rate=0.1, steps=3)

    def shaken(seed: int) -> Any:
        random = np.random.default_rng(seed)
        fresh = initial_adapter(architecture, 2, 0)
        return jax.tree.map(lambda x: x + random.normal(0, 0.3, x.shape).astype(np.float32), fresh)

    before = shaken(1) if begins else initial_adapter(architecture, 2, 0)
    after = shaken(2)
    plain = build(architecture, weights, scale=float(ALPHA), rule=rule)
    over_pairs = build(architecture, weights, scale=float(ALPHA), rule=rule, **preference.objective(run, scale=ALPHA))
    referred = preference.with_references(run, before, None, scale=float(ALPHA))
    found = preference.score_pairs(over_pairs, after, referred.train.examples, shape)

    def margin(adapter: Any) -> np.ndarray:
        sides = [
            score(plain, adapter, [getattr(pair, side) for pair in run.train.examples], shape)
            for side in ("preferred", "rejected")
        ]
        return np.array([other.loss - one.loss for one, other in zip(*sides, strict=True)])

    gained = margin(after) - margin(before)
    assert [each.loss for each in found] == pytest.approx([math.log1p(math.exp(-BETA * g)) for g in gained], rel=1e-4)
    assert [each.correct for each in found] == [float(g > 0) for g in gained]
    untouched = preference.score_pairs(over_pairs, before, referred.train.examples, run.train_shape)
    assert {each.correct for each in untouched} == {0.5}


def test_pairs_held_out_are_told_apart_and_a_killed_run_ends_as_if_it_had_not_been(
    write_preference: Write, start: Start, tmp_path: Path
) -> None:
    """Half right before the first step; better after it; bit by bit the same when killed and started again."""
    config = write_preference()
    finish(start(config, tmp_path / "whole"))
    result = json.loads((tmp_path / "whole" / "result.json").read_text())
    base = result["base"]["evaluation"]
    assert (base["accuracy"], base["tokens"], base["loss"]) == (0.5, 5, pytest.approx(math.log(2)))
    last = result["checkpoints"][-1]["evaluation"]
    assert last["accuracy"] == 1.0
    assert last["loss"] < math.log(2) * 0.9
    curve = json_lines(tmp_path / "whole" / "metrics.jsonl")
    assert {row["/train_num_predictions"] for row in curve[1:]} == {4}
    run_with_kills(start, config, tmp_path / "killed", kills=1, seed=5)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_training_goes_on_from_an_adapter(
    write_config: Write, write_preference: Write, start: Start, tmp_path: Path
) -> None:
    """Where the first run ended the second begins: on supervised data, and on pairs; another rank is refused."""
    finish(start(write_config(prediction_data=""), tmp_path / "first"))
    first = json.loads((tmp_path / "first" / "result.json").read_text())
    newest = {"initial_adapter": first["checkpoints"][-1]["uri"], "prediction_data": ""}
    finish(start(write_config(**newest), tmp_path / "second"))
    second = json.loads((tmp_path / "second" / "result.json").read_text())
    before = first["checkpoints"][-1]["evaluation"]
    assert second["base"]["evaluation"]["loss"] == pytest.approx(before["loss"], abs=1e-5)
    assert second["checkpoints"][-1]["evaluation"]["loss"] < before["loss"]
    finish(start(write_preference(**newest), tmp_path / "pairs"))
    pairs = json.loads((tmp_path / "pairs" / "result.json").read_text())
    assert pairs["base"]["evaluation"]["accuracy"] == 0.5
    said = finish(start(write_config(**newest, adapter_size=4), tmp_path / "other"), code=2)
    assert 'write "adapter_size": 2' in said


def test_a_set_of_another_format_is_refused(write_preference: Write, start: Start, tmp_path: Path) -> None:
    """Pairs are not made up from single answers."""
    plain = write_rows(tmp_path / "plain.jsonl", rows(8))
    said = finish(start(write_preference(train_data=plain), tmp_path / "output"), code=3)
    assert "a preference set is needed" in said
