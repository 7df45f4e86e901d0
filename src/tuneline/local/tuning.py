"""`python -m tuneline.local.tuning FOLDER`: what a managed tuning job does, before it becomes the trainer.

Reads `request.json` in the folder, reads and checks the data as it stands in the object store, chooses what the
request leaves open, writes `dataset.json` (statistics) and `config.json`, and goes on as the trainer in the same
process. Started again after a crash, it finds its files and resumes.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

from tuneline.errors import DatasetError, Problem, TunelineError
from tuneline.local.folder import write_json

BASE = "builtin:tiny"
DEFAULT_BATCH = 8
DEFAULT_ADAPTER = 4
SEEN_BY_DEFAULT = 1500
"""Examples that a job without a number of epochs sees, about: small sets are read more often, as the service does."""
MOST_EPOCHS = 10
SHOWN = 3
"""Examples that the statistics show."""


def prepare(folder: Path) -> Path:
    """Check the data and write the trainer's configuration; answers its path. Raises DatasetError."""
    config = folder / "config.json"
    if config.exists():
        return config
    request = json.loads((folder / "request.json").read_text())
    facts = _facts(request["training"], request["base_model"])
    if request["validation"]:
        _facts(request["validation"], request["base_model"])
    count = facts["examples"]
    batch = min(request["batch_size"] or DEFAULT_BATCH, count)
    epochs = request["epochs"] or max(1, min(MOST_EPOCHS, round(SEEN_BY_DEFAULT / count)))
    each = math.ceil(count / batch)
    write_json(folder / "dataset.json", {**facts, "epochs": epochs, "steps": each * epochs})
    write_json(
        config,
        {
            "version": 1,
            "base_model": BASE,
            "train_data": request["training"],
            "evaluation_data": request["validation"],
            "prediction_data": "",
            "format": "",
            "train_steps": each * epochs,
            "batch_size": batch,
            "learning_rate": request["learning_rate"],
            "learning_rate_multiplier": request["multiplier"] or 1.0,
            "adapter_size": request["adapter_size"] or DEFAULT_ADAPTER,
            "evaluation_interval": each,  # one evaluation and one checkpoint an epoch
            "early_stopping": False,
        },
    )
    return config


def _facts(uri: str, model: str) -> dict[str, Any]:
    """The statistics of a dataset; raises DatasetError where it cannot be tuned on."""
    from tuneline import catalog, datasets

    known = catalog.find_model(model)
    report = datasets.check(uri, model=model if known else None).to_dict()
    if not report["valid"]:
        errors = [each for each in report["findings"] if each["severity"] == "error"]
        raise DatasetError(
            Problem(where=f"{uri} line {each['line']}", what=each["message"], fix=each["hint"]) for each in errors
        )
    turns = [
        [{"role": "model" if turn.role == "assistant" else turn.role, "text": turn.text} for turn in example.turns]
        for example, _ in zip(datasets.read_examples(uri), range(SHOWN), strict=False)
    ]
    return {"examples": report["examples"], "statistics": report["statistics"], "shown": turns}


def main() -> None:
    """Prepare, then be the trainer."""
    folder = Path(sys.argv[1])
    try:
        config = prepare(folder)
    except TunelineError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        sys.exit(error.exit_code if error.exit_code in (2, 3) else 1)
    command = [sys.executable, "-m", "tuneline.trainer", "--config", str(config), "--output", str(folder / "output")]
    os.execve(command[0], command, dict(os.environ))


if __name__ == "__main__":
    main()
