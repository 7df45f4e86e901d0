"""A base so small that everything compiles in moments, and runs of it in a folder of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.objects.conftest import storage_url

__all__ = ["storage_url"]

# What is computed here is tiny: programs are compiled quickly rather than well.
FAST_COMPILE = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"

BUILT_IN = Path(__file__).parents[2] / "src" / "tuneline" / "trainer" / "base"
SHAPE: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 1024,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "eos_token_id": 2,
}


@pytest.fixture(scope="session", autouse=True)
def compiles_fast() -> None:
    """jax reads its flags when it first looks for devices; afterwards the environment is as it was, for other tests."""
    before = os.environ.get("XLA_FLAGS")
    os.environ["XLA_FLAGS"] = before or FAST_COMPILE
    import jax

    jax.devices()
    if before is None:
        del os.environ["XLA_FLAGS"]


def make_base(folder: Path, shape: Mapping[str, Any] = SHAPE, seed: int = 0) -> Path:
    """A Hugging Face folder with random weights and the built-in tokenizer."""
    from safetensors.numpy import save_file

    from tuneline.trainer.architecture import read_architecture
    from tuneline.trainer.model import initial_weights
    from tuneline.trainer.weights import hf_tensors

    folder.mkdir(parents=True)
    architecture = read_architecture(shape, where="test")
    save_file(hf_tensors(architecture, initial_weights(architecture, seed)), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(shape))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(BUILT_IN / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random base of two layers."""
    return make_base(tmp_path_factory.mktemp("base") / "small")


def rows(count: int, *, first: int = 0) -> list[dict[str, str]]:
    """Examples in input_text / output_text form, all different."""
    return [{"input_text": f"item {at}", "output_text": f"the item is {at}"} for at in range(first, first + count)]


def write_rows(path: Path, examples: list[dict[str, str]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in examples))
    return str(path)


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """Everything the process said; it must end with `code`."""
    said = process.communicate(timeout=240)[1]
    assert process.returncode == code, said
    return said


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def write_config(tmp_path: Path, small_base: Path) -> Callable[..., str]:
    """Writes a run's data and config.json; keyword arguments change its fields."""

    def write(**changes: Any) -> str:
        config = {
            "version": 1,
            "base_model": str(small_base),
            "train_data": write_rows(tmp_path / "train.jsonl", rows(24)),
            "evaluation_data": write_rows(tmp_path / "evaluation.jsonl", rows(5, first=100)),
            "prediction_data": write_rows(tmp_path / "prediction.jsonl", rows(3, first=200)),
            "train_steps": 12,
            "batch_size": 4,
            "evaluation_interval": 4,
            "adapter_size": 2,
            "early_stopping": False,
            "max_new_tokens": 4,
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps({**config, **changes}))
        return str(path)

    return write


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of trainer processes: they share what one of them has compiled."""
    cache = str(tmp_path_factory.mktemp("cache"))
    return {**os.environ, "XDG_CACHE_HOME": cache, "XLA_FLAGS": FAST_COMPILE}


@pytest.fixture
def start(compiled: dict[str, str]) -> Callable[..., subprocess.Popen[str]]:
    """Starts the trainer as a process of its own, its stderr a pipe of lines."""

    def begin(config: str, output: Path | str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tuneline.trainer", "--config", config, "--output", str(output)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**compiled, **environment}, bufsize=1)

    return begin
