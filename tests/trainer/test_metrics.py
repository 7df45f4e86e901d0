"""The curves survive being taken up again: one event file with every kept row, whether or not another row follows."""

from __future__ import annotations

import json
from pathlib import Path

from tests.trainer.test_tensorboard import records
from tuneline.trainer.metrics import Metrics, read_rows


def test_taken_up_again_nothing_is_lost(tmp_path: Path) -> None:
    """The rows up to the checkpoint stay, those after it go, and the file of another second makes way."""
    first = Metrics(str(tmp_path), kept=[])
    for step in range(5):
        first.add({"step": step, "time": 1000.0 + step, "/train_total_loss": 1.0 / (step + 1)})
    first.flush()
    kept = read_rows(str(tmp_path), until=2)
    assert [row["step"] for row in kept] == [0, 1, 2]
    Metrics(str(tmp_path), kept=kept)
    assert [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [0, 1, 2]
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert len(records(events.read_bytes())) == 1 + 3
