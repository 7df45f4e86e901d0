"""What a run cannot do well it refuses in one sentence, with nothing half-written behind it."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trainer.conftest import SHAPE, finish, make_base, rows, write_rows
from tuneline.errors import DatasetError, UsageError
from tuneline.trainer.run import run

Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., str]


def test_a_loss_that_is_no_number_stops_the_run(start: Start, write_config: Write, tmp_path: Path) -> None:
    """The error names the step and the lines of its batch; no checkpoint of it is made."""
    config = write_config(learning_rate=1e30, evaluation_data="")
    said = finish(start(config, tmp_path / "output"), code=1).splitlines()[-1]
    assert "the loss became" in said
    assert "lines " in said
    assert not list((tmp_path / "output").glob("checkpoints/*"))


def test_bad_input_is_told_before_anything_is_written(start: Start, write_config: Write, tmp_path: Path) -> None:
    """Exit code 2 for the configuration, 3 for the data; the last line says what and where."""
    said = finish(start(write_config(train_stepps=3), tmp_path / "a"), code=2)
    assert "did you mean train_steps?" in said.splitlines()[-1]
    assert not (tmp_path / "a").exists()
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"input_text": "a"}\n')
    said = finish(start(write_config(train_data=str(broken)), tmp_path / "b"), code=3)
    assert "broken.jsonl" in said.splitlines()[-1]
    assert not (tmp_path / "b" / "run.json").exists()


def test_an_evaluation_set_of_one_line_will_do(start: Start, write_config: Write, tmp_path: Path) -> None:
    """One example is evaluated like many."""
    single = write_rows(tmp_path / "single.jsonl", rows(1, first=300))
    finish(start(write_config(evaluation_data=single, prediction_data="", train_steps=4), tmp_path / "output"))
    result = json.loads((tmp_path / "output" / "result.json").read_text())
    assert result["checkpoints"][0]["evaluation"]["examples"] == 1


def test_what_cannot_be_a_checkpoint_is_none(start: Start, write_config: Write, tmp_path: Path) -> None:
    """An update after which nothing can be computed is found out before it is saved, whatever its own step's loss."""
    output = tmp_path / "output"
    # Warm-up keeps the first steps harmless; then the rate is beyond all measure.
    config = write_config(learning_rate=1e37, train_steps=12, evaluation_interval=1, adapter_size=1)
    said = finish(start(config, output), code=1).splitlines()[-1]
    assert "lines " in said
    assert "in another output" in said
    for path in output.glob("checkpoints/*/checkpoint.json"):
        losses = [entry["loss"] for entry in json.loads(path.read_text())["evaluations"]]
        assert all(loss == loss for loss in losses)
    assert "NaN" not in (output / "metrics.jsonl").read_text()


def test_a_folder_that_cannot_be_written(start: Start, write_config: Write, tmp_path: Path) -> None:
    """An output under a file is refused as a wrong parameter, before the base is loaded."""
    (tmp_path / "file").write_text("in the way")
    said = finish(start(write_config(), tmp_path / "file" / "output"), code=2).splitlines()[-1]
    assert "--output" in said
    assert "cannot be written" in said


def test_a_disk_that_takes_no_more(start: Start, write_config: Write, compiled: dict[str, str], tmp_path: Path) -> None:
    """A refused write ends the run by naming the file; nothing half-written is there, and given room it goes on to
    the end of a run that never lacked it."""
    config, output, other = write_config(export_merged=True), tmp_path / "output", tmp_path / "other"
    finish(start(config, other))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file of this process may be longer: the optimizer's state is, the adapter is not.
    resource.setrlimit(resource.RLIMIT_FSIZE, (24_000, before[1]))
    try:
        process = start(config, output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = finish(process, code=1).splitlines()[-1]
    assert "training_state.safetensors" in said
    assert "too large" in said
    assert not list(output.rglob("checkpoint.json"))
    assert not [path for path in output.rglob("*") if "unfinished" in path.name]
    finish(start(config, output))
    for path in other.rglob("*.safetensors"):
        assert (output / path.relative_to(other)).read_bytes() == path.read_bytes()


def refused(config: str, output: Path, kind: type[Exception]) -> str:
    """What a run in this process refuses its configuration with; nothing may have been written then."""
    with pytest.raises(kind) as caught:
        run(config, str(output), environment={"XDG_CACHE_HOME": str(output)}, told_to_stop=lambda: False)
    assert not (output / "run.json").exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("tokenizer.json", "{", "tokenizer.json: cannot be read"),
        ("tokenizer_config.json", "[1", "tokenizer_config.json: cannot be read"),
        ("config.json", "{,", "config.json:1"),
        ("chat_template.jinja", "{{ 1 + messages[0].content }}", "its chat template failed"),
        ("chat_template.jinja", "{% for %}", "its chat template is broken"),
        ("model.safetensors", "", "is no safetensors file"),
    ],
)
def test_a_broken_base_is_named(
    small_base: Path, write_config: Write, tmp_path: Path, file: str, content: str, says: str
) -> None:
    """The file at fault and what is wrong with it; nothing is written."""
    folder = shutil.copytree(small_base, tmp_path / "base")
    (folder / file).write_text(content)
    assert says in refused(write_config(base_model=str(folder)), tmp_path / "output", UsageError)


def test_a_tokenizer_of_another_model_is_refused(write_config: Write, tmp_path: Path) -> None:
    """Tokens that the model has no embedding for are found before the first step, not drawn from its edge."""
    folder = make_base(tmp_path / "base", {**SHAPE, "vocab_size": 300})
    said = refused(write_config(base_model=str(folder)), tmp_path / "output", UsageError)
    assert "and the model knows 300" in said


def test_every_example_over_length(write_config: Write, tmp_path: Path) -> None:
    """The error names the set and the length."""
    said = refused(write_config(max_length=4), tmp_path / "output", DatasetError)
    assert "train.jsonl: every prompt is 4 tokens or longer" in said


def test_a_bucket_that_does_not_exist(start: Start, write_config: Write, storage_url: str) -> None:
    """An output in a bucket that is not there: the service's own words, and no attempt at training."""
    output = "gs://no-such-bucket-here/output"
    process = start(write_config(), output, STORAGE_EMULATOR_HOST=storage_url)
    said = finish(process, code=1)
    assert "no-such-bucket-here" in said.splitlines()[-1]
    assert "step 0" not in said
