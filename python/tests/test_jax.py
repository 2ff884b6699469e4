"""Arrays of JAX, as samples and parameters, and JAX's own derivatives in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import CHAIN

import tangra

jax = pytest.importorskip("jax", reason="jax is not installed")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy


def network(parameters, x):
    hidden = jnp.tanh(x @ parameters["0.weight"].T + parameters["0.bias"])
    return jax.nn.softmax(hidden @ parameters["1.weight"].T + parameters["1.bias"])


@pytest.fixture
def parameters(model64):
    return {name: jnp.asarray(value) for name, value in model64.parameters.items()}


@pytest.fixture
def samples(x):
    return jnp.asarray(x)


def agree(found, expected):
    expected = np.asarray(expected)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()


def test_outputs(model64, samples, parameters):
    agree(model64(samples), network(parameters, samples))


def test_kernel(model64, samples, parameters):
    jacobian = jax.vmap(jax.jacrev(network), (None, 0))(parameters, samples)
    n, o = 5, 3
    rows = jnp.concatenate([jacobian[name].reshape(n * o, -1) for name in model64.parameters], axis=1)
    agree(model64.kernel(samples, samples[:2], reduce="full").values, (rows @ rows[: 2 * o].T).reshape(n, o, 2, o))
    trace = jnp.einsum("iajb->ijab", (rows @ rows.T).reshape(n, o, n, o)).trace(axis1=2, axis2=3)
    agree(model64.kernel(samples, reduce="trace").values, trace)
    for name in model64.parameters:
        agree(model64.jacobian(samples)[name], jacobian[name])


def test_products(model64, samples, parameters):
    key = jax.random.PRNGKey(1)
    tangents = {name: jax.random.normal(key, value.shape, dtype=value.dtype) for name, value in parameters.items()}
    along = jax.random.normal(key, samples.shape, dtype=samples.dtype)
    agree(model64.jvp(samples, {**tangents, "input": along}), jax.jvp(network, (parameters, samples), (tangents, along))[1])
    cotangents = jax.random.normal(key, (5, 3), dtype=samples.dtype)
    by_parameter, by_input = jax.vjp(network, parameters, samples)[1](cotangents)
    pulled = model64.vjp(samples, cotangents)
    for name, expected in by_parameter.items():
        agree(pulled[name], expected)
    agree(pulled["input"], by_input)


def test_parameters_of_a_step_of_training(model64, samples, parameters):
    gradient = jax.grad(lambda p: (network(p, samples) ** 2).sum())(parameters)
    stepped = {name: value - 0.1 * gradient[name] for name, value in parameters.items()}
    model64.parameters.update(stepped)
    agree(model64(samples), network(stepped, samples))


def test_types_stay(model, x):
    """What is in single precision is read where it lies; what NumPy does not know is refused by name."""
    single = jnp.asarray(x, dtype=jnp.float32)
    np.testing.assert_array_equal(model(single), model(x.astype(np.float32)))
    np.testing.assert_array_equal(model(single.T.T), model(single))
    np.testing.assert_array_equal(model(single.astype(jnp.float16)), model(x.astype(np.float32).astype(np.float16)))
    with pytest.raises(ValueError, match="^x: .*bfloat16"):
        model(single.astype(jnp.bfloat16))
    with pytest.raises(ValueError, match="float32"):
        model.parameters["0.bias"] = jnp.zeros(7)


def test_in_a_process_with_jax(model64, samples, parameters):
    """JAX's threads and ours do not wait for each other."""
    compiled = jax.jit(lambda p, x: network(p, x) @ network(p, x).T)
    expected = compiled(parameters, samples)
    for _ in range(20):
        agree(np.asarray(compiled(parameters, samples)), expected)
        assert tangra.chain(CHAIN, seed=4).kernel(samples, reduce="trace").shape == (5, 5)
