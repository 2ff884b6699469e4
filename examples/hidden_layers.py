"""Jacobians by hidden layers and of them, structured and in full, and why a vector-Jacobian product is not a Jacobian."""

import numpy as np

import tangra

model = tangra.chain("Chain(Dense(64 => 30, relu), Dense(30 => 20, tanh), Dense(20 => 10))", seed=1).astype("float64")
x = tangra.data("digits", n=5).x
print(model.summary())

# Of the output by a hidden layer's weights: (N, O, 20, 30) numbers, or two factors with 1/24 of them.
full = model.jacobian(x, wrt="1.weight")["1.weight"]
factors = model.jacobian(x, wrt="1.weight", layout="structured")["1.weight"]
print("full:", full.shape, " structured:", factors)
np.testing.assert_allclose(factors.dense(), full, atol=1e-14)

# Of a hidden value by the input, and of the output by a hidden value.
hidden = model.summary().layers[1]["name"]
print(f"d {hidden} / d input:", model.jacobian(x, wrt="input", of=hidden)["input"].shape)
print(f"d output / d {hidden}:", model.jacobian(x, wrt=hidden)[hidden].shape)

# One cotangent gives one row of numbers for each sample: a sum over outputs, from which the Jacobian cannot be had again.
ones = np.ones((5, 10))
pulled = model.vjp(x, ones)["1.weight"]
print("J^T c:", pulled.shape, "against J:", full.shape)
np.testing.assert_allclose(pulled, full.sum(axis=(0, 1)), rtol=1e-10, atol=1e-12)

# The kernel of the summed outputs is what comes of taking it for one.
summed, trace = model.kernel(x, reduce="sum"), model.kernel(x, reduce="trace")
print("K of a vector-Jacobian product / trace of K:", np.round(np.diag(summed.values) / np.diag(trace.values), 2))
assert not np.allclose(summed.values, trace.values)
