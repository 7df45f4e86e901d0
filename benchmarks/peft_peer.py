"""Logits by transformers and peft, run by a Python that has them: see `benchmarks/peft_check.py`.

    PYTHON benchmarks/peft_peer.py FOLDER...

Each FOLDER has `base/`, `adapter/`, `merged/` and `tokens.json`; what the base with the adapter and what the merged
model say to the tokens goes to `adapter.json` and `merged.json` there. Imports nothing of tuneline.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import peft
import torch
import transformers


def load(folder: Path) -> Any:
    """The model of a folder, with every tensor found and none left over."""
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    left = {key: sorted(report[key]) for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if report[key]}
    if left:
        raise SystemExit(f"{folder}: {left}")
    return model.eval()


def main() -> None:
    """Compute and write."""
    for folder in map(Path, sys.argv[1:]):
        tokens = torch.tensor(json.loads((folder / "tokens.json").read_text()))
        with torch.no_grad():
            merged = load(folder / "merged")(tokens).logits
            adapted = peft.PeftModel.from_pretrained(load(folder / "base"), folder / "adapter").eval()(tokens).logits
        (folder / "merged.json").write_text(json.dumps(merged.tolist()))
        (folder / "adapter.json").write_text(json.dumps(adapted.tolist()))
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")


if __name__ == "__main__":
    main()
