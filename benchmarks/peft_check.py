"""What we export, others compute the same with: `python -m benchmarks.peft_check --peer PYTHON`.

For each family of models: a base with random weights, an adapter of rank 8 written as a run writes it, and the merged
model of both, in two shards. `--peer` names a Python with torch, transformers and peft, which loads them without any of
our code. Prints the largest difference of logits as a table; ends with 1 where one is above 1e-4.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from tests.trainer.parity import folders
from tuneline.trainer import base_model, merging
from tuneline.trainer.lora import ALPHA, adapter_files, initial_adapter
from tuneline.trainer.model import hidden, logits

ROOT = Path(__file__).resolve().parents[1]
SHAPES = json.loads((ROOT / "tests" / "trainer" / "parity" / "parity.json").read_text())["families"]
TOLERANCE = 1e-4


def prepare(folder: Path, family: str) -> np.ndarray:
    """Everything that the other side loads, and our logits (rows, length, vocabulary) of base and adapter."""
    shapes = {name: tuple(shape) for name, shape in SHAPES[family]["shapes"].items()}
    source = folders.write(folder / "base", family, shapes)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base_model.BUILT_IN_FOLDER / name, source / name)
    base = base_model.load(base_model.resolve(str(source), stand_in=""), dtype=jnp.float32)
    adapter = initial_adapter(base.architecture, 8, 0)
    random = np.random.default_rng(1)
    for pair in adapter.values():
        pair["b"] = jnp.asarray(random.standard_normal(pair["b"].shape, np.float32) * 0.1)
    (folder / "adapter").mkdir()
    for name, data in adapter_files(adapter, base=str(source), family=base.architecture.family).items():
        (folder / "adapter" / name).write_bytes(data)
    merging.write_merged(base, adapter, float(ALPHA), uri=str(folder / "merged"), told_to_stop=lambda: False)
    (folder / "tokens.json").write_text(json.dumps(folders.TOKENS))
    tokens = np.asarray(folders.TOKENS, np.int32)
    positions = np.broadcast_to(np.arange(tokens.shape[1], dtype=np.int32), tokens.shape)
    states = hidden(base.architecture, base.weights, adapter, float(ALPHA), tokens, positions, np.ones_like(tokens))
    return np.asarray(logits(base.architecture, base.weights, states))


def main() -> int:
    """Prepare, have the peer compute, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, metavar="PYTHON", help="a Python with torch, transformers and peft")
    peer = parser.parse_args().peer
    # Small enough that these tiny models are written in more than one file.
    merging.SHARD_BYTES = 50_000
    with tempfile.TemporaryDirectory() as name:
        ours = {family: prepare(Path(name) / family, family) for family in folders.CONFIGS}
        command = [peer, str(ROOT / "benchmarks" / "peft_peer.py"), *(str(Path(name) / family) for family in ours)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = {
            family: [
                float(np.abs(np.asarray(json.loads((Path(name) / family / f"{part}.json").read_text())) - values).max())
                for part in ("adapter", "merged")
            ]
            for family, values in ours.items()
        }
    print(said.splitlines()[-1])
    print("\n| family | adapter, loaded by peft | merged, loaded by transformers |\n|---|---|---|")
    for family, (adapter, merged) in found.items():
        print(f"| {family} | {adapter:.1e} | {merged:.1e} |")
    return 1 if max(max(pair) for pair in found.values()) > TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())
