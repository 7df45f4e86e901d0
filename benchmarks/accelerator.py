"""Tokens a second and MFU of LoRA on one GPU, against transformers + peft with PyTorch's own flash attention.

`python -m benchmarks.accelerator [--peer PYTHON]`: the shape of Llama 3.1 8B with random weights, bf16, rank 16 on all
linear layers, rows of 4,096 tokens, every token counted. Each line is a process of its own, so that one that runs out
of memory takes nothing with it. Ends within 8 minutes. MFU is tokens/s x 4 x parameters / peak bf16 FLOP/s: with frozen
weights a token costs 2 FLOPs a parameter forward and 2 backward.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

LENGTH, RANK, STEPS, WARM_UP = 4096, 16, 8, 2
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
    "hidden_act": "silu",
    "rope_scaling": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
}
OURS = ((2, "linear", 1), (4, "linear", 1), (4, "linear", 8), (4, "nothing", 1))
"""(rows, what the backward pass computes again, segments a row)"""
PEER = ((2, False), (1, False), (4, True))
"""(rows, gradient checkpointing): the first that fits, and one with checkpointing"""


def ours(rows: int, remat: str, segments: int) -> dict[str, Any]:
    """One line of our trainer: its compiled step, its optimizer, its attention kernel."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from tuneline.trainer import flash
    from tuneline.trainer.architecture import read_architecture
    from tuneline.trainer.lora import ALPHA, initial_adapter
    from tuneline.trainer.optimizer import optimizer
    from tuneline.trainer.placement import Placement
    from tuneline.trainer.program import build

    architecture = read_architecture(CONFIG, where="benchmark")
    count, width = architecture.layers, architecture.width
    keys = iter(jax.random.split(jax.random.key(0), 16))
    draw = jax.jit(
        lambda key, shape: jax.random.normal(key, shape, jnp.bfloat16) * jnp.bfloat16(0.02), static_argnums=1
    )
    weights: dict[str, Any] = {"layers": {}}
    for name, shape in architecture.linear_shapes.items():
        weights["layers"][name] = draw(next(keys), (count, *shape))
    weights["layers"] |= {name: jnp.ones((count, width), jnp.bfloat16) for name in ("attention_norm", "mlp_norm")}
    weights |= {"embed": draw(next(keys), (architecture.vocabulary, width)), "norm": jnp.ones((width,), jnp.bfloat16)}
    weights["head"] = draw(next(keys), (width, architecture.vocabulary))
    kernel = flash.kernel_for(architecture, jnp.bfloat16)
    placement = Placement(kernel=kernel, segments=segments + 1)
    rule = optimizer(learning_rate=1e-4, steps=100)
    program = build(architecture, weights, scale=float(ALPHA), rule=rule, remat=remat, placement=placement)
    adapter = initial_adapter(architecture, RANK, 0)
    state = rule.init(adapter)
    random = np.random.default_rng(0)
    part = LENGTH // segments
    batch = {
        "tokens": random.integers(0, architecture.vocabulary, (rows, LENGTH)).astype(np.int32),
        "targets": random.integers(0, architecture.vocabulary, (rows, LENGTH)).astype(np.int32),
        "positions": np.tile(np.arange(part, dtype=np.int32), (rows, segments)),
        "segments": np.repeat(np.arange(1, segments + 1, dtype=np.int32), part)[None].repeat(rows, axis=0),
        "counted": np.ones((rows, LENGTH), np.float32),
    }
    began = time.perf_counter()
    losses = []
    for number in range(WARM_UP + STEPS):
        if number == WARM_UP:
            float(losses[-1])
            compiled, began = time.perf_counter() - began, time.perf_counter()
        adapter, state, result = program.step(adapter, state, [batch])
        losses.append(result.loss)
    last = float(losses[-1])
    seconds = (time.perf_counter() - began) / STEPS
    device = jax.local_devices()[0]
    peak = device.memory_stats()["peak_bytes_in_use"]
    return _line(rows, seconds, peak, device.device_kind) | {
        "who": "tuneline",
        "how": f"{kernel}, remat {remat}, {segments} segments a row",
        "first steps": round(compiled, 1),
        "loss": round(last, 3),
        "parameters": architecture.parameters,
    }


def peer(rows: int, checkpointing: bool) -> dict[str, Any]:
    """One line of transformers + peft, attention by torch.nn.functional.scaled_dot_product_attention."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    settings = {key: value for key, value in CONFIG.items() if key != "model_type"}
    config = LlamaConfig(**settings, attn_implementation="sdpa", use_cache=False)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    lora = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=modules, task_type="CAUSAL_LM")
    model = get_peft_model(model, lora)
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    tokens = torch.randint(0, CONFIG["vocab_size"], (rows, LENGTH), device="cuda")
    began = time.perf_counter()
    for number in range(WARM_UP + STEPS):
        if number == WARM_UP:
            torch.cuda.synchronize()
            first, began = time.perf_counter() - began, time.perf_counter()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    last = float(loss)
    torch.cuda.synchronize()
    seconds = (time.perf_counter() - began) / STEPS
    return _line(rows, seconds, torch.cuda.max_memory_allocated(), torch.cuda.get_device_name()) | {
        "who": "transformers + peft",
        "how": f"sdpa, gradient checkpointing {'on' if checkpointing else 'off'}, 1 segment a row",
        "first steps": round(first, 1),
        "loss": round(last, 3),
    }


def agreement() -> dict[str, Any]:
    """The platform's kernels against plain attention in fp32: relative error of outputs and gradients."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from tuneline.trainer import flash
    from tuneline.trainer.architecture import read_architecture
    from tuneline.trainer.model import causal_attention

    architecture = read_architecture(CONFIG, where="benchmark")
    random = np.random.default_rng(0)
    rows, length = 2, 1024
    segments = np.zeros((rows, length), np.int32)
    for row in range(rows):
        bounds = np.sort(random.choice(np.arange(8, 900), 5, replace=False))
        segments[row, :900] = 1 + np.searchsorted(bounds, np.arange(900), side="right")
    mask = (segments[:, :, None] == segments[:, None, :]) & np.tril(np.ones((length, length), bool))
    shapes = [(rows, length, heads, architecture.head_size) for heads in (32, 8, 8)]
    q, k, v = (jnp.asarray(random.standard_normal(shape), jnp.bfloat16) for shape in shapes)
    towards = jnp.asarray(random.standard_normal((rows, length, 4096)), jnp.float32) * (segments > 0)[:, :, None]

    def slopes(attend: Any, *arrays: Any) -> Any:
        return jax.jit(jax.value_and_grad(lambda *a: jnp.sum(attend(*a) * towards), argnums=(0, 1, 2)))(*arrays)

    wide = [x.astype(jnp.float32) for x in (q, k, v)]
    with jax.default_matmul_precision("highest"):
        expected = slopes(lambda *a: causal_attention(architecture, *a, jnp.asarray(mask)), *wide)[1]
    out: dict[str, Any] = {"who": "agreement"}
    for kernel in (flash.PACKED, flash.MASKED):
        batch = flash.rows(kernel, jnp.asarray(segments), 8)
        try:
            found = slopes(lambda *a, batch=batch: flash.attend(architecture, batch, *a), q, k, v)[1]
        except (RuntimeError, ValueError, NotImplementedError) as error:
            out[kernel] = str(error)[:300]
            continue
        pairs = zip(found, expected, strict=True)
        out[kernel] = [float(jnp.linalg.norm(f.astype(jnp.float32) - e) / jnp.linalg.norm(e)) for f, e in pairs]
    return out


def _line(rows: int, seconds: float, peak: float, device: str) -> dict[str, Any]:
    return {
        "rows": rows,
        "tokens/s": round(rows * LENGTH / seconds),
        "ms a step": round(1000 * seconds, 1),
        "GiB": round(peak / 2**30, 1),
        "device": device,
    }


def _child(python: str, line: str, limit: float) -> dict[str, Any]:
    try:
        command = [python, "-m", "benchmarks.accelerator", "--line", line]
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(limit, 1), check=False)
    except subprocess.TimeoutExpired:
        return {"who": line, "failed": "no time left"}
    if done.returncode:
        why = next((x for x in done.stderr.splitlines()[::-1] if "Error" in x or "RESOURCE" in x), done.stderr[-300:])
        return {"who": line, "failed": why[:300]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default=sys.executable, metavar="PYTHON", help="a Python with torch and peft")
    parser.add_argument("--line", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.line:
        who, *rest = arguments.line.split(",")
        calls = {"ours": lambda: ours(int(rest[0]), rest[1], int(rest[2])), "agreement": agreement}
        calls["peer"] = lambda: peer(int(rest[0]), rest[1] == "True")
        print(json.dumps(calls[who]()))
        return
    from tuneline.trainer.devices import peak_flops

    until = time.monotonic() + 460
    print(json.dumps(_child(sys.executable, "agreement", until - time.monotonic())), flush=True)
    lines = [("ours", *line) for line in OURS] + [("peer", *line) for line in PEER]
    found = []
    for who, *rest in lines:
        python = arguments.peer if who == "peer" else sys.executable
        found.append(_child(python, ",".join(map(str, [who, *rest])), until - time.monotonic()))
        print(json.dumps(found[-1]), flush=True)
    good = [row for row in found if "failed" not in row]
    parameters = next((row["parameters"] for row in good if "parameters" in row), 0)
    print("| who | how | rows | tokens/s | MFU | ms a step | GiB | seconds of the first two steps |")
    print("|---|---|---|---|---|---|---|---|")
    for row in good:
        share = row["tokens/s"] * 4 * parameters / (peak_flops(row["device"]) or float("nan"))
        figures = (f"{share:.1%}", row["ms a step"], row["GiB"], row["first steps"])
        print("| " + " | ".join(map(str, (row["who"], row["how"], row["rows"], row["tokens/s"], *figures))) + " |")
    best = {who: max((r["tokens/s"] for r in good if r["who"] == who), default=0) for who in {r["who"] for r in good}}
    if len(best) == 2:
        print(f"best against best: {best['tuneline'] / best['transformers + peft']:.2f} x")


if __name__ == "__main__":
    main()
