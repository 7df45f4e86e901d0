"""What a run keeps of its checkpoints: those that matter, and of the others the best, whatever dies in between."""

from __future__ import annotations

import json
import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tuneline import checkpoints as room
from tuneline import objects
from tuneline.trainer import selection
from tuneline.trainer.checkpoints import complete, sweep, write
from tuneline.trainer.config import Config

EXAMPLES, TOKENS = 50, 10


def config(keep: int, choice: str = "default", evaluated: bool = True) -> Config:
    return Config(
        base_model="b",
        train_data="t",
        evaluation_data="e" if evaluated else "",
        keep_checkpoints=keep,
        enable_checkpoint_selection=choice,
    )


def save(output: Path, step: int, accuracy: float | None) -> None:
    """A checkpoint with an evaluation whose examples differ, as real ones do."""
    evaluation = None
    if accuracy is not None:
        drawn = random.Random(step)
        rows = [
            {
                "index": at,
                "loss": 1.0,
                "tokens": TOKENS,
                "correct": sum(drawn.random() < accuracy for _ in range(TOKENS)),
            }
            for at in range(EXAMPLES)
        ]
        correct = sum(row["correct"] for row in rows)
        evaluation = {"loss": 1.0, "accuracy": correct / (EXAMPLES * TOKENS), "tokens": 500, "examples": EXAMPLES}
        uri = objects.join(str(output), "evaluations", f"step-{step:06d}.jsonl")
        objects.write_bytes(uri, "".join(json.dumps(row) + "\n" for row in rows).encode())
    record = {"step": step, "epoch": step / 10, "evaluation": evaluation, "stopped": False, "evaluations": []}
    write(str(output), step=step, files={"adapter_model.safetensors": b"a"}, state=b"s", record=record)


def kept(output: Path) -> list[int]:
    return [checkpoint.step for checkpoint in complete(str(output))]


def test_the_choice_among_all_is_among_those_kept(tmp_path: Path) -> None:
    """Thirty checkpoints of a rising and falling curve, six kept: selection chooses as if nothing had been deleted."""
    curve = [0.3 + 0.02 * at if at < 25 else 0.6 for at in range(30)]
    for at, accuracy in enumerate(curve):
        for output, keep in (("all", 0), ("few", 6)):
            save(tmp_path / output, at + 1, accuracy)
            selection.prune(str(tmp_path / output), config(keep))
    chosen = {}
    for output in ("all", "few"):
        made = selection.made(str(tmp_path / output))
        chosen[output] = selection.selected(str(tmp_path / output), made, config(0)).step
    assert len(kept(tmp_path / "all")) == 30
    assert len(kept(tmp_path / "few")) == 6
    assert kept(tmp_path / "few")[-2:] == [29, 30]
    assert chosen["few"] == chosen["all"]
    assert len(list((tmp_path / "few" / "evaluations").iterdir())) == 30


def test_the_trainer_chooses_as_the_rest_of_the_house(tmp_path: Path) -> None:
    """`tuneline.checkpoints` reads the same files and chooses the same step, by evaluation and without."""
    for step, accuracy in enumerate((0.4, 0.7, 0.72, 0.71), 1):
        save(tmp_path, step, accuracy)
    made = selection.made(str(tmp_path))
    rows = [
        {"step": c.step, "uri": c.uri, "epoch": c.record["epoch"], "evaluation": c.record["evaluation"]} for c in made
    ]
    objects.write_json(f"{tmp_path}/result.json", {"steps": 4, "checkpoints": rows})
    result = room.read_result(str(tmp_path))
    for choice in ("default", "true", "false"):
        ours = selection.selected(str(tmp_path), made, config(0, choice))
        assert ours.step == room.choose(result, choice).checkpoint.step


def test_without_evaluations_the_last_are_kept(tmp_path: Path) -> None:
    """Age is all there is to go by."""
    for step in range(1, 8):
        save(tmp_path, step, None)
        selection.prune(str(tmp_path), config(3, evaluated=False))
    assert kept(tmp_path) == [5, 6, 7]


@given(st.lists(st.floats(0.2, 0.9), min_size=5, max_size=9), st.data())
@settings(max_examples=15, deadline=None)
def test_a_death_while_deleting_changes_nothing(curve: list[float], data: st.DataObject) -> None:
    """Whichever of the deletions did not happen, the next attempt deletes the same, and sweeps what is left over."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        steady, dying = Path(name) / "steady", Path(name) / "dying"
        for step, accuracy in enumerate(curve, 1):
            save(steady, step, accuracy)
            selection.prune(str(steady), config(3))
            save(dying, step, accuracy)
            if data.draw(st.booleans()):
                # It dies in the midst of the first deletion, when the mark of completeness is gone.
                copy = Path(name) / "copy"
                shutil.copytree(dying, copy)
                selection.prune(str(copy), config(3))
                for gone in set(kept(dying)) - set(kept(copy)):
                    (dying / "checkpoints" / f"step-{gone:06d}" / "checkpoint.json").unlink()
                    break
                shutil.rmtree(copy)
            sweep(str(dying))
            selection.prune(str(dying), config(3))
            assert kept(dying) == kept(steady)
        left = {path.parent.name for path in dying.glob("checkpoints/*/*")}
        assert left == {f"step-{step:06d}" for step in kept(dying)}
