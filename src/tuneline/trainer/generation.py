"""Generation with a key-value cache: a batch of prompts in, greedy or sampled continuations out.

Prompts are aligned at their ends (padding in front), so that every row writes its next key and value at the same place
of the cache; the loop runs on the device and stops when every row has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tuneline.trainer.architecture import Architecture
from tuneline.trainer.model import NEVER, Weights, attention, block, embed, final_norm, logits, rotations, windows
from tuneline.trainer.placement import ONE, Placement


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is drawn: temperature 0 takes the most likely one."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    """0: all."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Generated:
    """A continuation, its end token left out."""

    tokens: tuple[int, ...]
    finish: str
    """`stop`: it ended by itself; `length`: it was cut."""


@dataclass(frozen=True, kw_only=True)
class Generator:
    """`generate(adapter, prompts, max_new_tokens, samplings)` for one base."""

    architecture: Architecture
    run: Callable[..., Any]
    ends: tuple[int, ...]
    pad: int

    def generate(
        self,
        adapter: Any,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        batch_size: int = 32,
        samplings: Sequence[Sampling] = (),
    ) -> list[Generated]:
        """A continuation of each prompt, in their order.

        Prompts are taken by length, so that short ones are not padded to the longest; every batch has `batch_size`
        rows (fewer when there are fewer prompts) and lengths are rounded up, so that few shapes are compiled. What is
        drawn for a prompt depends on its own seed only, not on its neighbours.
        """
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        size = min(batch_size, len(prompts))
        out: dict[int, Generated] = {}
        for at in range(0, len(order), size):
            places = order[at : at + size]
            longest = max(len(prompts[place]) for place in places)
            unit = 32 if longest <= 64 else 128
            width = -(-longest // unit) * unit
            tokens = np.full((size, width), self.pad, np.int32)
            padding = np.full(size, width - 1, np.int32)
            settings = [Sampling()] * size
            for row, place in enumerate(places):
                prompt = prompts[place]
                tokens[row, width - len(prompt) :] = prompt
                padding[row] = width - len(prompt)
                if samplings:
                    settings[row] = samplings[place]
            written, ended = self.run(
                adapter,
                tokens,
                padding,
                np.arange(size) >= len(places),
                np.asarray([s.temperature for s in settings], np.float32),
                np.asarray([s.top_p for s in settings], np.float32),
                np.asarray([s.top_k for s in settings], np.int32),
                np.asarray([s.seed & 0x7FFFFFFF for s in settings], np.int32),
                np.int32(max_new_tokens),
                room=-(-max_new_tokens // 32) * 32,
                sampled=any(s.temperature > 0 for s in settings),
            )
            written, ended = np.asarray(written), np.asarray(ended)
            for row, place in enumerate(places):
                new = [int(token) for token in written[row][:max_new_tokens]]
                cut = next((i for i, token in enumerate(new) if token in self.ends), len(new))
                finish = "stop" if ended[row] else "length"
                out[place] = Generated(tokens=tuple(new[:cut]), finish=finish)
        return [out[place] for place in range(len(prompts))]


def build_generator(
    architecture: Architecture,
    weights: Weights,
    *,
    scale: float,
    ends: Sequence[int],
    pad: int,
    placement: Placement = ONE,
) -> Generator:
    """The generator of one base; `ends` are the tokens after which a row is over."""
    stops = jnp.asarray(sorted(ends), jnp.int32)

    def forward(
        weights: Weights, adapter: Any, tokens: jax.Array, positions: jax.Array, cache: Any, at: Any, mask: jax.Array
    ) -> tuple[jax.Array, Any]:
        """Scores (batch, vocabulary) after the last of `tokens`, whose keys and values enter the cache at `at`."""
        tables = rotations(architecture, positions)
        slots = jnp.arange(cache[0].shape[3])
        # Distances between places of the cache are those between positions: padding stands in front.
        distance = (at + jnp.arange(tokens.shape[1]))[:, None] - slots[None, :]

        def layer(carry: Any, inputs: Any) -> tuple[Any, None]:
            x, keys, values = carry
            number, layer_weights, layer_adapter, window = inputs

            def attend(q: jax.Array, k: jax.Array, v: jax.Array, state: Any) -> tuple[jax.Array, Any]:
                start = (number, 0, 0, at, 0)
                keys = jax.lax.dynamic_update_slice(state[0], k.transpose(0, 2, 1, 3)[None], start)
                values = jax.lax.dynamic_update_slice(state[1], v.transpose(0, 2, 1, 3)[None], start)
                seen = mask if window is None else mask & ((window == 0) | (distance < window))
                return attention(architecture, q, keys[number], values[number], seen), (keys, values)

            local = None if window is None else window > 0
            x, (keys, values) = block(
                architecture, x, layer_weights, layer_adapter, scale, tables, local, attend, (keys, values)
            )
            return (x, keys, values), None

        carry = (embed(architecture, weights, tokens), *cache)
        scanned = (jnp.arange(architecture.layers), weights["layers"], adapter, windows(architecture))
        (x, keys, values), _ = jax.lax.scan(layer, carry, scanned)
        return logits(architecture, weights, final_norm(architecture, weights, x[:, -1])), (keys, values)

    @partial(jax.jit, static_argnames=("room", "sampled"))
    def run(
        weights: Weights,
        adapter: Any,
        tokens: jax.Array,
        padding: jax.Array,
        ended: jax.Array,
        temperature: jax.Array,
        top_p: jax.Array,
        top_k: jax.Array,
        seeds: jax.Array,
        new: jax.Array,
        *,
        room: int,
        sampled: bool,
    ) -> tuple[jax.Array, jax.Array]:
        batch, width = tokens.shape
        shape = (architecture.layers, batch, architecture.key_value_heads, width + room, architecture.head_size)
        dtype = weights["embed"].dtype
        cache = (jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))
        slots = jnp.arange(width + room)
        filled = slots[None, :] >= padding[:, None]
        positions = jnp.maximum(jnp.arange(width)[None, :] - padding[:, None], 0)
        mask = filled[:, None, :] & (slots[None, None, :] <= jnp.arange(width)[None, :, None])
        scores, cache = forward(weights, adapter, tokens, positions, cache, 0, mask)

        def choose(scores: jax.Array, count: jax.Array) -> jax.Array:
            best = jnp.argmax(scores, axis=-1).astype(jnp.int32)
            if not sampled:
                return best
            drawn = draw(scores, temperature, top_p, top_k, seeds, count)
            return jnp.where(temperature > 0, drawn, best)

        def going(state: Any) -> jax.Array:
            count, _, _, _, ended = state
            return (count < new) & ~jnp.all(ended)

        def one(state: Any) -> Any:
            count, scores, cache, written, ended = state
            token = jnp.where(ended, pad, choose(scores, count))
            written = jax.lax.dynamic_update_slice(written, token[:, None], (0, count))
            ended = ended | jnp.any(token[:, None] == stops[None, :], axis=1)
            at = width + count
            mask = (filled & (slots[None, :] <= at))[:, None, :]
            position = (at - padding)[:, None]
            scores, cache = forward(weights, adapter, token[:, None], position, cache, at, mask)
            return count + 1, scores, cache, written, ended

        # Places never written hold an end token, so that a row that stopped early reads as ended there.
        written = jnp.full((batch, room), stops[0], jnp.int32)
        count = jnp.int32(0)
        _, _, _, written, ended = jax.lax.while_loop(going, one, (count, scores, cache, written, ended))
        return placement.gathered((written, ended))

    return Generator(architecture=architecture, run=partial(run, weights), ends=tuple(ends), pad=pad)


def draw(
    scores: jax.Array, temperature: jax.Array, top_p: jax.Array, top_k: jax.Array, seeds: jax.Array, count: jax.Array
) -> jax.Array:
    """One token a row, drawn by temperature from the top_k most likely tokens that make up top_p of the probability."""
    vocabulary = scores.shape[-1]
    order = jnp.argsort(-scores, axis=-1)
    ranked = jnp.take_along_axis(scores, order, axis=-1) / jnp.maximum(temperature, 1e-6)[:, None]
    probability = jax.nn.softmax(ranked, axis=-1)
    rank = jnp.arange(vocabulary)[None, :]
    limit = jnp.where(top_k > 0, top_k, vocabulary)[:, None]
    # A token stays while those before it have not yet reached top_p: the first always does.
    kept = (rank < limit) & ((jnp.cumsum(probability, axis=-1) - probability < top_p[:, None]) | (rank == 0))

    def pick(seed: jax.Array, row: jax.Array) -> jax.Array:
        return jax.random.categorical(jax.random.fold_in(jax.random.key(seed), count), row)

    picked = jax.vmap(pick)(seeds, jnp.where(kept, ranked, NEVER))
    return jnp.take_along_axis(order, picked[:, None], axis=-1)[:, 0].astype(jnp.int32)
