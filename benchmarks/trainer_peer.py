"""The same training step by transformers and peft, run by a Python that has them: see `benchmarks/trainer.py`.

    PYTHON benchmarks/trainer_peer.py FOLDER STEPS     speed: a JSON object on stdout

FOLDER is a Hugging Face folder with `batch.json` in it: rows of tokens, and of labels (-100 where nothing is learned).
Imports nothing of tuneline.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main() -> None:
    """Train on one batch again and again, and say how fast."""
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    batch = json.loads((folder / "batch.json").read_text())
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=MODULES))
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.0)
    tokens, labels = torch.tensor(batch["tokens"]), torch.tensor(batch["labels"])
    mask = torch.ones_like(tokens)

    def step() -> float:
        loss = model(input_ids=tokens, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    first = step()
    reached = time.time()
    for _ in range(3):
        step()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    seconds = time.perf_counter() - began
    print(json.dumps({"first": reached, "loss": first, "tokens_per_second": steps * tokens.numel() / seconds}))


if __name__ == "__main__":
    main()
