"""An adapted linear layer computes what its formula says, and so do its gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from tuneline.trainer.linear import adapted

SCALE = 2.0


def test_values_and_gradients_are_those_of_the_formula() -> None:
    """Against automatic differentiation of the plain formula, to fp32's accuracy; the frozen weight gets none."""
    random = np.random.default_rng(0)
    shapes = {"h": (3, 7, 16), "a": (16, 4), "b": (4, 24)}
    inputs = {name: jnp.asarray(random.standard_normal(shape), jnp.float32) for name, shape in shapes.items()}
    weight = jnp.asarray(random.standard_normal((16, 24)), jnp.float32)

    def ours(weight: jax.Array, given: dict[str, jax.Array]) -> jax.Array:
        return jnp.sum(jnp.sin(adapted(given["h"], weight, given["a"], given["b"], SCALE)))

    def plain(weight: jax.Array, given: dict[str, jax.Array]) -> jax.Array:
        return jnp.sum(jnp.sin(given["h"] @ weight + SCALE * (given["h"] @ given["a"]) @ given["b"]))

    (value, (none, slopes)), (expected, (some, expected_slopes)) = (
        jax.value_and_grad(function, argnums=(0, 1))(weight, inputs) for function in (ours, plain)
    )
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    for name in inputs:
        np.testing.assert_allclose(slopes[name], expected_slopes[name], rtol=2e-4, atol=2e-4)
    assert not np.any(none)
    assert np.any(some)
