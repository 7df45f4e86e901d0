"""`python -m tuneline.local.tuning FOLDER`: the process of a managed tuning job: data, then training, then the output.

Reads `request.json` in the folder, takes the data from the object store, chooses what the request leaves open, writes
`dataset.json` (statistics) and `config.json`, and trains. Started again after a crash, it finds its files and resumes.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from tuneline import objects
from tuneline.errors import TunelineError
from tuneline.local.folder import write_json
from tuneline.local.tuning.data import take

DEFAULT_BATCH = 8
DEFAULT_ADAPTER = 4
SEEN_BY_DEFAULT = 1500
"""Examples that a job without a number of epochs sees, about: small sets are read more often, as the service does."""
MOST_EPOCHS = 10
"""Of a job that leaves them open."""
MOST_CHECKPOINTS = 10
"""One an epoch up to so many epochs; above, so many evenly (spec: "about 10")."""
PUBLISHED = "postprocess/node-0/checkpoints/final"
"""Where below `outputUri` the adapter of an open model is put."""


def prepare(folder: Path) -> Path:
    """Check the data and write the trainer's configuration; answers its path. Raises DatasetError."""
    config = folder / "config.json"
    if config.exists():
        return config
    request = json.loads((folder / "request.json").read_text())
    how = {name: request[name] for name in ("model", "preference", "legacy")}
    rows = take(request["training"], folder / "training.jsonl", **how)
    validation = folder / "validation.jsonl"
    if request["validation"]:
        # Compared with the rows that are trained on, wherever they came from.
        take(request["validation"], validation, evaluation_of=str(folder / "training.jsonl"), **how)
    count = rows.examples
    batch = min(request["batch_size"] or DEFAULT_BATCH, count)
    epochs = request["epochs"] or max(1, min(MOST_EPOCHS, round(SEEN_BY_DEFAULT / count)))
    each = math.ceil(count / batch)
    write_json(folder / "dataset.json", {**rows.to_dict(), "epochs": epochs, "steps": each * epochs})
    write_json(
        config,
        {
            "version": 1,
            "base_model": request["base"],
            "train_data": str(folder / "training.jsonl"),
            "evaluation_data": str(validation) if request["validation"] else "",
            "train_steps": each * epochs,
            "batch_size": batch,
            "learning_rate": request["learning_rate"],
            "learning_rate_multiplier": request["multiplier"] or 1.0,
            "adapter_size": request["adapter_size"] or DEFAULT_ADAPTER,
            "initial_adapter": request["initial_adapter"],
            "evaluation_interval": each if epochs <= MOST_CHECKPOINTS else math.ceil(each * epochs / MOST_CHECKPOINTS),
            "early_stopping": False,
            # The base that stands in reads far less than the one it stands in for.
            "long_prompts": "cut",
            **({"method": "preference", "beta": request["beta"] or 0.1} if request["preference"] else {}),
        },
    )
    return config


def publish(folder: Path) -> None:
    """Copy the last checkpoint's adapter to where the job was asked to leave it."""
    request = json.loads((folder / "request.json").read_text())
    if request["output"]:
        result: dict[str, Any] = json.loads((folder / "output" / "result.json").read_text())
        made = Path(result["checkpoints"][-1]["uri"])
        for path in sorted(made.glob("adapter_*")):
            objects.write_bytes(objects.join(request["output"], PUBLISHED, path.name), path.read_bytes())


def main() -> int:
    """Prepare, train, publish; the exit code is the trainer's."""
    from tuneline.trainer.__main__ import main as train

    folder = Path(sys.argv[1])
    try:
        config = prepare(folder)
        sys.argv = ["tuneline.trainer", "--config", str(config), "--output", str(folder / "output")]
        code = train()
        if code == 0:
            publish(folder)
        return code
    except TunelineError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return error.exit_code if error.exit_code in (2, 3) else 1


if __name__ == "__main__":
    sys.exit(main())
