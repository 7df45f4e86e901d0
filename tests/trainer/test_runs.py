"""A run writes what docs/trainer.md says, goes on where it stopped, bit by bit, and refuses what it cannot do well."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.conftest import finish, json_lines, rows
from tests.trainer.test_tensorboard import records
from tuneline.trainer import metrics
from tuneline.trainer.run import run
from tuneline.trainer.stop import Stopped

Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where the run that others are compared with will be, once a test has made it."""
    return {"folder": tmp_path_factory.mktemp("finished") / "output"}


@pytest.fixture
def reference(finished: dict[str, Path], start: Start, write_config: Write) -> Path:
    """A run that nothing disturbed."""
    if not finished["folder"].exists():
        finish(start(write_config(), finished["folder"]))
    return finished["folder"]


def test_the_files_of_a_run(reference: Path) -> None:
    """Curves, evaluations, checkpoints, predictions and the result, each in its documented form."""
    result = json.loads((reference / "result.json").read_text())
    assert (result["state"], result["steps"], result["stop_reason"]) == ("succeeded", 12, "train_steps")
    assert [c["step"] for c in result["checkpoints"]] == [4, 8, 12]
    assert result["base_model"]["stand_in"] is False
    assert result["dataset"]["examples"] == 24
    curve = json_lines(reference / "metrics.jsonl")
    assert [row["step"] for row in curve] == list(range(13))
    assert [row["step"] for row in curve if "/eval_total_loss" in row] == [0, 4, 8, 12]
    for checkpoint, step in zip([result["base"], *result["checkpoints"]], (0, 4, 8, 12), strict=True):
        scores = json_lines(reference / "evaluations" / f"step-{step:06d}.jsonl")
        evaluation = checkpoint["evaluation"]
        assert [score["index"] for score in scores] == list(range(5))
        assert evaluation["tokens"] == sum(score["tokens"] for score in scores)
        assert evaluation["loss"] == pytest.approx(sum(score["loss"] for score in scores) / evaluation["tokens"])
        assert evaluation["accuracy"] == sum(score["correct"] for score in scores) / evaluation["tokens"]
    assert curve[12]["/train_total_loss"] < curve[1]["/train_total_loss"]
    assert result["checkpoints"][-1]["evaluation"]["loss"] < result["base"]["evaluation"]["loss"]


def test_predictions_of_base_and_candidates(reference: Path) -> None:
    """Each prediction stands beside its input and what was expected; where result.json names a file, it is there."""
    result = json.loads((reference / "result.json").read_text())
    named = [entry["predictions"] for entry in (result["base"], *result["checkpoints"]) if entry["predictions"]]
    assert str(reference / "predictions" / "base.jsonl") in named
    assert str(reference / "predictions" / "step-000012.jsonl") in named
    for uri in named:
        predicted = json_lines(Path(uri))
        assert [(row["input"], row["expected"]) for row in predicted] == [
            (row["input_text"], row["output_text"]) for row in rows(3, first=200)
        ]
        assert {row["finish"] for row in predicted} <= {"stop", "length"}


def test_tensorboard_holds_the_same_curves(reference: Path) -> None:
    """One event file: its version, then a record for every row of metrics.jsonl."""
    (path,) = (reference / "tensorboard").iterdir()
    events = records(path.read_bytes())
    assert len(events) == 1 + 13
    assert b"/eval_num_predictions" in events[1]
    assert b"/train_fraction_of_correct_next_step_preds" in events[2]


def test_others_can_read_what_was_written(reference: Path) -> None:
    """Files are readable by other users, as far as the umask lets them be."""
    umask = os.umask(0)
    os.umask(umask)
    for path in reference.rglob("*.safetensors"):
        assert path.stat().st_mode & 0o044 == 0o044 & ~umask


def test_a_complete_run_is_left_alone(reference: Path, start: Start, write_config: Write) -> None:
    """The same command again changes nothing and ends well."""
    before = {path: path.stat().st_mtime_ns for path in reference.rglob("*.*") if path.is_file()}
    said = finish(start(_same(reference, write_config), reference))
    assert "complete already" in said
    assert {path: path.stat().st_mtime_ns for path in reference.rglob("*.*") if path.is_file()} == before


def test_a_changed_configuration_is_refused(reference: Path, start: Start, write_config: Write) -> None:
    """The error names every field that differs, with both values."""
    said = finish(start(_same(reference, write_config, seed=3, learning_rate_multiplier=2.0), reference), code=2)
    assert "seed: was 0" in said
    assert "learning_rate_multiplier: was 1.0" in said


def _same(reference: Path, write_config: Write, **changes: Any) -> str:
    before = json.loads((reference / "run.json").read_text())
    data = {name: before[name] for name in ("train_data", "evaluation_data", "prediction_data")}
    return write_config(**data, **changes)


def run_with_kills(start: Start, config: str, output: Path, kills: int, seed: int) -> int:
    """Kill the run `kills` times, each a random while after it began to train or predict; then let it end.

    Returns how often it was killed before it was done.
    """
    r = random.Random(seed)
    killed = 0
    for _ in range(kills):
        process = start(config, output)
        assert process.stderr is not None
        lines = r.randrange(1, 7)
        for _ in range(lines):
            if not process.stderr.readline():
                break
        time.sleep(r.random() * 0.2)  # any moment will do, and there is none to wait for
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    finish(start(config, output))
    return killed


def test_killed_and_resumed_is_the_same_bit_by_bit(
    reference: Path, start: Start, write_config: Write, tmp_path: Path
) -> None:
    """kill -9 at three random moments: adapters, optimizer state, evaluations and predictions equal those of a run
    that nothing disturbed, and the curve has every step once."""
    output = tmp_path / "output"
    assert run_with_kills(start, write_config(), output, kills=3, seed=1) >= 1
    assert_same(reference, output)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_twenty_random_kills(start: Start, write_config: Write, tmp_path: Path) -> None:
    """The same for twenty moments of runs that delete checkpoints as they go, and export a merged model at the end."""
    config = write_config(train_steps=40, keep_checkpoints=3, export_merged=True)
    undisturbed = tmp_path / "undisturbed"
    finish(start(config, undisturbed))
    killed = runs = 0
    while killed < 20:
        output = tmp_path / f"output{runs}"
        killed += run_with_kills(start, config, output, kills=min(7, 20 - killed), seed=100 + runs)
        assert_same(undisturbed, output, steps=40)
        runs += 1


def assert_same(reference: Path, output: Path, *, steps: int = 12) -> None:
    """Every file is that of the other run, byte by byte, but for the times of the curves."""
    expected, found = (files(folder) for folder in (reference, output))
    assert sorted(found) == sorted(expected)
    assert {name for name in found if found[name] != expected[name]} == set()
    assert [row["step"] for row in json_lines(output / "metrics.jsonl")] == list(range(steps + 1))
    assert len(list((output / "tensorboard").iterdir())) == 1


def files(output: Path) -> dict[str, bytes]:
    """The files of a run that hold no time and no place of their own."""
    timed = ("metrics.jsonl", "result.json", "run.json", "lock")
    paths = [path for path in output.rglob("*") if path.is_file() and path.parent.name != "tensorboard"]
    return {str(path.relative_to(output)): path.read_bytes() for path in paths if path.name not in timed}


def test_sigterm_leaves_a_checkpoint_and_says_resume_me(
    reference: Path, start: Start, write_config: Write, tmp_path: Path
) -> None:
    """Exit code 75 from the middle of an interval; the next attempt goes on from there, to the same end."""
    output, config = tmp_path / "output", write_config()
    process = start(config, output)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("step 4/12"):
            break
    process.terminate()
    said = process.communicate(timeout=240)[1]
    assert process.returncode == 75, said
    assert "run the same command again" in said.splitlines()[-1]
    assert not (output / "result.json").exists()
    assert "resuming after step" in finish(start(config, output))
    assert_same(reference, output)


def test_told_to_stop_right_after_the_curves_were_written(
    write_config: Write, tmp_path: Path, compiled: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step is saved though nothing of it is left to be written down."""
    monkeypatch.setattr(metrics, "INTERVAL_S", 0.0)
    asked: list[bool] = []

    def at_the_second() -> bool:
        asked.append(True)
        return len(asked) == 2

    output = tmp_path / "output"
    with pytest.raises(Stopped, match="after step 2"):
        run(write_config(evaluation_data=""), str(output), environment=compiled, told_to_stop=at_the_second)
    assert (output / "checkpoints" / "step-000002" / "checkpoint.json").exists()


def test_one_output_has_one_writer(start: Start, write_config: Write, tmp_path: Path) -> None:
    """A second process in the same output leaves at once; the first is not disturbed."""
    output, config = tmp_path / "output", write_config(prediction_data="", train_steps=4)
    first = start(config, output)
    assert first.stderr is not None
    first.stderr.readline()
    said = finish(start(config, output), code=1)
    assert "in use by another process" in said.splitlines()[-1]
    finish(first)


def test_the_claim_decides_who_trains(start: Start, write_config: Write, tmp_path: Path) -> None:
    """The first makes the ledger's object; one with another nonce leaves with 0 and writes nothing."""
    claim, config = tmp_path / "1.job", write_config(train_steps=1, evaluation_data="", prediction_data="")
    job = {"TUNELINE_CLAIM": str(claim), "TUNELINE_NONCE": "a", "TUNELINE_JOB_NAME": "projects/p/customJobs/7"}
    finish(start(config, tmp_path / "mine", **job))
    assert json.loads(claim.read_text()) == {"nonce": "a", "name": "projects/p/customJobs/7"}
    said = finish(start(config, tmp_path / "other", **{**job, "TUNELINE_NONCE": "b"}))
    assert "projects/p/customJobs/7" in said
    assert not (tmp_path / "other").exists()
