"""The model computes the same however rows are cut: packed or alone, in blocks or chunks, with a cache or without."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.trainer.conftest import SHAPE
from tuneline.trainer import loss as loss_module
from tuneline.trainer.architecture import Architecture, read_architecture
from tuneline.trainer.generation import Sampling, build_generator, draw
from tuneline.trainer.lora import initial_adapter
from tuneline.trainer.loss import token_losses
from tuneline.trainer.model import attention, causal_attention, hidden, initial_weights, logits

WIDTH = 16
GEMMA = {
    **SHAPE,
    "model_type": "gemma3_text",
    "sliding_window": 4,
    "sliding_window_pattern": 2,
    "query_pre_attn_scalar": 8,
    "hidden_activation": "gelu_pytorch_tanh",
}


@pytest.fixture(scope="module", params=[SHAPE, GEMMA], ids=["llama", "gemma3"])
def model(request: pytest.FixtureRequest) -> tuple[Architecture, Any, Any]:
    """Architecture, weights, and an adapter that changes something."""
    architecture = read_architecture(request.param, where="test")
    adapter = initial_adapter(architecture, 4, 0)
    random = np.random.default_rng(1)
    for pair in adapter.values():
        pair["b"] = jnp.asarray(random.standard_normal(pair["b"].shape, np.float32) * 0.1)
    return architecture, initial_weights(architecture, 0), adapter


def scores(model: tuple[Architecture, Any, Any], rows: list[list[int]], segments: list[list[int]]) -> np.ndarray:
    architecture, weights, adapter = model
    length = len(rows[0])
    tokens, parts = (np.zeros((len(rows), WIDTH), np.int32) for _ in range(2))
    tokens[:, :length], parts[:, :length] = rows, segments
    positions = np.stack([[list(row[: at + 1]).count(row[at]) - 1 for at in range(len(row))] for row in parts])
    return np.asarray(_scores(architecture, weights, adapter, tokens, positions, parts))[:, :length]


@partial(jax.jit, static_argnums=0)
def _scores(architecture: Architecture, weights: Any, adapter: Any, *rows: jax.Array) -> jax.Array:
    return logits(architecture, weights, hidden(architecture, weights, adapter, 2.0, *rows))


def test_segments_of_a_row_do_not_see_each_other(model: tuple[Architecture, Any, Any]) -> None:
    """An example scores the same in a row of its own as behind another one."""
    first, second = [7, 8, 9, 10, 11], [30, 31, 32, 33, 34, 35]
    packed = scores(model, [[*first, *second]], [[1] * 5 + [2] * 6])
    alone = scores(model, [second], [[1] * 6])
    np.testing.assert_allclose(packed[0, 5:], alone[0], atol=2e-5)


def test_blocks_of_queries_change_nothing(model: tuple[Architecture, Any, Any]) -> None:
    """Attention in blocks equals attention over the whole square, and so does its gradient."""
    architecture = model[0]
    random = np.random.default_rng(0)
    q = jnp.asarray(random.standard_normal((2, 300, 4, 8)), jnp.float32)
    k, v = (jnp.asarray(random.standard_normal((2, 300, 2, 8)), jnp.float32) for _ in range(2))
    mask = jnp.broadcast_to(jnp.tril(jnp.ones((300, 300), bool)), (2, 300, 300))

    def whole(architecture: Architecture, q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array) -> jax.Array:
        return attention(architecture, q, k.transpose(0, 2, 1, 3), v.transpose(0, 2, 1, 3), mask)

    def total(function: Any, q: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sin(function(architecture, q, k, v, mask)))

    compute = jax.jit(jax.value_and_grad(total, argnums=1), static_argnums=0)
    for one, other in zip(compute(whole, q), compute(causal_attention, q), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4, rtol=1e-5)


def test_a_chunked_loss_is_the_loss(model: tuple[Architecture, Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Cutting the logits into chunks, some of them padded, moves no token's loss."""
    architecture, weights, adapter = model
    random = np.random.default_rng(2)
    batch = {name: jnp.asarray(random.integers(0, 100, (3, 7)), jnp.int32) for name in ("tokens", "targets")}
    batch |= {"positions": jnp.tile(jnp.arange(7), (3, 1)), "segments": jnp.ones((3, 7), jnp.int32)}
    batch["counted"] = jnp.ones((3, 7), jnp.float32)
    whole = jax.jit(lambda: token_losses(architecture, weights, adapter, 2.0, batch))()
    monkeypatch.setattr(loss_module, "CHUNK_SCORES", 5 * architecture.vocabulary)
    assert loss_module.chunk_count(21, architecture.vocabulary) == 5
    cut = jax.jit(lambda: token_losses(architecture, weights, adapter, 2.0, batch))()
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_cache_generates_what_recomputing_does(model: tuple[Architecture, Any, Any]) -> None:
    """Prompts of different lengths in one batch: each token is the best after everything before it."""
    architecture, weights, adapter = model
    prompts = [[5, 6, 7], [40, 41, 42, 43, 44, 45, 46], [9]]
    generator = build_generator(architecture, weights, scale=2.0, ends=[2], pad=0)
    generated = generator.generate(adapter, prompts, max_new_tokens=6)
    for prompt, out in zip(prompts, generated, strict=True):
        tokens = list(prompt)
        while len(tokens) < len(prompt) + 6:
            best = int(scores(model, [tokens], [[1] * len(tokens)])[0, -1].argmax())
            if best == 2:
                break
            tokens.append(best)
        assert list(out.tokens) == tokens[len(prompt) :]
        assert out.finish == ("length" if len(out.tokens) == 6 else "stop")


def test_an_end_token_ends(model: tuple[Architecture, Any, Any]) -> None:
    """Whatever the model writes first, made an end token, leaves nothing and says stop."""
    architecture, weights, adapter = model
    generator = build_generator(architecture, weights, scale=2.0, ends=[2], pad=0)
    (free,) = generator.generate(adapter, [[5, 6, 7]], max_new_tokens=3)
    ending = build_generator(architecture, weights, scale=2.0, ends=[free.tokens[0]], pad=0)
    (out,) = ending.generate(adapter, [[5, 6, 7]], max_new_tokens=3)
    assert (out.tokens, out.finish) == ((), "stop")


def test_what_is_drawn_depends_on_the_seed_alone(model: tuple[Architecture, Any, Any]) -> None:
    """The same seed draws the same beside other prompts; another seed draws otherwise; greedy rows stay greedy."""
    architecture, weights, adapter = model
    generator = build_generator(architecture, weights, scale=2.0, ends=[2], pad=0)
    hot, other, cold = Sampling(temperature=2.0, seed=5), Sampling(temperature=2.0, seed=6), Sampling()
    prompts = [[5, 6, 7]] * 3
    mixed = generator.generate(adapter, prompts, max_new_tokens=8, samplings=[cold, other, hot])
    turned = generator.generate(adapter, prompts, max_new_tokens=8, samplings=[hot, cold, cold])
    assert mixed[2] == turned[0]
    assert mixed[1] != mixed[2]
    assert mixed[0] == turned[1] == generator.generate(adapter, prompts, max_new_tokens=8)[0]


def test_top_k_and_top_p_leave_out_the_tail() -> None:
    """Of probabilities .5 .3 .15 .05, top-k 2 and top-p 0.6 draw the first two, and a tiny top-p the first."""
    row = jnp.log(jnp.asarray([0.15, 0.5, 0.05, 0.3]))

    def drawn(top_p: float, top_k: int) -> set[int]:
        count = 200
        seeds, ones = jnp.arange(count, dtype=jnp.int32), jnp.ones(count)
        scores = jnp.tile(row, (count, 1))
        tokens = draw(scores, ones, ones * top_p, jnp.full(count, top_k), seeds, jnp.int32(0))
        return set(np.asarray(tokens).tolist())

    assert drawn(1.0, 0) == {0, 1, 2, 3}
    assert drawn(1.0, 2) == drawn(0.6, 0) == {1, 3}
    assert drawn(0.01, 0) == drawn(1.0, 1) == {1}
