"""Flash attention computes what plain attention computes, within segments, padding included; values and gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from tests.trainer.conftest import SHAPE
from tuneline.trainer import flash
from tuneline.trainer.architecture import Architecture, read_architecture
from tuneline.trainer.model import causal_attention
from tuneline.trainer.placement import AXIS, Placement

ROWS, LENGTH, SIZE = 2, 256, 128
SEGMENTS = np.zeros((ROWS, LENGTH), np.int32)
SEGMENTS[0, :100], SEGMENTS[0, 100:130], SEGMENTS[0, 130:200] = 1, 2, 3
SEGMENTS[1] = 1


@pytest.fixture(scope="module")
def architecture() -> Architecture:
    return read_architecture({**SHAPE, "head_dim": SIZE}, where="test")


def test_the_tpu_kernel_agrees_with_plain_attention(architecture: Architecture) -> None:
    """Run by the kernel's interpreter: outputs and gradients of real tokens agree to 1e-4."""
    from jax.experimental.pallas import tpu as pltpu

    random = np.random.default_rng(0)
    heads, shared = architecture.heads, architecture.key_value_heads
    q = jnp.asarray(random.standard_normal((ROWS, LENGTH, heads, SIZE)), jnp.float32)
    k, v = (jnp.asarray(random.standard_normal((ROWS, LENGTH, shared, SIZE)), jnp.float32) for _ in range(2))
    segments = jnp.asarray(SEGMENTS)
    real = (segments > 0)[:, :, None]
    towards = jnp.asarray(random.standard_normal((ROWS, LENGTH, heads * SIZE)), jnp.float32) * real
    mask = (segments[:, :, None] == segments[:, None, :]) & jnp.tril(jnp.ones((LENGTH, LENGTH), bool))

    def plain(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        return jnp.sum(causal_attention(architecture, q, k, v, mask) * towards)

    def kernel(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        return jnp.sum(flash.attend(architecture, flash.rows(flash.TPU, segments, 0), q, k, v) * towards)

    expected, slopes = jax.value_and_grad(plain, argnums=(0, 1, 2))(q, k, v)
    with pltpu.force_tpu_interpret_mode():
        found, found_slopes = jax.value_and_grad(kernel, argnums=(0, 1, 2))(q, k, v)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    for slope, other in zip(slopes, found_slopes, strict=True):
        np.testing.assert_allclose(other, slope, atol=1e-4)


def test_a_kernel_is_called_on_each_device_of_a_mesh(architecture: Architecture) -> None:
    """Under a mesh (of one device here, as the interpreter knows no more) the kernel gives what it gives without."""
    from jax.experimental.pallas import tpu as pltpu

    random = np.random.default_rng(1)
    q = jnp.asarray(random.standard_normal((ROWS, 128, architecture.heads, SIZE)), jnp.float32)
    k = jnp.asarray(random.standard_normal((ROWS, 128, architecture.key_value_heads, SIZE)), jnp.float32)
    batch = flash.rows(flash.TPU, jnp.asarray(SEGMENTS[:, :128]), 0)
    placement = Placement(mesh=Mesh(np.asarray(jax.devices()[:1]), (AXIS,)), kernel=flash.TPU)
    with pltpu.force_tpu_interpret_mode():
        expected = flash.attend(architecture, batch, q, k, k)
        found = jax.jit(lambda q, k: placement.attend(architecture, batch, q, k, k))(q, k)
    np.testing.assert_array_equal(found, expected)


def test_segments_cover_their_rows() -> None:
    """cuDNN's packed layout: every token is in one segment, padding in the last; what is not there is -1."""
    batch = flash.rows(flash.PACKED, jnp.asarray(SEGMENTS), 5)
    assert batch.lengths is not None
    assert batch.offsets is not None
    assert batch.lengths.tolist() == [[100, 30, 70, 56, -1], [256, -1, -1, -1, -1]]
    assert batch.offsets.tolist() == [[0, 100, 130, 200, -1, -1], [0, -1, -1, -1, -1, -1]]


def test_the_installed_jax_has_the_packed_layout() -> None:
    """A jax that moved it would silently cost a Hopper GPU a tenth of its speed: raise the pin knowingly."""
    assert flash.has_packed_layout()


def test_a_cpu_has_no_kernel(architecture: Architecture) -> None:
    """There the plain attention is used, and for Gemma's soft caps and windows everywhere."""
    assert flash.kernel_for(architecture, jnp.bfloat16) == flash.NONE
