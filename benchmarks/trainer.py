"""The trainer's speed on a CPU, against its peers in the same run: `python -m benchmarks.trainer cpu --peer PYTHON`.

`--peer` names a Python with torch, transformers and peft (`pip install torch transformers peft` in an environment of
its own). Prints the tables and verdicts of benchmarks/README.md:

- **a step**: LoRA of rank 8 on all linear layers of a Llama of 3 million parameters, batches of 8 × 256 tokens of which
  the second half is learned; the two sides take turns, a process each time, and the median of the turns counts. Both
  start from the same folder and the same batch: their first losses are compared, so that the work is known to be one.
- **a start**: from the command `python -m tuneline.trainer` to its first step, with an empty compilation cache, and
  with the one that this left.
- **the sample task**: `examples/numbers.yaml`'s data on the built-in base: from the command to the result, with the
  share of held-out examples that base and selected checkpoint answer exactly.
- **generation**: the trainer's against the naive loop, which runs the whole sequence again for each token.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tuneline import checkpoints, evaluation

ROOT = Path(__file__).resolve().parents[1]
ROWS, LENGTH, RANK = 8, 256, 8
SHAPE: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 2048,
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "eos_token_id": 2,
}


def make_folder(folder: Path) -> None:
    """The base of both sides, with random weights, and the batch that they train on."""
    import numpy as np
    from safetensors.numpy import save_file

    from tuneline.trainer.architecture import read_architecture
    from tuneline.trainer.base_model import BUILT_IN_FOLDER
    from tuneline.trainer.model import initial_weights
    from tuneline.trainer.weights import hf_tensors

    folder.mkdir()
    architecture = read_architecture(SHAPE, where="benchmark")
    save_file(
        hf_tensors(architecture, initial_weights(architecture, 0)), folder / "model.safetensors", {"format": "pt"}
    )
    (folder / "config.json").write_text(json.dumps(SHAPE))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(BUILT_IN_FOLDER / name, folder / name)
    tokens = np.random.default_rng(0).integers(3, 1000, (ROWS, LENGTH))
    labels = np.where(np.arange(LENGTH) < LENGTH // 2, -100, tokens)
    (folder / "batch.json").write_text(json.dumps({"tokens": tokens.tolist(), "labels": labels.tolist()}))


def our_speed(folder: Path, steps: int) -> None:
    """The counterpart of `trainer_peer.py`: prints the same JSON object."""
    from tuneline.trainer import devices

    devices.prepare(os.environ)
    import jax
    import jax.numpy as jnp
    import numpy as np

    from tuneline.trainer import recompute
    from tuneline.trainer.architecture import read_architecture
    from tuneline.trainer.lora import ALPHA, initial_adapter
    from tuneline.trainer.optimizer import optimizer
    from tuneline.trainer.packing import RowShape
    from tuneline.trainer.placement import ONE
    from tuneline.trainer.program import build
    from tuneline.trainer.weights import load_weights

    architecture = read_architecture(SHAPE, where="benchmark")
    rule = optimizer(learning_rate=1e-3, steps=1000)
    weights = load_weights(folder, architecture, jnp.float32)
    remat = recompute.choose(architecture, RowShape(rows=ROWS, length=LENGTH), ONE)
    program = build(architecture, weights, scale=float(ALPHA), rule=rule, remat=remat)
    adapter = initial_adapter(architecture, RANK, 0)
    state = rule.init(adapter)
    given = json.loads((folder / "batch.json").read_text())
    tokens, labels = (np.asarray(given[name], np.int32) for name in ("tokens", "labels"))
    targets = np.roll(labels, -1, axis=1)
    targets[:, -1] = -100
    batch = {
        "tokens": tokens,
        "positions": np.tile(np.arange(LENGTH, dtype=np.int32), (ROWS, 1)),
        "segments": np.ones_like(tokens),
        "targets": np.maximum(targets, 0),
        "counted": (targets >= 0).astype(np.float32),
    }
    adapter, state, result = program.step(adapter, state, [batch])
    first = float(result.loss)
    reached = time.time()
    for _ in range(3):
        adapter, state, result = program.step(adapter, state, [batch])
    jax.block_until_ready(result.loss)
    began = time.perf_counter()
    for _ in range(steps):
        adapter, state, result = program.step(adapter, state, [batch])
    jax.block_until_ready((adapter, result.loss))
    seconds = time.perf_counter() - began
    print(json.dumps({"first": reached, "loss": first, "tokens_per_second": steps * tokens.size / seconds}))


def turn(command: list[str]) -> dict[str, float]:
    """One process of either side: its figures, with the seconds from its start to its first step."""
    began = time.time()
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=False, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return {**said, "first": said["first"] - began}


def start_seconds(folder: Path, cache: Path, output: Path) -> float:
    """From the trainer's command to its first step's line."""
    config, data = folder / "config-of-run.json", folder / "data.jsonl"
    words = " ".join(f"word{number}" for number in range(30))
    data.write_text(
        "".join(json.dumps({"input_text": f"{at} {words}", "output_text": words}) + "\n" for at in range(8))
    )
    fields = {"base_model": str(folder), "train_data": str(data), "train_steps": 1, "max_length": LENGTH}
    config.write_text(json.dumps({"version": 1, **fields}))
    command = [sys.executable, "-m", "tuneline.trainer", "--config", str(config), "--output", str(output)]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "XDG_CACHE_HOME": str(cache)}
    )
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith("step 1/1"):
            seconds = time.perf_counter() - began
            break
    else:
        raise SystemExit(f"the trainer made no step:\n{said}")
    process.communicate()
    return seconds


def sample_task(folder: Path) -> tuple[float, float, float]:
    """Seconds of the whole run, and the shares of exact answers by the base and by the selected checkpoint."""
    data = ROOT / "examples" / "data" / "numbers"
    fields = {
        "base_model": "builtin:tiny",
        "train_data": str(data / "train.jsonl"),
        "evaluation_data": str(data / "evaluation.jsonl"),
        "prediction_data": str(data / "test.jsonl"),
    }
    config, output = folder / "sample.json", folder / "sample"
    config.write_text(json.dumps({"version": 1, **fields}))
    command = [sys.executable, "-m", "tuneline.trainer", "--config", str(config), "--output", str(output)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "sample-cache")}
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    seconds = time.perf_counter() - began
    kept = checkpoints.choose(checkpoints.read_result(str(output))).checkpoint
    shares = []
    for uri in (str(output / "predictions" / "base.jsonl"), kept.predictions):
        rows = evaluation.read_predictions(uri)
        shares.append(sum(row.prediction == row.expected for row in rows) / len(rows))
    return seconds, *shares


def generation_seconds(prompts: int = 32, prompt_length: int = 32, new: int = 64) -> tuple[float, float]:
    """Seconds for one batch of prompts: the trainer's generation, and the naive loop with the same compiled model."""
    from tuneline.trainer import devices

    devices.prepare(os.environ)
    import jax
    import jax.numpy as jnp
    import numpy as np

    from tuneline.trainer.architecture import read_architecture
    from tuneline.trainer.generation import build_generator
    from tuneline.trainer.model import hidden, initial_weights, logits

    architecture = read_architecture(SHAPE, where="benchmark")
    weights = initial_weights(architecture, 0)
    given = np.random.default_rng(0).integers(3, 1000, (prompts, prompt_length)).astype(np.int32)
    # No token is numbered so: every row is as long as can be.
    generator = build_generator(architecture, weights, scale=1.0, ends=[architecture.vocabulary], pad=0)

    @jax.jit
    def best(tokens: jax.Array, at: jax.Array) -> jax.Array:
        # Rows of their final length throughout, so that the naive loop is compiled once, too.
        rows = jnp.ones_like(tokens)
        positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
        states = hidden(architecture, weights, None, 1.0, tokens, positions, rows)
        last = jax.lax.dynamic_index_in_dim(states, at, axis=1, keepdims=False)
        return jnp.argmax(logits(architecture, weights, last), axis=-1).astype(jnp.int32)

    def cached() -> list[list[int]]:
        return [list(out.tokens) for out in generator.generate(None, given.tolist(), max_new_tokens=new)]

    def naive() -> list[list[int]]:
        tokens = np.zeros((prompts, prompt_length + new), np.int32)
        tokens[:, :prompt_length] = given
        for at in range(prompt_length, prompt_length + new):
            tokens[:, at] = np.asarray(best(tokens, np.int32(at - 1)))
        return tokens[:, prompt_length:].tolist()

    if cached() != naive():
        raise SystemExit("the two ways to generate disagree")
    return seconds_of(cached), seconds_of(naive)


def seconds_of(function: Any, times: int = 5) -> float:
    """The median of some calls."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def cpu(peer: str, turns: int, steps: int) -> None:
    """All measurements on this machine's CPU, as Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "base"
        make_folder(folder)
        sides = {
            "tuneline": [sys.executable, "-m", "benchmarks.trainer", "step", str(folder), str(steps)],
            "transformers + peft": [peer, str(ROOT / "benchmarks" / "trainer_peer.py"), str(folder), str(steps)],
        }
        found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for _ in range(turns):
            for side, command in sides.items():
                found[side].append(turn(command))
        losses = [found[side][0]["loss"] for side in sides]
        if abs(losses[0] - losses[1]) > 1e-4:
            raise SystemExit(f"the sides do not do the same work: first losses {losses}")
        speeds = {side: [turn["tokens_per_second"] for turn in turns] for side, turns in found.items()}
        print("| a step of 8 × 256, LoRA 8 | tokens/s, median | min | max | first loss |\n|---|---|---|---|---|")
        for side, values in speeds.items():
            middle, low, high = statistics.median(values), min(values), max(values)
            print(f"| {side} | {middle:,.0f} | {low:,.0f} | {high:,.0f} | {found[side][0]['loss']:.5f} |")
        ours, theirs = (statistics.median(values) for values in speeds.values())
        cold, warm = (start_seconds(folder, Path(name) / "cache", Path(name) / f"output{i}") for i in range(2))
        print("\n| from the command to the first step | seconds |\n|---|---|")
        print(f"| nothing compiled yet | {cold:.1f} |\n| with the compilation cache | {warm:.1f} |")
        print(f"| transformers + peft | {statistics.median(t['first'] for t in found['transformers + peft']):.1f} |")
        seconds, before, after = sample_task(Path(name))
    cached, naive = generation_seconds()
    print("\n| 64 tokens for each of 32 prompts of 32 | seconds |\n|---|---|")
    print(f"| with the key-value cache | {cached:.2f} |\n| the naive loop | {naive:.2f} |")
    print("\n| the sample task, nothing compiled yet | |\n|---|---|")
    print(f"| seconds, from the command to the result | {seconds:.1f} |")
    print(f"| exact answers of the base | {before:.0%} |\n| exact answers of the selected checkpoint | {after:.0%} |\n")
    targets = [
        ("a step, at least 1.0 × transformers + peft", ours / theirs, ours >= theirs),
        ("the second run's first step, under 5 s", warm, warm < 5),
        ("the sample task in under 30 s", seconds, seconds < 30),
        ("exact answers of the base, under 0.20", before, before < 0.2),
        ("exact answers after tuning, at least 0.60", after, after >= 0.6),
        ("generation, at least 5 × the naive loop", naive / cached, naive >= 5 * cached),
    ]
    for target, value, met in targets:
        print(f"- {target}: {value:.2f} ({'met' if met else 'NOT met'})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    whole = commands.add_parser("cpu", help="all tables")
    whole.add_argument("--peer", required=True, metavar="PYTHON", help="a Python with torch, transformers and peft")
    whole.add_argument("--turns", type=int, default=3)
    whole.add_argument("--steps", type=int, default=20)
    one = commands.add_parser("step", help="one turn of ours")
    one.add_argument("folder", type=Path)
    one.add_argument("steps", type=int)
    options = parser.parse_args()
    if options.command == "cpu":
        cpu(options.peer, options.turns, options.steps)
    else:
        our_speed(options.folder, options.steps)


if __name__ == "__main__":
    main()
