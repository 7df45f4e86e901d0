"""Weights are read without being in memory twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.trainer.conftest import SHAPE
from tuneline.trainer.architecture import read_architecture
from tuneline.trainer.weights import MODULES, tensor_names

# 80 MB in bf16, over four shards; the largest kind of a layer's tensors is a third of it.
LARGE = {**SHAPE, "hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 16, "num_attention_heads": 8}

_LOAD = """
import sys
from pathlib import Path
import jax, jax.numpy as jnp, ml_dtypes, json
from tuneline.trainer.architecture import read_architecture
from tuneline.trainer.weights import load_weights
folder = Path(sys.argv[1])
architecture = read_architecture(json.loads((folder / "config.json").read_text()), where="test")
def kibibytes(name):
    return int(Path("/proc/self/status").read_text().partition(name + ":")[2].split()[0])
jnp.zeros(8).block_until_ready()
Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
before = kibibytes("VmRSS")
weights = load_weights(folder, architecture, jnp.bfloat16)
jax.block_until_ready(weights)
size = sum(leaf.nbytes for leaf in jax.tree.leaves(weights))
print((kibibytes("VmHWM") - before) * 1024 / size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
def test_loading_takes_little_more_than_the_weights(tmp_path: Path) -> None:
    """The peak of a process that loads a sharded folder is under 1.4 times the weights: a kind of tensors and one of
    its layers are there twice for a moment, never the whole."""
    import ml_dtypes

    architecture = read_architecture(LARGE, where="test")
    shapes = {"embed": (architecture.vocabulary, architecture.width), "norm": (architecture.width,)}
    tensors = {"model.embed_tokens.weight": np.zeros(shapes["embed"]), "model.norm.weight": np.ones(shapes["norm"])}
    for name, pattern in tensor_names(architecture).items():
        shape = architecture.linear_shapes[name][::-1] if name in MODULES else (architecture.width,)
        tensors |= {pattern.format(layer): np.ones(shape, np.float16) for layer in range(architecture.layers)}
    names = sorted(tensors)
    shards = {f"model-{at + 1:05d}-of-00004.safetensors": names[at::4] for at in range(4)}
    for file, part in shards.items():
        save_file({name: tensors[name].astype(ml_dtypes.bfloat16) for name in part}, tmp_path / file)
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").write_text(json.dumps(LARGE))
    said = subprocess.run(
        [sys.executable, "-c", _LOAD, str(tmp_path)], check=True, capture_output=True, text=True, env=dict(os.environ)
    )
    assert float(said.stdout) < 1.4
