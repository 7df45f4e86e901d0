"""A run over several devices computes what it computes on one: loss, gradients and evaluation."""

from __future__ import annotations

import json
import os
import subprocess
import sys

PROGRAM = """
import dataclasses, json, sys
import jax, jax.numpy as jnp, numpy as np, optax
from tests.trainer.conftest import SHAPE
from tuneline.trainer import loss
from tuneline.trainer.architecture import read_architecture
from tuneline.trainer.lora import initial_adapter
from tuneline.trainer.model import SAVE_LINEAR, SAVE_NOTHING, initial_weights
from tuneline.trainer.placement import ONE, over_all_devices
from tuneline.trainer.program import build

loss.CHUNK_SCORES = 2**16  # so that the scores are cut into chunks
architecture = read_architecture(SHAPE, where="test")
weights = jax.tree.map(np.asarray, initial_weights(architecture, 0))
random = np.random.default_rng(0)
shape = (8, 48)
batch = {
    "tokens": random.integers(0, 1024, shape).astype(np.int32),
    "targets": random.integers(0, 1024, shape).astype(np.int32),
    "positions": np.tile(np.arange(24, dtype=np.int32), (8, 2)),
    "segments": np.repeat(np.array([[1, 2]], np.int32), 24, axis=1).repeat(8, axis=0),
    "counted": (random.random(shape) < 0.5).astype(np.float32),
}
rule = optax.sgd(1.0)
out = []
four = over_all_devices(architecture, jnp.float32)
for placement, remat in ((ONE, ""), (four, SAVE_LINEAR), (four, SAVE_NOTHING)):
    placed = {k: placement.weight(k, v) for k, v in weights.items() if k != "layers"}
    placed["layers"] = {k: placement.weight("layers." + k, v) for k, v in weights["layers"].items()}
    adapter = initial_adapter(architecture, 4, 0)
    adapter = placement.whole(jax.tree.map(lambda x: x + 0.01, adapter))
    before = jax.tree.map(np.asarray, adapter)
    program = build(architecture, placed, scale=2.0, rule=rule, remat=remat, placement=placement)
    losses, correct = program.evaluate(adapter, batch)
    state = placement.whole(rule.init(adapter))
    after, _, step = program.step(adapter, state, [batch, batch])
    moved = zip(jax.tree.leaves(before), jax.tree.leaves(after))
    slopes = np.concatenate([(np.asarray(b) - a).ravel() for b, a in moved])
    cut = sum(not leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(placed))
    out.append((placement.devices, cut, float(step.loss), np.asarray(losses), slopes))
one = out[0]
print(json.dumps([
    {"devices": d, "cut": cut, "loss": abs(l - one[2]), "losses": float(np.abs(e - one[3]).max()),
     "slopes": float(np.abs(s - one[4]).max()), "size": float(np.abs(one[4]).max())}
    for d, cut, l, e, s in out
]))
"""


def test_four_devices_compute_what_one_computes() -> None:
    """Weights and rows cut over four devices, activations computed again: all figures agree to 1e-6."""
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, *several = json.loads(done.stdout.splitlines()[-1])
    assert one["devices"] == 1
    assert one["size"] > 1e-4
    for row in several:
        assert row["devices"] == 4
        assert row["cut"] >= 10
        assert max(row["loss"], row["losses"], row["slopes"]) < 1e-6 * max(1, one["size"])
